#pragma once

#include <boost/asio/io_context.hpp>
// Asio's inner headers want that one first.
#include <boost/asio/detail/reactor.hpp>

// Asio may have been told to do without epoll; what it uses then cannot watch a set of ours.
#if defined(BOOST_ASIO_HAS_EPOLL) && !defined(BOOST_ASIO_HAS_IO_URING_AS_DEFAULT)
#define LIBNET_HAS_EPOLL 1
#endif

#ifdef LIBNET_HAS_EPOLL

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
  void end_turn() override {}  // the set is always watched
  void shutdown() noexcept override;

 private:
  class Bell;
  struct WakeHandler;

  int open_set();
  int open_timer();
  int watch_set();
  void ring();
  void on_wake();
  int collect_events();

  Loop& loop_;
  asio::detail::reactor& asio_;                                // of the context, as all that is Asio's here
  asio::detail::reactor::per_descriptor_data registration_{};  // of the set, there
  int set_ = -1;
  int timer_ = -1;
  bool rung_ = false;
};

}  // namespace libnet::reactor

#endif
