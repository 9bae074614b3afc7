#include "support/case_report.hpp"

#include <boost/test/results_collector.hpp>
#include <boost/test/unit_test.hpp>

#include <iostream>
#include <string>

namespace libnet::test {

namespace {

namespace ut = boost::unit_test;

/// The samples of a data test are called _0, _1, …; what they prove stands in the name of the test.
std::string name_of(const ut::test_unit& unit) {
  const std::string& name = unit.p_name;
  if (!name.starts_with('_')) return name;
  return ut::framework::get(unit.p_parent_id, ut::TUT_SUITE).p_name.get() + name;
}

class CaseReport : public ut::test_observer {
 public:
  void test_unit_start(const ut::test_unit&) override { coroutine_ = false; }
  void test_unit_finish(const ut::test_unit& unit, unsigned long) override {
    if (unit.p_type != ut::TUT_CASE) return;
    const std::string name = name_of(unit);
    const auto& results = ut::results_collector.results(unit.p_id);
    if (!results.passed()) return;
    const bool only_awaited = name.find("_awaited") != std::string::npos;
    const char* style = only_awaited ? "awaited" : coroutine_ ? "both" : "listener";
    std::cout << "CASE " << name << ' ' << results.p_assertions_passed << ' ' << style << std::endl;
  }
  int priority() override { return 10; }  // behind the collector of results

  void note_coroutine() { coroutine_ = true; }

 private:
  bool coroutine_ = false;
};

CaseReport& report() {
  static CaseReport* const never_destroyed = new CaseReport;  // the framework refers to it to the end
  return *never_destroyed;
}

}  // namespace

void start_case_report() { ut::framework::register_observer(report()); }
void note_coroutine() { report().note_coroutine(); }

}  // namespace libnet::test
