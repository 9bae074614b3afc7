#pragma once

#include <string>
#include <vector>

#include "cores.hpp"
#include "result.hpp"
#include "rivals.hpp"
#include "scenarios/scenario.hpp"

namespace bench {

/// What is to be run.
struct Plan {
  std::vector<Scenario> scenarios;
  std::vector<Rival> rivals;  ///< Those that are missing are left out.
  Cores cores{};
  Settings settings{};
  std::string counting_library{};  ///< Empty: nothing is counted.
};

/// Runs every scenario in rounds, in each round every rival, and counts afterwards. A rival that fails in a scenario is
/// left out of the rest of it, and its row says how it failed.
/// @returns Scenarios, rivals, settings and notes; the rest is for others to fill in.
/// @throws  Interrupted
Result run(const Plan& plan);

}  // namespace bench
