#pragma once

#include <boost/asio/io_context.hpp>

#include "libnet/detail/asio/watched_descriptor.hpp"

// Asio may have been told to do without epoll; what it uses then cannot watch a set of ours.
#if defined(BOOST_ASIO_HAS_EPOLL) && defined(LIBNET_HAS_WATCHED_DESCRIPTORS)
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
  void await_readable(Watch& watch) noexcept override;
  void await_writable(Watch& watch) noexcept override;
  void await_failure(Watch& watch) noexcept override;
  void wake_at(TimePoint when) override;
  void end_turn() override {}  // the set is always watched
  void after_fork() override;
  error_code watch_again(Watch& watch) noexcept override;
  void shutdown() noexcept override;

 private:
  friend class detail::WatchedDescriptor<EpollReactor>;
  struct CollectHandler;

  void open();
  error_code add(Watch& watch, int descriptor) noexcept;
  int open_set();
  int open_timer();
  int watch_set();
  void on_descriptor_ready();
  void post_collection();
  void wake_up();
  int collect_events();
  void not_collected(const error_code& code);

  Loop& loop_;
  detail::WatchedDescriptor<EpollReactor> watched_set_;
  int set_ = -1;
  int timer_ = -1;
  TimePoint wake_time_ = TimePoint::max();
  bool collection_posted_ = false;
  detail::ReservedMemory collection_memory_;
};

}  // namespace libnet::reactor

#endif
