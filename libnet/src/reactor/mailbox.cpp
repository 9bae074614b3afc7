#include "reactor/mailbox.hpp"

#include <utility>

#include <boost/asio/post.hpp>

#include "libnet/detail/recycling.hpp"
#include "reactor/loop.hpp"
#include "reactor/waker.hpp"

namespace libnet::reactor {

void LetterQueue::push(Letter& letter) noexcept {
  letter.next_ = nullptr;
  (empty() ? first_ : last_->next_) = &letter;
  last_ = &letter;
}

void LetterQueue::append(LetterQueue& other) noexcept {
  if (other.empty()) return;
  (empty() ? first_ : last_->next_) = std::exchange(other.first_, nullptr);
  last_ = other.last_;
}

Letter& LetterQueue::pop() noexcept {
  Letter& letter = *first_;
  first_ = std::exchange(letter.next_, nullptr);
  return letter;
}

// --- in any thread -------------------------------------------------------------------------------------------------

bool Mailbox::send(Letter& letter) noexcept {
  const std::lock_guard lock(mutex_);
  if (loop_ == nullptr) return false;
  enqueue(letter);
  return true;
}

bool Mailbox::send_from_outside(Letter& letter) noexcept {
  const std::lock_guard lock(mutex_);
  if (loop_ == nullptr || loop_->owns_this_thread()) return false;
  enqueue(letter);
  return true;
}

void Mailbox::enqueue(Letter& letter) noexcept {
  sent_.push(letter);
  wake_context();
}

void Mailbox::ring() noexcept {
  const std::lock_guard lock(mutex_);
  if (loop_ != nullptr) wake_context();
}

void Mailbox::wake_context() noexcept {
  if (!std::exchange(waking_, true)) waker_.wake(shared_from_this());
}

// --- inside the context --------------------------------------------------------------------------------------------

struct Mailbox::DeliverHandler {
  using allocator_type = detail::RecyclingAllocator<void>;
  allocator_type get_allocator() const noexcept { return {}; }

  void operator()() const {
    if (!loop->alive()) return;
    const Loop::Entry entry(*loop);
    loop->announce_turn();
    loop->schedule(loop->mailbox());
    loop->run_turn();
  }

  std::shared_ptr<Loop> loop;
};

/// If the handler cannot be posted, the context is woken again, and its next run tries once more.
void Mailbox::carry_in() {
  auto loop = start_carrying();
  if (!loop) return;
  DeliverHandler deliver{std::move(loop)};
  if (deliver.loop->uses_context_executor()) return deliver();
  try {
    const asio::any_io_executor executor = deliver.loop->executor();
    asio::post(executor, std::move(deliver));
  } catch (...) {
    ring();
    throw;
  }
}

/// From here on a new letter wakes the context again. Null if the loop has ended or is being destroyed.
std::shared_ptr<Loop> Mailbox::start_carrying() noexcept {
  const std::lock_guard lock(mutex_);
  waking_ = false;
  return loop_ == nullptr ? nullptr : loop_->weak_from_this().lock();
}

// --- inside the loop -----------------------------------------------------------------------------------------------

/// Letters that come meanwhile wait for the next time. An exception that leaves a letter does not lose the others.
void Mailbox::run_task() {
  struct Rest {
    ~Rest() {
      if (!mailbox.arrived_.empty()) mailbox.loop_->schedule(mailbox);
    }
    Mailbox& mailbox;
  } const rest{*this};
  take_letters();
  while (!arrived_.empty()) arrived_.pop().deliver_letter();
}

void Mailbox::take_letters() noexcept {
  const std::lock_guard lock(mutex_);
  arrived_.append(sent_);
}

void Mailbox::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    loop_ = nullptr;
    arrived_.append(sent_);
  }
  const auto keep = shared_from_this();  // a letter may hold the last reference
  while (!arrived_.empty()) arrived_.pop().discard_letter();
}

}  // namespace libnet::reactor
