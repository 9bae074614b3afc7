#pragma once

#include <string>
#include <vector>

#include "result.hpp"

namespace bench {

/// How one rival stands in one scenario now, against then.
struct Change {
  std::string scenario;
  std::string rival;
  Spread then;
  Spread now;
  bool has_spread = true;  ///< One round alone has none.

  double difference() const noexcept { return now.median - then.median; }
  /// Do the spreads of both not overlap?
  bool is_beyond_spread() const noexcept { return has_spread && (now.low > then.high || now.high < then.low); }
};

/// Of all rows that both results have: the ratio, or the figure where there is no ratio. The baseline's own is left out,
/// and so is a scenario that was of another size, which its title tells.
std::vector<Change> compare(const Result& then, const Result& now);

std::string changes_text(const std::vector<Change>& changes);

}  // namespace bench
