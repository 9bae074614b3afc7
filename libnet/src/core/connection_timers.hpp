#pragma once

#include <chrono>
#include <vector>

#include "core/connection.hpp"

namespace libnet::core {

/// Fires when nothing has moved for a while. Activity only notes the time: the timer is set anew when it rings too early.
class Connection::IdleTimer final : public reactor::Timer {
 public:
  explicit IdleTimer(Connection& connection) : connection_(connection) {}

  std::chrono::milliseconds duration() const noexcept { return duration_; }
  void restart(std::chrono::milliseconds duration) {
    duration_ = duration;
    stop();
    touch();
  }

  void touch() {
    last_activity_ = connection_.loop_->precise_now();
    if (!armed()) connection_.loop_->start(*this, last_activity_ + duration_);
  }

  void on_timer() override {
    const auto due = last_activity_ + duration_;
    if (connection_.loop_->precise_now() < due) {
      connection_.loop_->start(*this, due);
    } else {
      connection_.mark(due_timeout);
    }
  }

 private:
  Connection& connection_;
  reactor::TimePoint last_activity_{};
  std::chrono::milliseconds duration_{};

 public:
  std::vector<ListenerId> callbacks;  // the listeners that set_timeout brought
};

/// Bounds how long a socket that nobody holds any more, or that failed, waits for its peer or its reader.
class Connection::LingerTimer final : public reactor::Timer {
 public:
  explicit LingerTimer(Connection& connection) : connection_(connection) {}

  void on_timer() override { connection_.linger_time_is_up(); }

 private:
  Connection& connection_;
};

}  // namespace libnet::core
