#include <boost/test/unit_test.hpp>

#include "reactor/loop.hpp"
#include "support/allocation_fault.hpp"
#include "support/clock.hpp"

namespace libnet::test {

namespace {

struct Counted final : reactor::Task {
  void run_task() override { ++runs; }
  int runs = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(loop_turn)

BOOST_AUTO_TEST_CASE(a_turn_needs_no_memory) {
  const std::size_t failed = fail_each_allocation([](AllocationFault& fault) {
    ManualClock clock;
    Counted task;
    BOOST_TEST(fault.survives([&] { clock.loop->schedule(task); }));
    drive_ready(clock.context);
    BOOST_TEST(task.runs == 1);
  });
  BOOST_TEST(failed == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
