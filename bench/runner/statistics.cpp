#include "statistics.hpp"

#include <algorithm>
#include <functional>

namespace bench {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Spread spread(const std::vector<double>& values) {
  const auto [low, high] = std::ranges::minmax(values);
  return {.median = median(values), .low = low, .high = high};
}

std::optional<Figure> figure(const std::vector<double>& rounds) {
  if (rounds.empty()) return std::nullopt;
  const auto [median, low, high] = spread(rounds);
  return Figure{median, low, high, rounds};
}

std::optional<Spread> ratios(const std::vector<double>& rounds, const std::vector<double>& baseline) {
  if (rounds.empty() || rounds.size() != baseline.size() || std::ranges::count(baseline, 0.0) != 0) return std::nullopt;
  std::vector<double> all(rounds.size());
  std::ranges::transform(rounds, baseline, all.begin(), std::divides<>());
  return spread(all);
}

std::optional<LatencyRecord> percentiles(const Latency& latency) {
  if (latency.is_empty()) return std::nullopt;
  LatencyRecord record{latency.percentile(0.5), latency.percentile(0.99), latency.percentile(0.999), {}};
  for (const double share : {0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999}) {
    record.curve.emplace_back(share, latency.percentile(share));
  }
  return record;
}

}  // namespace bench
