#pragma once

#include <chrono>
#include <cstddef>
#include <vector>

#include <boost/histogram/axis/regular.hpp>
#include <boost/histogram/histogram.hpp>

namespace bench {

/// How long messages took, from 1 us to 10 s, in bins whose width is 1 % of their place: a percentile is wrong by
/// 0.5 % at most. Recording allocates nothing.
class Latency {
 public:
  Latency();

  void record(std::chrono::nanoseconds time) { bins_(std::chrono::duration<double, std::micro>(time).count()); }
  void add(const Latency& other) { bins_ += other.bins_; }
  void clear() { bins_.reset(); }

  bool is_empty() const;
  /// The time that this share of all messages did not exceed [us].
  /// @param share  Above 0, at most 1. There is at least one message.
  double percentile(double share) const;

 private:
  using Axis = boost::histogram::axis::regular<double, boost::histogram::axis::transform::log>;

  double messages() const;

  boost::histogram::histogram<std::tuple<Axis>, boost::histogram::dense_storage<double>> bins_;
};

}  // namespace bench
