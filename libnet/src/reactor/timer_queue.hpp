#pragma once

#include <chrono>

#include "libnet/milliseconds.hpp"

namespace libnet::reactor {

class Loop;

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

/// `delay` later; TimePoint::max(), which never comes, if that is further than time can tell.
template <class Rep, class Period>
constexpr TimePoint later(TimePoint time, const std::chrono::duration<Rep, Period>& delay) noexcept {
  const auto wanted = detail::clamped<Duration>(delay);
  return wanted < TimePoint::max() - time ? time + wanted : TimePoint::max();
}

/// A deadline. Timers never keep the loop running. Stopped by its destructor.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  /// Runs inside a turn, after the timer was taken out of the queue; may start it again or destroy it.
  virtual void on_timer() = 0;

  bool armed() const noexcept { return loop_ != nullptr; }
  void stop() noexcept;

 protected:
  virtual ~Timer() { stop(); }

 private:
  friend class Loop;
  friend class TimerQueue;

  Loop* loop_ = nullptr;
  TimePoint deadline_{};
  Timer* child_ = nullptr;     // the first of those below
  Timer* next_ = nullptr;      // beside this one
  Timer* previous_ = nullptr;  // beside this one; of a first child: above it
};

/// Timers by their deadlines: a pairing heap whose links live in the timers. Nothing is allocated, so a timer can always be
/// started. Adding takes constant time, taking out O(log n) amortised.
class TimerQueue {
 public:
  bool empty() const noexcept { return root_ == nullptr; }
  /// The one with the first deadline.
  Timer& first() const noexcept { return *root_; }
  TimePoint first_deadline() const noexcept { return root_->deadline_; }
  void add(Timer& timer, TimePoint deadline) noexcept;
  void remove(Timer& timer) noexcept;

 private:
  static Timer* merge(Timer* left, Timer* right) noexcept;
  static Timer* merge_siblings(Timer* first) noexcept;
  static void cut(Timer& timer) noexcept;

  Timer* root_ = nullptr;
};

}  // namespace libnet::reactor
