#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include <boost/asio/io_context.hpp>

#include "detail/reserved_memory.hpp"
#include "libnet/detail/asio/watched_descriptor.hpp"
#include "reactor/mailbox.hpp"

namespace libnet::reactor {

namespace asio = boost::asio;

/// Wakes an io_context for the mailboxes of its loops: one descriptor for all of them, which the context watches.
///
/// Any number of letters that come before the context has looked cost one wake-up. The descriptor is made with the first
/// object on the context, because the handle that another thread drops must always find it, and can report no failure.
class Waker {
 public:
  /// @throws SystemError if there is no descriptor.
  explicit Waker(asio::io_context& context);
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;
  ~Waker();

  /// Has `mailbox.carry_in()` called inside the context. From any thread. A mailbox is told at most once until then.
  void wake(std::shared_ptr<Mailbox> mailbox) noexcept;

  /// In a child process: the descriptor becomes one of its own.
  /// @throws SystemError if there is none.
  void after_fork();

  /// The context ends; all mailboxes are closed already.
  void shutdown() noexcept;

  /// Asio holds a lock during this call, so the letters are collected later, in a handler.
  void on_descriptor_ready();

 private:
  struct CollectHandler;
  class CollectScope;

  void open();
  void close() noexcept;
  void signal() noexcept;
  void collect();
  std::shared_ptr<Mailbox> next_mailbox() noexcept;

  asio::io_context& context_;
  std::mutex mutex_;
  std::shared_ptr<Mailbox> first_;  // those with letters
  Mailbox* last_ = nullptr;
  bool signalled_ = false;               // the context was woken and has not emptied the list yet; counts as work
  std::atomic<bool> collecting_{false};  // a handler is posted
  detail::ReservedMemory collect_memory_;
  int read_end_ = -1;
  int write_end_ = -1;
#ifdef LIBNET_HAS_WATCHED_DESCRIPTORS
  detail::WatchedDescriptor<Waker> watched_;
#endif
};

}  // namespace libnet::reactor
