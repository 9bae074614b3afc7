#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/describe/class.hpp>

/// What a run found, as README.md describes it; what has no value is null in JSON.
namespace bench {

struct Machine {
  std::string cpu;
  unsigned cores = 0;
  std::uint64_t memory_bytes = 0;
  std::string kernel;
};
BOOST_DESCRIBE_STRUCT(Machine, (), (cpu, cores, memory_bytes, kernel))

struct Build {
  std::string libnet;
  std::string compiler;
  std::string type;
  std::string flags;
  std::string boost;
};
BOOST_DESCRIBE_STRUCT(Build, (), (libnet, compiler, type, flags, boost))

struct Settings {
  unsigned rounds = 7;
  unsigned window_ms = 1000;
  unsigned warm_up_ms = 200;
  int server_core = 0;
  int load_core = 0;
  bool quick = false;
};
BOOST_DESCRIBE_STRUCT(Settings, (), (rounds, window_ms, warm_up_ms, server_core, load_core, quick))

struct RivalRecord {
  std::string name;
  std::optional<std::string> version{};
  std::optional<std::string> missing{};  ///< Why, and what brings it.
};
BOOST_DESCRIBE_STRUCT(RivalRecord, (), (name, version, missing))

struct Spread {
  double median = 0;
  double low = 0;
  double high = 0;
};
BOOST_DESCRIBE_STRUCT(Spread, (), (median, low, high))

/// The same with what it was made of. Flat, as in JSON.
struct Figure {
  double median = 0;
  double low = 0;
  double high = 0;
  std::vector<double> rounds;
};
BOOST_DESCRIBE_STRUCT(Figure, (), (median, low, high, rounds))

struct LatencyRecord {
  double p50 = 0;
  double p99 = 0;
  double p999 = 0;
  std::vector<std::pair<double, double>> curve{};  ///< Share of the messages, and the time they did not exceed [us].
};
BOOST_DESCRIBE_STRUCT(LatencyRecord, (), (p50, p99, p999, curve))

struct Row {
  std::string rival;
  std::optional<std::string> failure{};
  std::optional<Spread> ratio{};  ///< Of the leading figure to the baseline's, round by round.
  std::optional<Figure> cpu_ns{};
  std::optional<Figure> rate{};
  std::optional<LatencyRecord> latency_us{};
  std::optional<Figure> bytes{};
  std::optional<Figure> instructions{};
  std::optional<double> allocations{};
  std::optional<double> calls{};
};
BOOST_DESCRIBE_STRUCT(Row, (),
                      (rival, failure, ratio, cpu_ns, rate, latency_us, bytes, instructions, allocations, calls))

struct ScenarioRecord {
  std::string name;
  std::string title;
  std::string unit;
  std::string leading;
  std::string baseline;
  std::vector<Row> rows;
};
BOOST_DESCRIBE_STRUCT(ScenarioRecord, (), (name, title, unit, leading, baseline, rows))

struct GoalRecord {
  std::string what;
  std::string scenario;
  std::string rival;
  double figure = 0;
  double goal = 0;
  bool met = false;
};
BOOST_DESCRIBE_STRUCT(GoalRecord, (), (what, scenario, rival, figure, goal, met))

struct Result {
  static constexpr unsigned current_format = 1;

  unsigned format = current_format;
  std::string taken;  ///< ISO 8601, UTC.
  Machine machine;
  Build build;
  Settings settings;
  std::vector<std::string> notes;  ///< What a reader of the figures must know.
  std::vector<RivalRecord> rivals;
  std::vector<ScenarioRecord> scenarios;
  std::vector<GoalRecord> goals;
};
BOOST_DESCRIBE_STRUCT(Result, (), (format, taken, machine, build, settings, notes, rivals, scenarios, goals))

/// The figure that decides in a scenario.
const std::optional<Figure>& leading_figure(const ScenarioRecord& scenario, const Row& row);

/// @returns The row of a rival that has not failed; nullptr if there is none.
const Row* find_row(const Result& result, const std::string& scenario, const std::string& rival);

/// The scenario of that name; nullptr if it was not run.
const ScenarioRecord* find_scenario(const Result& result, const std::string& name);

}  // namespace bench
