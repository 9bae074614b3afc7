#pragma once

#include <chrono>
#include <utility>
#include <vector>

#include "libnet/listener_id.hpp"
#include "reactor/loop.hpp"

namespace libnet::core {

/// Is told, from inside the loop, that a time limit of a connection has passed.
class TimeLimitClient {
 public:
  virtual void on_idle() = 0;
  virtual void on_linger_time_up() = 0;

 protected:
  ~TimeLimitClient() = default;
};

/// Fires when nothing has moved for a while. Activity only notes the time: the timer is set anew when it expires too early.
class IdleTimer final : public reactor::Timer {
 public:
  IdleTimer(reactor::Loop& loop, TimeLimitClient& client) noexcept : loop_(loop), client_(client) {}

  std::chrono::milliseconds duration() const noexcept { return duration_; }
  void restart(std::chrono::milliseconds duration) {
    duration_ = duration;
    stop();
    touch();
  }

  /// Something moved just now.
  void touch() {
    last_activity_ = loop_.precise_now();
    if (!armed()) loop_.start(*this, due());
  }

  /// Something moved in this step; `end_step` asks for the time once, however often that happened.
  void touch_in_step() noexcept { moved_in_step_ = true; }
  void end_step() {
    if (std::exchange(moved_in_step_, false)) touch();
  }

  /// Nothing has moved since the client was told: what moves in the same turn takes that back.
  bool is_idle() const { return !armed() && !moved_in_step_ && loop_.precise_now() >= due(); }

  void on_timer() override { is_idle() ? client_.on_idle() : loop_.start(*this, due()); }

 private:
  reactor::TimePoint due() const noexcept { return reactor::later(last_activity_, duration_); }

  reactor::Loop& loop_;
  TimeLimitClient& client_;
  reactor::TimePoint last_activity_{};
  std::chrono::milliseconds duration_{};
  bool moved_in_step_ = false;

 public:
  std::vector<ListenerId> callbacks;  ///< The listeners that came with the duration, and go with it.
};

}  // namespace libnet::core
