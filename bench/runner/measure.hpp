#pragma once

#include <chrono>
#include <optional>

#include "trial.hpp"

namespace bench {

/// What one round of one rival gave.
struct Sample {
  std::optional<double> cpu_ns{};  ///< For each unit.
  std::optional<double> rate{};    ///< Units a second.
  std::optional<double> bytes{};   ///< For each unit.
  Latency latency{};
};

/// Starts a server, drives it for a window of time after its warm-up, and ends it.
/// @throws std::runtime_error that says how the server failed.
Sample measure(const Scenario& scenario, const Rival& rival, const TrialSettings& settings,
               std::chrono::milliseconds window);

}  // namespace bench
