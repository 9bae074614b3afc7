#pragma once

#include <cstddef>

#include "random/case.hpp"
#include "random/faults.hpp"

namespace libnet::test::random {

/// What this process holds.
struct Resources {
  std::size_t descriptors = 0;
  std::ptrdiff_t allocations = 0;  ///< Live ones; 0 where a sanitizer has the heap for itself.

  static Resources now();
};

/// Runs a case, and sees that it leaves nothing behind: what is there after it was there before it. What the program
/// makes once and keeps does not count: only what comes again with each of three runs.
void run_checked(const Case& given, Faults& faults);

}  // namespace libnet::test::random
