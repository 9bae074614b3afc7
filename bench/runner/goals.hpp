#pragma once

#include "result.hpp"

namespace bench {

/// The project's goals as far as the result has figures for them.
std::vector<GoalRecord> check_goals(const Result& result);

}  // namespace bench
