#pragma once

#include <chrono>
#include <optional>

#include "trial.hpp"

namespace bench {

/// What one round of one rival gave.
struct Sample {
  std::optional<double> cpu_ns{};        ///< For each unit.
  std::optional<double> rate{};          ///< Units a second.
  std::optional<double> bytes{};         ///< For each unit.
  std::optional<double> instructions{};  ///< In user space, for each unit.
  Latency latency{};
};

/// Starts a server, drives it as the scenario's leading figure needs it, and ends it: for a window of time after its
/// warm-up, or until the load has ended, or in rounds.
/// @throws std::runtime_error that says how the server failed.
Sample measure(const Scenario& scenario, const Rival& rival, const TrialSettings& settings,
               std::chrono::milliseconds window);

}  // namespace bench
