#include "result.hpp"

#include <algorithm>

namespace bench {

const std::optional<Figure>& leading_figure(const ScenarioRecord& scenario, const Row& row) {
  if (scenario.leading == "rate") return row.rate;
  if (scenario.leading == "instructions") return row.instructions;
  return scenario.leading == "bytes" ? row.bytes : row.cpu_ns;
}

const ScenarioRecord* find_scenario(const Result& result, const std::string& name) {
  const auto found = std::ranges::find(result.scenarios, name, &ScenarioRecord::name);
  return found == result.scenarios.end() ? nullptr : &*found;
}

const Row* find_row(const Result& result, const std::string& scenario, const std::string& rival) {
  const ScenarioRecord* record = find_scenario(result, scenario);
  if (record == nullptr) return nullptr;
  const auto found = std::ranges::find(record->rows, rival, &Row::rival);
  return found == record->rows.end() || found->failure ? nullptr : &*found;
}

}  // namespace bench
