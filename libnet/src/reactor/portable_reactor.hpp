#pragma once

#include <cstddef>
#include <memory>
#include <optional>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>

#include "reactor/loop.hpp"

namespace libnet::reactor {

/// Readiness through Asio's own waits. Serves strands and contexts that several threads run.
class PortableReactor final : public Reactor {
 public:
  explicit PortableReactor(Loop& loop);
  ~PortableReactor() override;

  error_code attach(Watch& watch, int descriptor) override;
  void detach(Watch& watch) noexcept override;
  void await_readable(Watch& watch) noexcept override;
  void await_writable(Watch& watch) noexcept override;
  void await_failure(Watch& watch) noexcept override;
  void wake_at(TimePoint when) override;
  void end_turn() override;
  // Asio's waits and timers go on in a child process.
  void after_fork() override {}
  error_code watch_again(Watch&) noexcept override { return {}; }
  void shutdown() noexcept override;

 private:
  class Registration;
  struct Wanting : ListNode<Wanting> {};  // of a registration that wants a wait
  struct WaitHandler;
  struct TimerHandler;
  using WakeTimer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, asio::io_context::executor_type>;

  static Registration& registration_of(Watch& watch) noexcept;
  void await(Watch& watch, std::size_t condition) noexcept;
  void start_timer_wait();

  Loop& loop_;
  List<Registration> registrations_;
  List<Wanting> wanting_;  // waits are started at the end of the turn
  std::optional<WakeTimer> timer_;
  TimePoint wake_time_ = TimePoint::max();  // asked for in this turn
};

}  // namespace libnet::reactor
