#pragma once

#include <chrono>
#include <string>

#include "trial.hpp"

namespace bench {

/// Both drive a server for about that time, apart from what is timed: counting slows it down.
/// They give what there was for each unit.
/// @throws CannotCount if it is not possible here, std::runtime_error if the server failed.

/// Why something cannot be counted on this machine, in words.
class CannotCount : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Calls of malloc and its like.
/// @param library  The shared library that counts them.
double count_allocations(const Scenario& scenario, const Rival& rival, const TrialSettings& settings,
                         std::chrono::milliseconds time, const std::string& library);

/// System calls, of all the server's threads; needs strace.
double count_calls(const Scenario& scenario, const Rival& rival, const TrialSettings& settings,
                   std::chrono::milliseconds time);

}  // namespace bench
