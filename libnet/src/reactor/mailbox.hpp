#pragma once

#include <memory>
#include <mutex>

#include "libnet/detail/intrusive_list.hpp"
#include "reactor/task.hpp"

namespace libnet::reactor {

class Loop;
class Waker;

class Letter;

/// The place of a letter in a queue.
class LetterLink {
 private:
  friend class LetterQueue;
  Letter* next_ = nullptr;
};

/// What another thread wants done inside a loop. It is part of the object that it concerns, so that sending it allocates
/// nothing and cannot fail. It is in at most one mailbox at a time, and must live until it was delivered or discarded.
class Letter : public LetterLink {
 public:
  Letter(const Letter&) = delete;
  Letter& operator=(const Letter&) = delete;

  /// Called inside the loop, in a turn. The letter may be destroyed or sent again.
  virtual void deliver_letter() = 0;

  /// Called in place of `deliver_letter`, by the thread that ends the loop: nothing runs there any more.
  virtual void discard_letter() noexcept = 0;

 protected:
  Letter() = default;
  ~Letter() = default;
};

/// Letters in the order in which they came.
class LetterQueue {
 public:
  bool empty() const noexcept { return first_ == nullptr; }
  void push(Letter& letter) noexcept;
  Letter& pop() noexcept;
  /// Moves all letters of `other` behind those of this queue.
  void append(LetterQueue& other) noexcept;

 private:
  Letter* first_ = nullptr;
  Letter* last_ = nullptr;
};

/// The way into a loop from other threads: the only one, since the io_context may have no lock (it was made with
/// BOOST_ASIO_CONCURRENCY_HINT_UNSAFE) and cannot be posted to then.
///
/// Letters are delivered once each, in the order in which they were sent, as a task of the loop. While letters are under
/// way they count as work, like a posted handler. A mailbox may outlive its loop.
class Mailbox final : public Task, public std::enable_shared_from_this<Mailbox> {
 public:
  Mailbox(Loop& loop, Waker& waker) noexcept : loop_(&loop), waker_(waker) {}

  /// Sends a letter, from any thread, also from inside the loop.
  /// @return  False if the loop has ended; then the letter was not taken.
  bool send(Letter& letter) noexcept;

  /// Sends a letter unless the calling thread is inside the loop already.
  /// @return  False if it is, or if the loop has ended: in both cases the caller may act at once.
  bool send_from_outside(Letter& letter) noexcept;

  /// Has a turn run in the loop, as for a letter. From any thread; cannot fail.
  void ring() noexcept;

  /// Carries what has come on to the loop's executor. Called inside the io_context.
  void carry_in();

  /// The loop ends. Letters that were not delivered are discarded.
  void close() noexcept;

 private:
  friend class Waker;
  struct DeliverHandler;

  void run_task() override;
  void enqueue(Letter& letter) noexcept;
  void wake_context() noexcept;
  void take_letters() noexcept;
  std::shared_ptr<Loop> start_carrying() noexcept;

  std::mutex mutex_;
  Loop* loop_;           // null: ended
  LetterQueue sent_;     // guarded by the mutex
  bool waking_ = false;  // the waker knows of the letters; guarded by the mutex
  LetterQueue arrived_;  // used inside the loop only
  Waker& waker_;
  std::shared_ptr<Mailbox> next_;  // in the waker's list, guarded by its mutex
};

}  // namespace libnet::reactor
