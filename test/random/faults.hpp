#pragma once

#include <string>
#include <utility>
#include <vector>

namespace libnet::test::random {

/// What a session found to be wrong.
class Faults {
 public:
  struct Fault {
    std::string rule;  ///< The same for all that breaks one rule: shrinking keeps to it.
    std::string what;
  };

  void add(std::string rule, std::string what) { found_.push_back({std::move(rule), std::move(what)}); }
  /// Adds a fault if something does not hold; gives back whether it does.
  bool require(bool holds, const char* rule, const std::string& what) {
    if (!holds) add(rule, what);
    return holds;
  }
  bool any() const { return !found_.empty(); }
  const std::vector<Fault>& found() const { return found_; }

 private:
  std::vector<Fault> found_;
};

}  // namespace libnet::test::random
