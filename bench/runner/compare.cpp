#include "compare.hpp"

#include <optional>

#include <fmt/core.h>

#include "table.hpp"

namespace bench {

namespace {

std::optional<Spread> standing(const ScenarioRecord& scenario, const Row& row) {
  if (scenario.leading != "bytes" || !row.bytes) return row.ratio;
  return Spread{row.bytes->median, row.bytes->low, row.bytes->high};
}

}  // namespace

std::vector<Change> compare(const Result& then, const Result& now) {
  std::vector<Change> changes;
  const bool has_spread = then.settings.rounds > 1 && now.settings.rounds > 1;
  for (const ScenarioRecord& scenario : now.scenarios) {
    const ScenarioRecord* same = find_scenario(then, scenario.name);
    if (same == nullptr || same->title != scenario.title) continue;
    for (const Row& row : scenario.rows) {
      const Row* old = find_row(then, scenario.name, row.rival);
      if (old == nullptr || row.failure || row.rival == scenario.baseline) continue;
      const auto before = standing(scenario, *old);
      const auto after = standing(scenario, row);
      if (before && after) changes.push_back({scenario.name, row.rival, *before, *after, has_spread});
    }
  }
  return changes;
}

std::string changes_text(const std::vector<Change>& changes) {
  TextTable table({"What changed", "rival", "then", "now", "difference", ""});
  for (const Change& change : changes) {
    table.add({change.scenario, change.rival, number(change.then.median), number(change.now.median),
               fmt::format("{:+.3f}", change.difference()), change.is_beyond_spread() ? "*" : ""});
  }
  return table.text() + "  *: beyond the spread of both; one round alone has no spread\n";
}

}  // namespace bench
