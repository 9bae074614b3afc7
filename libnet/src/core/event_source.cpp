#include "core/event_source.hpp"

#include <new>
#include <utility>

namespace libnet::core {

EventSource::EventSource(std::shared_ptr<reactor::Loop> loop) : loop_(std::move(loop)) { loop_->add(*this); }

EventSource::~EventSource() {
  loop_->unschedule(*this);
  if (counted_) loop_->count_work(-1);
  loop_->remove(*this);
}

// --- handles -------------------------------------------------------------------------------------------------------

/// The last handle may go in any thread, but what follows must happen inside the loop. The handle is then on its way there
/// as a letter, and counts until it has arrived: so there is never a second letter of the same object.
void EventSource::release_handle() noexcept {
  std::uint32_t count = handles_.load(std::memory_order_acquire);
  if (count > 1 && detail::only_thread()) return handles_.store(count - 1, std::memory_order_relaxed);
  while (count > 1) {
    if (handles_.compare_exchange_weak(count, count - 1, std::memory_order_acq_rel)) return;
  }
  if (!loop_->mailbox().send_from_outside(*this)) last_handle_gone();
}

void EventSource::deliver_letter() { release_handle(); }

/// The loop has ended, and nobody else is inside it any more.
void EventSource::discard_letter() noexcept {
  if (handles_.fetch_sub(1, std::memory_order_acq_rel) == 1) last_handle_gone();
}

void EventSource::last_handle_gone() noexcept {
  handles_.store(0, std::memory_order_release);
  if (in_step_) return;                                                 // the end of the step looks
  const bool abandoned_soon = !loop_->alive() && LoopObject::linked();  // its operations and listeners first
  if (abandoned_soon) return;
  if (!loop_->alive() || freeable()) {
    delete this;
  } else {
    wake();
  }
}

bool EventSource::freeable() const noexcept {
  return !has_handles() && at_rest() && !anything_due() && completed_.empty() && waiting_.empty() && !Task::queued();
}

void EventSource::on_context_shutdown() noexcept {
  in_step_ = true;  // a handle that goes with a listener or a handler must not free this object under our feet
  counted_ = false;
  abandon();
  listeners_.clear();
  abandon_all(waiting_);
  abandon_all(completed_);
  in_step_ = false;
  if (!has_handles()) delete this;
}

// --- steps ---------------------------------------------------------------------------------------------------------

/// One step. Its end comes also when a completion handler throws; then another step does the rest.
class EventSource::Step {
 public:
  explicit Step(EventSource& source) noexcept : source_(source), nested_(std::exchange(source.in_step_, true)) {}
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  void done() noexcept { whole_ = true; }
  ~Step() {
    if (nested_) return;
    if (source_.loop_->alive()) source_.after_step();
    source_.in_step_ = false;
    if (!source_.loop_->alive()) {
      if (!source_.has_handles()) delete &source_;
      return;
    }
    if (!whole_ || source_.anything_due() || !source_.completed_.empty()) source_.wake();
    source_.update_work();
    if (source_.freeable()) delete &source_;
  }

 private:
  EventSource& source_;
  bool nested_;
  bool whole_ = false;
};

/// Memory that a completion handler misses is the handler's affair, as with Asio: its exception leaves `run()`.
void EventSource::run_task() {
  Step scope(*this);
  try {
    step();
    scope.done();
  } catch (const std::bad_alloc&) {
    if (loop_->completing()) throw;
    memory_ran_out();
  }
}

void EventSource::update_work() noexcept {
  const bool counts = referenced_ && counts_as_work();
  if (counts == counted_) return;
  counted_ = counts;
  loop_->count_work(counts ? 1 : -1);
}

void EventSource::set_referenced(bool referenced) {
  referenced_ = referenced;
  wake();
}

// --- operations and events -----------------------------------------------------------------------------------------

void EventSource::wait(Operation& operation) {
  watch_operation(operation, *this, *loop_);
  begin_waiting(operation, waiting_);
}

void EventSource::finish(Operation& operation, const error_code& result) noexcept {
  operation.result = result;
  completed_.push_back(operation);
  loop_->note_result();
  wake();
}

bool EventSource::stop_telling(Operation& operation, const error_code& reason) {
  using Kind = Operation::Kind;
  if (operation.waits) return false;
  const bool only_waited =
      operation.kind == Kind::event || operation.kind == Kind::drain || operation.kind == Kind::end;
  if (only_waited && !operation.result) operation.result = reason;
  return true;
}

bool EventSource::finish_without_memory(Operation& operation) noexcept {
  if (operation.linked()) OperationList::remove(operation);
  finish(operation, detail::out_of_memory());
  return false;
}

void EventSource::take_back(Operation& operation) noexcept {
  if (operation.linked()) OperationList::remove(operation);
  operation.abandon();
}

void EventSource::complete_next() {
  Operation& operation = completed_.pop_front();
  loop_->set_completing(true);  // an exception leaves it so until the next completion or turn
  if (operation.is_callback) {
    complete_callback(operation);
  } else {
    operation.complete();
  }
  loop_->set_completing(false);
}

void EventSource::complete_callback(Operation& operation) try { operation.complete(); } catch (...) {
  loop_->set_completing(false);
  listener_threw(std::current_exception());
}

void EventSource::finish_event_waiters(std::uint8_t event, const void* arguments) {
  finish_waiting({}, [=](Operation& operation) {
    if (operation.kind != Operation::Kind::event) return false;
    auto& waiter = static_cast<detail::EventOperation&>(operation);
    if (waiter.event != event) return false;
    waiter.set_arguments(arguments);
    return true;
  });
}

bool EventSource::somebody_waits_for(std::uint8_t event) {
  bool found = false;
  waiting_.for_each([&](Operation& operation) {
    found = found || (operation.kind == Operation::Kind::event &&
                      static_cast<detail::EventOperation&>(operation).event == event);
  });
  return found;
}

bool EventSource::remove_listener(ListenerId id) {
  const bool removed = listeners_.remove(id);
  if (removed) wake();
  return removed;
}

void EventSource::remove_listeners(std::uint8_t event) {
  listeners_.remove_all(event);
  wake();
}

}  // namespace libnet::core
