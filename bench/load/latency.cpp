#include "latency.hpp"

#include <algorithm>
#include <cmath>

#include <boost/histogram/algorithm/sum.hpp>

namespace bench {

namespace {

constexpr double shortest = 1;          // [us]
constexpr double longest = 10'000'000;  // [us]
constexpr double bin_width = 1.01;      // upper edge / lower edge

unsigned bin_count() { return static_cast<unsigned>(std::ceil(std::log(longest / shortest) / std::log(bin_width))); }

}  // namespace

Latency::Latency() : bins_(std::tuple(Axis(bin_count(), shortest, longest)), {}) {}

double Latency::messages() const { return boost::histogram::algorithm::sum(bins_, boost::histogram::coverage::all); }

bool Latency::is_empty() const { return messages() == 0; }

double Latency::percentile(double share) const {
  const double rank = std::max(1.0, std::ceil(share * messages()));
  const Axis& axis = bins_.axis();
  double counted = 0;
  for (int bin = -1; bin <= axis.size(); ++bin) {  // with what was shorter and what was longer
    counted += bins_.at(bin);
    if (counted < rank) continue;
    if (bin < 0) return shortest;
    if (bin == axis.size()) return longest;
    return std::sqrt(axis.bin(bin).lower() * axis.bin(bin).upper());
  }
  return longest;
}

}  // namespace bench
