#include "core/acceptor.hpp"
#include "core/connection.hpp"
#include "core/connection_timers.hpp"
#include "core/input_filter.hpp"

/// How a connection ends: by both sides, by an error, at once, or lingering.
namespace libnet::core {

/// Contract 8: the writes fail now; what can still be read is delivered first, then 'error' and 'close'.
void Connection::fail(const Error& error) {
  if (destroyed() || error_) return;
  error_.keep(error);
  handled_ = fail_writes(error.code()) || handled_;
  handled_ = finish_waiters(error.code()) || handled_;
  if (phase_ != Phase::open || read_side_ != ReadSide::open) return enter_closing();
  phase_ = Phase::failing;
  linger_timer_.reset();
  mark(due_input);
}

/// The same without waiting for input.
void Connection::fail_now(const Error& error) {
  fail(error);
  if (phase_ == Phase::failing) enter_closing();
}

void Connection::destroy(const Error& error) {
  if (destroyed()) return;
  destroyed_ = true;
  if (error && !error_) error_.keep(error);
  const error_code aborted = error_ ? error_.code() : error_code(asio::error::operation_aborted);
  const bool unconnected = phase_ == Phase::connecting && !error_;
  const bool failed_writes = fail_writes(unconnected ? error_code(Errc::closed_before_connection) : aborted);
  finish_ended_pipes(aborted);
  const bool received = finish_waiters(aborted) || failed_writes;
  handled_ = handled_ || (error_ && received);
  tell_no_more();
  enter_closing();
}

/// What was about to be told is not told any more: after `destroy()` only 'error' and 'close' come.
void Connection::tell_no_more() {
  due_ = 0;
  if (read_side_ == ReadSide::ending) read_side_ = ReadSide::ended;
  if (write_side_ == WriteSide::flushed) write_side_ = WriteSide::finished;
}

void Connection::handler_failed(const std::exception_ptr& exception) {
  handled_ = true;  // by the server's 'handler_error', or its log
  try {
    std::rethrow_exception(exception);
  } catch (const SystemError& error) {
    destroy(error.error());
  } catch (...) {
    destroy(Error(Errc::handler_threw, ErrorInfo{.operation = "serve", .exception = &exception}));
  }
}

/// Flushes, ends, discards what still comes, closes.
void Connection::linger() {
  if (destroyed() || flow_ == Flow::lingering) return;
  flow_ = Flow::lingering;
  linger_began_at_ = bytes_read_;
  if (reader_ != nullptr) complete_reader(asio::error::operation_aborted);
  end({}, nullptr);
  start_linger_timer();
  if (write_side_ >= WriteSide::flushed) sent_end_at_ = bytes_read_;
  mark(due_input);
}

void Connection::destroy_soon() {
  if (phase_ == Phase::fresh) return destroy({});
  if (phase_ == Phase::failing) return enter_closing();
  linger();
}

void Connection::start_close(detail::VoidOperation& operation) {
  if (phase_ == Phase::closed) return finish(operation, {});
  if (phase_ == Phase::fresh || phase_ == Phase::failing) enter_closing();
  wait(operation);
  linger();
}

void Connection::reset() {
  if (transport_ && connected() && !transport_->can_reset()) throw SystemError(Error(Errc::invalid_handle, "reset"));
  if (phase_ == Phase::fresh) return fail(failure(Errc::closed, "reset"));
  if (phase_ == Phase::connecting) {
    reset_on_connect_ = true;
  } else if (connected()) {
    transport_->observe(nullptr);
    transport_->reset();
    destroy({});
  }
}

/// Both sides have ended, and everybody knows.
void Connection::close_if_done() {
  if (!loop_->alive() || phase_ != Phase::open || !completed_.empty()) return;
  if (read_side_ == ReadSide::ended && write_side_ == WriteSide::finished) enter_closing();
}

/// What those get at 'close' who asked for it before its cause was certain; who asks later gets no error.
void Connection::decide_closers(const error_code& result) {
  waiting_.for_each([&](Operation& operation) {
    if (operation.kind == Operation::Kind::close) operation.result = result;
  });
}

void Connection::enter_closing() {
  const error_code code = error_ ? error_.code() : error_code(asio::error::operation_aborted);
  phase_ = Phase::closing;
  connector_.reset();
  source_.reset();
  idle_timer_.reset();
  linger_timer_.reset();
  if (transport_) {
    transport_->observe(nullptr);
    write_side_ == WriteSide::aborted ? transport_->reset() : transport_->close();
  }
  if (reader_ != nullptr) {
    handled_ = handled_ || (error_ && is_heard(*reader_));
    complete_reader(code);
  }
  fail_writes(code);
  finish_waiters(code);
  decide_closers(error_ || destroyed_ ? code : error_code());
  pushed_back_.reset();
  if (filter_) filter_->decoder.forget_held();
  if (error_) due_ = static_cast<std::uint8_t>(due_ | due_error);
  if (session_) session_->connection_gone(*this);  // its server's 'close' comes before ours
  close_round_ = loop_->round();
  mark(due_close);
  if (!in_step()) wake_last();
}

// --- time ----------------------------------------------------------------------------------------------------------

void Connection::start_linger_timer() {
  if (!linger_timer_) linger_timer_ = std::make_unique<LingerTimer>(*this);
  if (phase_ == Phase::failing && linger_timer_->armed()) return;  // counts from the failure
  loop_->start(*linger_timer_, loop_->precise_now() + options_->linger_time);
}

void Connection::linger_time_is_up() {
  if (phase_ == Phase::open && write_side_ < WriteSide::flushed && buffered() != 0) {
    write_side_ = WriteSide::aborted;  // bytes are lost: say so, and let no peer take the end for the whole
    fail_now(failure(Errc::timed_out, "write"));
  } else if (phase_ == Phase::open || phase_ == Phase::failing) {
    enter_closing();
  }
}

/// Bytes moved. A step asks for the time once, at its end, however often they do.
void Connection::note_activity() {
  if (in_step()) {
    moved_ = true;
  } else {
    idle_timer_->touch();
  }
}

void Connection::set_timeout(std::chrono::milliseconds duration) {
  if (duration.count() < 0) throw SystemError(Error(Errc::out_of_range, "set_timeout"));
  if (destroyed()) return;
  if (duration.count() != 0) {
    if (!idle_timer_) idle_timer_ = std::make_unique<IdleTimer>(*this);
    idle_timer_->restart(duration);
  } else if (idle_timer_) {
    for (const ListenerId id : idle_timer_->callbacks) listeners_.remove(id);
    idle_timer_.reset();
  }
}

void Connection::remember_timeout_listener(ListenerId id) {
  if (idle_timer_) idle_timer_->callbacks.push_back(id);
}

std::chrono::milliseconds Connection::timeout() const noexcept {
  return idle_timer_ ? idle_timer_->duration() : std::chrono::milliseconds(0);
}

void Connection::idle_time_is_up() {
  if (idle_timer_) emit(SocketEvent::timeout);
}

}  // namespace libnet::core
