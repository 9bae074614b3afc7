#include "table.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include <fmt/core.h>

namespace bench {

namespace {

const std::string none = "-";

std::string ratio(const std::optional<Spread>& value) {
  return value ? fmt::format("{:.3f} ({:.3f}-{:.3f})", value->median, value->low, value->high) : none;
}

std::string median_of(const std::optional<Figure>& value) { return value ? number(value->median) : none; }

std::string count(const std::optional<double>& value) { return value ? number(*value) : none; }

std::string percentile(const Row& row, double LatencyRecord::* which) {
  return row.latency_us ? number((*row.latency_us).*which) : none;
}

std::string cpu(const Row& row, const std::string& unit) {
  if (!row.cpu_ns) return none;
  return unit == "GiB" ? fmt::format("{:.3f} s", row.cpu_ns->median / 1e9) : number(row.cpu_ns->median) + " ns";
}

/// What a row says, by the heads of its columns.
using Column = std::pair<std::string, std::function<std::string(const Row&)>>;

std::vector<Column> timed_columns(const ScenarioRecord& scenario) {
  return {{"CPU/" + scenario.unit, [&](const Row& row) { return cpu(row, scenario.unit); }},
          {scenario.unit + "/s", [](const Row& row) { return median_of(row.rate); }},
          {"p50 us", [](const Row& row) { return percentile(row, &LatencyRecord::p50); }},
          {"p99 us", [](const Row& row) { return percentile(row, &LatencyRecord::p99); }},
          {"p99.9 us", [](const Row& row) { return percentile(row, &LatencyRecord::p999); }},
          {"bytes", [](const Row& row) { return median_of(row.bytes); }}};
}

std::vector<Column> counted_columns(const ScenarioRecord& scenario) {
  return {{"instructions/" + scenario.unit, [](const Row& row) {
             return row.instructions ? fmt::format("{:.1f} ({:.1f}-{:.1f})", row.instructions->median,
                                                   row.instructions->low, row.instructions->high)
                                     : none;
           }}};
}

std::vector<Column> columns(const ScenarioRecord& scenario) {
  auto all = scenario.leading == "instructions" ? counted_columns(scenario) : timed_columns(scenario);
  all.insert(all.begin(),
             {scenario.leading + " / " + scenario.baseline, [](const Row& row) { return ratio(row.ratio); }});
  all.emplace_back("allocations", [](const Row& row) { return count(row.allocations); });
  all.emplace_back("calls", [](const Row& row) { return count(row.calls); });
  return all;
}

std::vector<std::string> head_of(const std::vector<Column>& columns) {
  std::vector<std::string> head{"rival"};
  for (const auto& [name, text] : columns) head.push_back(name);
  return head;
}

std::vector<std::string> cells_of(const Row& row, const std::vector<Column>& columns) {
  std::vector<std::string> cells{row.rival};
  for (const auto& [name, text] : columns) cells.push_back(text(row));
  return cells;
}

std::string scenario_text(const ScenarioRecord& scenario) {
  const std::vector<Column> all = columns(scenario);
  TextTable table(head_of(all));
  std::string failures;
  for (const Row& row : scenario.rows) {
    if (row.failure) {
      failures += fmt::format("  FAILED {}: {}\n", row.rival, *row.failure);
      continue;
    }
    table.add(cells_of(row, all));
  }
  return fmt::format("{} ({})\n{}{}\n", scenario.title, scenario.name, table.text(), failures);
}

std::string rivals_text(const Result& result) {
  std::string text;
  for (const RivalRecord& rival : result.rivals) {
    if (rival.missing) text += fmt::format("  {}: {}\n", rival.name, *rival.missing);
  }
  return text.empty() ? text : "Missing rivals\n" + text + '\n';
}

/// More is better where the rate leads; everything else is a cost.
std::string bound(const Result& result, const GoalRecord& goal) {
  const ScenarioRecord* scenario = find_scenario(result, goal.scenario);
  return (scenario != nullptr && scenario->leading == "rate" ? ">= " : "<= ") + number(goal.goal);
}

std::string goals_text(const Result& result) {
  if (result.goals.empty()) return {};
  TextTable table({"Goals", "rival", "figure", "goal", ""});
  for (const GoalRecord& goal : result.goals) {
    table.add({goal.what, goal.rival, number(goal.figure), bound(result, goal), goal.met ? "met" : "MISSED"});
  }
  return table.text();
}

/// How long a round was; nothing where instructions alone were counted.
std::string window_text(const Result& result) {
  const bool is_timed = std::ranges::any_of(
      result.scenarios, [](const ScenarioRecord& scenario) { return scenario.leading != "instructions"; });
  return is_timed ? fmt::format(" of {} ms", result.settings.window_ms) : std::string();
}

std::string how_text(const Result& result) {
  return fmt::format(
      "{}: {} rounds{}, server on core {}, load on core {}; median (lowest-highest round).\n"
      "CPU, bytes, instructions, allocations and calls are the server's, for each unit. Percentiles are right within "
      "0.5 %, from 1 "
      "us "
      "to 10 s.\n",
      result.machine.cpu, result.settings.rounds, window_text(result), result.settings.server_core,
      result.settings.load_core);
}

}  // namespace

std::string number(double value) {
  const double size = std::abs(value);
  if (size >= 100 || value == 0) return fmt::format("{:.0f}", value);
  if (size >= 10) return fmt::format("{:.1f}", value);
  return size >= 0.001 ? fmt::format("{:.3f}", value) : fmt::format("{:.1e}", value);
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    text += fmt::format("  {:<{}}", row[0], widths[0]);
    for (std::size_t i = 1; i < row.size(); ++i) text += fmt::format("  {:>{}}", row[i], widths[i]);
    text += '\n';
  }
  return text;
}

std::string report(const Result& result) {
  std::string text;
  for (const ScenarioRecord& scenario : result.scenarios) text += scenario_text(scenario);
  text += rivals_text(result) + how_text(result);
  for (const std::string& note : result.notes) text += "Note: " + note + '\n';
  return text + '\n' + goals_text(result);
}

}  // namespace bench
