#include "reactor/timer_queue.hpp"

#include <utility>

namespace libnet::reactor {

void TimerQueue::add(Timer& timer, TimePoint deadline) noexcept {
  timer.deadline_ = deadline;
  root_ = merge(root_, &timer);
}

void TimerQueue::remove(Timer& timer) noexcept {
  Timer* const below = merge_siblings(std::exchange(timer.child_, nullptr));
  if (&timer == root_) {
    root_ = below;
  } else {
    cut(timer);
    root_ = merge(root_, below);
  }
}

/// The earlier of two roots, the other one below it. Either may be null.
Timer* TimerQueue::merge(Timer* left, Timer* right) noexcept {
  if (left == nullptr || right == nullptr) return left != nullptr ? left : right;
  if (right->deadline_ < left->deadline_) std::swap(left, right);
  right->next_ = left->child_;
  if (right->next_ != nullptr) right->next_->previous_ = right;
  right->previous_ = left;
  left->child_ = right;
  return left;
}

/// Makes one heap of several: in pairs from the left, then from the right into one. That order keeps the heap flat.
Timer* TimerQueue::merge_siblings(Timer* first) noexcept {
  Timer* pairs = nullptr;  // the last one first
  while (first != nullptr) {
    Timer* const second = std::exchange(first->next_, nullptr);
    Timer* const rest = second != nullptr ? std::exchange(second->next_, nullptr) : nullptr;
    Timer* const pair = merge(first, second);
    pair->previous_ = nullptr;
    pair->next_ = pairs;
    pairs = pair;
    first = rest;
  }
  Timer* root = nullptr;
  while (pairs != nullptr) {
    Timer* const pair = pairs;
    pairs = std::exchange(pair->next_, nullptr);
    root = merge(root, pair);
  }
  return root;
}

/// Takes a timer that is not the root out of its place.
void TimerQueue::cut(Timer& timer) noexcept {
  Timer* const previous = std::exchange(timer.previous_, nullptr);
  Timer* const next = std::exchange(timer.next_, nullptr);
  (previous->child_ == &timer ? previous->child_ : previous->next_) = next;
  if (next != nullptr) next->previous_ = previous;
}

}  // namespace libnet::reactor
