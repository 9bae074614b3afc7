#pragma once

#include <optional>
#include <vector>

#include "load/latency.hpp"
#include "result.hpp"

namespace bench {

/// Of at least one value.
double median(std::vector<double> values);

/// Median, lowest and highest of at least one value.
Spread spread(const std::vector<double>& values);

/// The same with the values; nothing if there are none.
std::optional<Figure> figure(const std::vector<double>& rounds);

/// Each round's figure by the baseline's of the same round: what disturbed both goes out of it.
/// @returns Nothing if the baseline has other rounds or a figure of 0.
std::optional<Spread> ratios(const std::vector<double>& rounds, const std::vector<double>& baseline);

/// @returns Nothing if no message was timed.
std::optional<LatencyRecord> percentiles(const Latency& latency);

}  // namespace bench
