#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "libnet/detail/asio/watched_descriptor.hpp"
#include "reactor/loop.hpp"

namespace libnet::reactor {

/// Watches a descriptor that other loops watch as well: when it becomes readable, the kernel wakes one of those that wait.
///
/// The kernel knows who waits only if that is asked of the set on which the threads themselves wait, which is Asio's; through
/// a set that is inside another one it would wake all. A loop that is busy is told as well, when it looks; so who is told
/// may find nothing.
class ExclusiveWatch final : public std::enable_shared_from_this<ExclusiveWatch> {
 public:
  /// @param watch  Told as a reactor would, until `stop()`.
  ExclusiveWatch(std::shared_ptr<Loop> loop, Watch& watch) noexcept;
  ~ExclusiveWatch() { stop(); }
  ExclusiveWatch(const ExclusiveWatch&) = delete;
  ExclusiveWatch& operator=(const ExclusiveWatch&) = delete;

  /// @return  0, or the error of the system; ENOSYS where there is no such thing.
  int start(int descriptor);
  void stop() noexcept;

  /// What was told is used up. The kernel asks those who wait in the order of their coming, so that the first would get
  /// nearly everything: from time to time it goes behind the others.
  /// @return  0, or the error of the system; then nothing is watched any more.
  int done() noexcept;

  /// Asio holds a lock during this call, so the watch is told later, in a handler.
  void on_descriptor_ready();

 private:
  struct TellHandler;

  void carry_in();
  void tell();
  int register_again() noexcept;

  const std::shared_ptr<Loop> loop_;
  Watch* watch_;                      // null: stopped
  std::atomic<bool> telling_{false};  // a handler is posted
  unsigned turns_ = 0;
#ifdef LIBNET_HAS_WATCHED_DESCRIPTORS
  std::optional<detail::WatchedDescriptor<ExclusiveWatch>> watched_;
#endif
};

}  // namespace libnet::reactor
