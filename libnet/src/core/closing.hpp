#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/time_limits.hpp"
#include "reactor/loop.hpp"

namespace libnet::core {

/// How a connection is brought to its end: how long it waits for its peer or its reader, and what it discards meanwhile.
///
/// A connection lingers from the moment on at which nobody holds it any more, or the program asks for its close. Then
/// input is discarded, so that the peer can read what was sent to it, within bounds: a time without progress, and a number
/// of bytes after our end was sent. A connection that failed waits the same time for somebody to read what came before.
/// Most connections never do either, so this takes room only in those that do.
class Closing {
 public:
  bool lingers() const noexcept { return state_ && state_->lingers; }

  /// Begins to linger; counts input from here on.
  void linger(TimeLimitClient& client, std::uint64_t bytes_read);
  /// Our end was sent: from now on the discarded input counts.
  void note_end_sent(std::uint64_t bytes_read) noexcept;

  /// Whether more was discarded than the bound allows.
  bool has_discarded_more_than(std::size_t bound, std::uint64_t bytes_read) const noexcept;
  /// Whether all input has been delivered: nothing was discarded.
  bool has_discarded_nothing(std::uint64_t bytes_read) const noexcept;

  /// Progress was made, or there is a new reason to wait: the time begins anew.
  void restart_time(reactor::Loop& loop, TimeLimitClient& client, std::chrono::milliseconds linger_time);
  /// The time of a connection that failed begins with the first call and is not prolonged by later ones.
  void start_time_once(reactor::Loop& loop, TimeLimitClient& client, std::chrono::milliseconds linger_time);
  void stop_time() noexcept;

  /// A new connection begins.
  void reset() noexcept { state_.reset(); }

 private:
  struct State final : reactor::Timer {
    explicit State(TimeLimitClient& told) noexcept : client(told) {}
    void on_timer() override { client.on_linger_time_up(); }

    TimeLimitClient& client;
    std::uint64_t began_at = 0;     // in bytes read
    std::uint64_t end_sent_at = 0;  // in bytes read
    bool lingers = false;
    bool counts = false;  // our end was sent
  };

  State& state(TimeLimitClient& client);

  std::unique_ptr<State> state_;
};

}  // namespace libnet::core
