#include "run.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include <fmt/core.h>

#include "counting.hpp"
#include "load/interruption.hpp"
#include "measure.hpp"
#include "progress.hpp"
#include "statistics.hpp"

namespace bench {

namespace {

constexpr std::chrono::milliseconds longest_counting{300};

const char* name(Leading leading) {
  switch (leading) {
    case Leading::rate: return "rate";
    case Leading::bytes: return "bytes";
    case Leading::instructions: return "instructions";
    case Leading::cpu: break;
  }
  return "cpu";
}

/// One rival in one scenario.
struct Contestant {
  const Rival* rival;
  Row row;
  std::vector<double> cpu_ns{};
  std::vector<double> rate{};
  std::vector<double> bytes{};
  std::vector<double> instructions{};
  Latency latency{};

  void add(const Sample& sample) {
    if (sample.cpu_ns) cpu_ns.push_back(*sample.cpu_ns);
    if (sample.rate) rate.push_back(*sample.rate);
    if (sample.bytes) bytes.push_back(*sample.bytes);
    if (sample.instructions) instructions.push_back(*sample.instructions);
    latency.add(sample.latency);
  }

  void take_figures() {
    if (row.failure) return;
    row.cpu_ns = figure(cpu_ns);
    row.rate = figure(rate);
    row.bytes = figure(bytes);
    row.instructions = figure(instructions);
    row.latency_us = percentiles(latency);
  }
};

class Run {
 public:
  explicit Run(const Plan& plan)
      : plan_(plan), progress_(plan.scenarios.size() * plan.rivals.size() * steps_of_one(plan)) {
    result_.settings = plan.settings;
    trial_.cores = plan.cores;
    trial_.warm_up = std::chrono::milliseconds(plan.settings.warm_up_ms);
    window_ = std::chrono::milliseconds(plan.settings.window_ms);
  }

  Result result() {
    for (const Rival& rival : plan_.rivals) find(rival);
    for (const Scenario& scenario : plan_.scenarios) result_.scenarios.push_back(compare(scenario));
    return std::move(result_);
  }

 private:
  static std::size_t steps_of_one(const Plan& plan) {
    return plan.settings.rounds + (plan.counting_library.empty() ? 0 : 1);
  }

  void find(const Rival& rival) {
    result_.rivals.push_back(inspect(rival));
    if (result_.rivals.back().missing) {
      progress_.skip(plan_.scenarios.size() * steps_of_one(plan_));
    } else {
      present_.push_back(&rival);
    }
  }

  ScenarioRecord compare(const Scenario& scenario) {
    std::vector<Contestant> all;
    all.reserve(present_.size());
    for (const Rival* rival : present_) {
      if (can_take_part(scenario, *rival)) all.push_back({.rival = rival, .row = {.rival = rival->name}});
    }
    for (unsigned round = 1; round <= plan_.settings.rounds; ++round) {
      for (Contestant& one : all)
        attempt(scenario, one, fmt::format("round {}", round), [&] { measure_one(scenario, one); });
    }
    if (!plan_.counting_library.empty()) {
      for (Contestant& one : all) attempt(scenario, one, "counting", [&] { count_one(scenario, one); });
    }
    return record(scenario, all);
  }

  /// Who cannot is skipped, and a note says why.
  bool can_take_part(const Scenario& scenario, const Rival& rival) {
    if (scenario.leading != Leading::instructions || rival.uncountable.empty()) return true;
    progress_.skip(steps_of_one(plan_));
    result_.notes.push_back(fmt::format("instructions of {} are not counted: {}", rival.name, rival.uncountable));
    return false;
  }

  /// A failure becomes the contestant's; who has failed is not asked again.
  void attempt(const Scenario& scenario, Contestant& one, const std::string& step, const std::function<void()>& what) {
    if (one.row.failure) return progress_.skip(1);
    progress_.show(fmt::format("{}, {}, {}", scenario.name, step, one.rival->name));
    try {
      what();
    } catch (const Interrupted&) {
      throw;
    } catch (const std::exception& failure) {
      one.row.failure = failure.what();
    }
  }

  void measure_one(const Scenario& scenario, Contestant& one) {
    one.add(measure(scenario, *one.rival, trial_, window_));
  }

  void count_one(const Scenario& scenario, Contestant& one) {
    const auto time = std::min(window_, longest_counting);
    if (one.rival->uses_malloc) {
      one.row.allocations = unless_impossible(
          [&] { return count_allocations(scenario, *one.rival, trial_, time, plan_.counting_library); });
    }
    one.row.calls = unless_impossible([&] { return count_calls(scenario, *one.rival, trial_, time); });
  }

  std::optional<double> unless_impossible(const std::function<double()>& count) try {
    return count();
  } catch (const CannotCount& reason) {
    if (std::ranges::count(result_.notes, reason.what()) == 0) result_.notes.emplace_back(reason.what());
    return std::nullopt;
  }

  ScenarioRecord record(const Scenario& scenario, std::vector<Contestant>& all) const {
    ScenarioRecord record{.name = scenario.name,
                          .title = scenario.title,
                          .unit = scenario.unit,
                          .leading = name(scenario.leading),
                          .baseline = baseline,
                          .rows = {}};
    for (Contestant& one : all) {
      one.take_figures();
      record.rows.push_back(std::move(one.row));
    }
    if (scenario.leading != Leading::bytes) compare_with_baseline(record);
    return record;
  }

  static void compare_with_baseline(ScenarioRecord& record) {
    const auto base = std::ranges::find(record.rows, record.baseline, &Row::rival);
    if (base == record.rows.end() || base->failure) return;
    for (Row& row : record.rows) {
      if (!row.failure) row.ratio = ratios(leading_figure(record, row)->rounds, leading_figure(record, *base)->rounds);
    }
  }

  const Plan& plan_;
  Progress progress_;
  Result result_;
  TrialSettings trial_;
  std::chrono::milliseconds window_{};
  std::vector<const Rival*> present_;
};

}  // namespace

Result run(const Plan& plan) { return Run(plan).result(); }

}  // namespace bench
