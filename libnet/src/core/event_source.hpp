#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <tuple>

#include "core/operations.hpp"
#include "detail/only_thread.hpp"
#include "libnet/detail/listener_table.hpp"
#include "reactor/loop.hpp"

namespace libnet::core {

/// What the state of a socket and of a server have in common: handles, listeners, waiting operations, and steps.
///
/// Calls only change state and note what is due; `step` delivers it, from inside the loop. The object frees itself when
/// no handle is left and nothing can happen any more.
class EventSource : public reactor::LoopObject, private reactor::Task, protected detail::OperationOwner {
 public:
  EventSource(const EventSource&) = delete;
  EventSource& operator=(const EventSource&) = delete;

  void add_handle() noexcept {
    if (detail::only_thread()) {
      handles_.store(handles_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    } else {
      handles_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  void release_handle() noexcept;

  reactor::Loop& loop() const noexcept { return *loop_; }
  const std::shared_ptr<reactor::Loop>& shared_loop() const noexcept { return loop_; }

  /// @name An operation whose start has thrown
  /// @{
  /// It completes with that error. Always false: what a failed write returns.
  bool finish_without_memory(Operation& operation) noexcept;
  /// It is freed: the call that brought it throws.
  void take_back(Operation& operation) noexcept;
  /// @}

  bool remove_listener(ListenerId id);
  void remove_listeners(std::uint8_t event);
  std::size_t count_listeners(std::uint8_t event) const noexcept { return listeners_.count(event); }
  void set_referenced(bool referenced);

 protected:
  explicit EventSource(std::shared_ptr<reactor::Loop> loop);
  virtual ~EventSource();

  /// @name What the two kinds do differently
  /// @{
  virtual void step() = 0;
  /// After each step, also one that a handler's exception has ended.
  virtual void after_step() noexcept = 0;
  /// A step has ended for want of memory, in the middle of what it was about to do. Another step follows.
  virtual void memory_ran_out() noexcept = 0;
  /// Something is due that the next step delivers.
  virtual bool anything_due() const noexcept = 0;
  /// Nothing will happen any more unless somebody calls.
  virtual bool at_rest() const noexcept = 0;
  virtual bool counts_as_work() const noexcept = 0;
  virtual void listener_threw(std::exception_ptr exception) noexcept = 0;
  /// The io_context ends: abandon operations, close what is open.
  virtual void abandon() noexcept = 0;
  /// @}

  /// Asks for a step.
  void wake() noexcept {
    if (!in_step_) loop_->schedule(*this);
  }
  /// Asks for a step behind everything that is due already.
  void wake_last() noexcept {
    loop_->unschedule(*this);
    loop_->schedule(*this);
  }
  bool in_step() const noexcept { return in_step_; }
  bool has_handles() const noexcept { return handles_.load(std::memory_order_acquire) != 0; }
  /// Whether the loop counts this object now.
  bool counted() const noexcept { return counted_; }

  /// Lets an operation wait for `finish_waiting`.
  /// @throws std::bad_alloc: it does not wait then.
  void wait(Operation& operation);
  /// Puts one into the list in which it waits to be finished.
  static void begin_waiting(Operation& operation, OperationList& list) noexcept {
    operation.waits = true;
    list.push_back(operation);
  }
  /// Takes one out of the list in which it waits, to be finished.
  static void stop_waiting(Operation& operation) noexcept {
    OperationList::remove(operation);
    operation.waits = false;
  }
  void finish(Operation& operation, const error_code& result) noexcept;
  /// Completes waiting operations; true if there were any.
  template <class Predicate>
  bool finish_waiting(const error_code& result, Predicate chosen) {
    const std::size_t finished = finish_operations(waiting_, completed_, result, chosen);
    if (finished == 0) return false;
    loop_->note_results(finished);
    wake();
    return true;
  }
  bool finish_waiting(Operation::Kind kind, const error_code& result) {
    return finish_waiting(result, [kind](const Operation& operation) { return operation.kind == kind; });
  }
  /// Who cancels a wait whose result is there, and was not told yet, does not want it. What other operations say of bytes
  /// or of a connection remains true, and is told. False if the operation has no result yet.
  bool stop_telling(Operation& operation, const error_code& reason);
  /// Calls the handler of the first completed operation.
  void complete_next();

  /// Completes those who wait for the event, then calls its listeners.
  template <class... Arguments>
  void emit(std::uint8_t event, const Arguments&... arguments) {
    const std::tuple<Arguments...> values(arguments...);
    happened_ |= 1U << event;
    if (!waiting_.empty()) finish_event_waiters(event, &values);
    try {
      listeners_.emit(event, &values);
    } catch (...) {
      listener_threw(std::current_exception());
    }
  }
  bool happened(std::uint8_t event) const noexcept { return (happened_ & 1U << event) != 0; }
  bool somebody_waits_for(std::uint8_t event);
  bool listens(std::uint8_t event) const noexcept { return listeners_.any(event); }

  const std::shared_ptr<reactor::Loop> loop_;
  OperationList waiting_;    // all but reads and writes
  OperationList completed_;  // handlers that the next step calls
  detail::ListenerTable listeners_;
  std::uint32_t happened_ = 0;  // a bit per event that was emitted

 private:
  class Step;

  void run_task() final;
  void on_context_shutdown() noexcept final;
  void complete_callback(Operation& operation);
  void finish_event_waiters(std::uint8_t event, const void* arguments);
  void last_handle_gone() noexcept;
  void deliver_letter() final;
  void discard_letter() noexcept final;
  bool freeable() const noexcept;
  void update_work() noexcept;

  std::atomic<std::uint32_t> handles_{0};
  bool in_step_ = false;
  bool referenced_ = true;
  bool counted_ = false;
};

}  // namespace libnet::core
