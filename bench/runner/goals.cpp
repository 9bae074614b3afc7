#include "goals.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <string_view>

#include <fmt/core.h>

#include "statistics.hpp"

namespace bench {

namespace {

enum class Bound { at_most, at_least };

/// A goal that holds in one scenario, for one rival.
struct Goal {
  std::string what;
  std::string scenario;
  std::string rival;
  double goal;
  Bound bound = Bound::at_most;
};

constexpr std::array<std::string_view, 2> styles{"libnet-events", "libnet-await"};
constexpr std::array<std::string_view, 3> to_be_beaten{"node", "go", "asio-awaitables"};

std::string in_words(std::string_view rival) {
  std::string words = rival.starts_with("libnet-events") ? "listeners" : "awaited";
  return rival.ends_with("-portable") ? words + ", portable reactor" : words;
}

/// Checks one goal whose figure is read from a row.
class Checks {
 public:
  explicit Checks(const Result& result) : result_(result) {}

  template <class Read>
  void check(const Goal& goal, const Read& read) {
    const Row* row = find_row(result_, goal.scenario, goal.rival);
    if (row == nullptr) return;
    const std::optional<double> figure = read(*row);
    if (!figure) return;
    const bool met = goal.bound == Bound::at_most ? *figure <= goal.goal : *figure >= goal.goal;
    goals_.push_back(
        {fmt::format("{}, {}", goal.what, in_words(goal.rival)), goal.scenario, goal.rival, *figure, goal.goal, met});
  }

  void check_ratio(const Goal& goal) {
    check(goal, [](const Row& row) { return row.ratio ? std::optional(row.ratio->median) : std::nullopt; });
  }

  void check_bytes(const Goal& goal) {
    check(goal, [](const Row& row) { return row.bytes ? std::optional(row.bytes->median) : std::nullopt; });
  }

  void check_instructions(const Goal& goal) {
    check(goal,
          [](const Row& row) { return row.instructions ? std::optional(row.instructions->median) : std::nullopt; });
  }

  void check_allocations(std::string_view rival) {
    check({"echo 64 x 64 B: heap allocations / message", "echo-64x64", std::string(rival), 0},
          [](const Row& row) { return row.allocations; });
  }

  /// Many small writes against one, for the same rival.
  void check_small_writes(std::string_view rival) {
    const Row* one_write = find_row(result_, "one-write", std::string(rival));
    if (one_write == nullptr) return;
    check({"32 small writes / one write: CPU", "small-writes", std::string(rival), 1.15}, [&](const Row& row) {
      const auto both = ratios(row.cpu_ns->rounds, one_write->cpu_ns->rounds);
      return both ? std::optional(both->median) : std::nullopt;
    });
  }

  /// Against the best of those that must be beaten.
  void check_ahead(const ScenarioRecord& scenario, std::string_view rival) {
    const bool more_is_better = scenario.leading == "rate";
    std::optional<Figure> best;
    for (const std::string_view other : to_be_beaten) {
      const Row* row = find_row(result_, scenario.name, std::string(other));
      if (row == nullptr) continue;
      const auto& figure = leading_figure(scenario, *row);
      if (!best || (figure->median > best->median) == more_is_better) best = figure;
    }
    if (!best) return;
    check({scenario.name + ": ahead of node, go, asio-awaitables: " + scenario.leading + " / the best of them",
           scenario.name, std::string(rival), 1, more_is_better ? Bound::at_least : Bound::at_most},
          [&](const Row& row) {
            const auto both = ratios(leading_figure(scenario, row)->rounds, best->rounds);
            return both ? std::optional(both->median) : std::nullopt;
          });
  }

  std::vector<GoalRecord> take() { return std::move(goals_); }

 private:
  const Result& result_;
  std::vector<GoalRecord> goals_;
};

void check_against_baseline(Checks& checks) {
  checks.check_ratio({"echo 64 x 64 B: CPU / bare", "echo-64x64", "libnet-events", 1.03});
  checks.check_ratio({"echo 64 x 64 B: CPU / bare", "echo-64x64", "libnet-await", 1.06});
  for (const std::string_view name : styles) {
    const std::string style(name);
    checks.check_ratio({"echo 16 x 16 KiB: CPU / bare", "echo-16x16k", style, 1.05});
    checks.check_ratio({"echo 64 x 64 B x 32 in flight: CPU / bare", "echo-64x64-deep", style, 1.05});
    checks.check_ratio({"one payload to many sockets: CPU / bare", "fan-out", style, 1.1});
    checks.check_ratio({"accepted connections a second / bare", "accept", style, 0.9, Bound::at_least});
    checks.check_ratio({"relay: CPU / GiB / bare", "relay", style, 1.1});
  }
}

}  // namespace

std::vector<GoalRecord> check_goals(const Result& result) {
  Checks checks(result);
  check_against_baseline(checks);
  for (const std::string_view style : styles) checks.check_small_writes(style);
  checks.check_bytes({"idle connection: bytes", "idle", "libnet-events", 768});
  checks.check_bytes({"idle connection: bytes", "idle", "libnet-await", 1536});
  checks.check_instructions({"echo 64 x 64 B: instructions / message", "echo-instructions", "libnet-events", 600});
  checks.check_instructions({"echo 64 x 64 B: instructions / message", "echo-instructions", "libnet-await", 1100});
  for (const std::string_view style : styles) {
    checks.check_allocations(style);
    checks.check_allocations(std::string(style) + "-portable");
  }
  for (const ScenarioRecord& scenario : result.scenarios) {
    for (const std::string_view style : styles) checks.check_ahead(scenario, style);
  }
  return checks.take();
}

}  // namespace bench
