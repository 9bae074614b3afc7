#pragma once

#ifdef __linux__

#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>

#include "reactor/loop.hpp"

namespace libnet::reactor {

/// An edge-triggered epoll set of our own, in which a descriptor is registered once, and which Asio watches as one
/// descriptor. For contexts that one thread runs.
class EpollReactor final : public Reactor {
 public:
  explicit EpollReactor(Loop& loop);
  ~EpollReactor() override;

  error_code attach(Watch& watch, int descriptor) override;
  void detach(Watch& watch) noexcept override;
  void await_readable(Watch& watch) override;
  void await_writable(Watch& watch) override;
  void wake_at(TimePoint when) override;
  void end_turn() override;
  void shutdown() noexcept override;

 private:
  struct Rearm;
  struct WakeHandler;

  void open_timer();
  void on_wake();
  int collect_events();

  Loop& loop_;
  int timer_ = -1;
  std::optional<asio::posix::basic_stream_descriptor<asio::io_context::executor_type>> set_;  // the epoll set
  bool waiting_ = false;
};

}  // namespace libnet::reactor

#endif
