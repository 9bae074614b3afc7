#include <array>
#include <cerrno>

#include "core/connection.hpp"
#include "core/connection_timers.hpp"
#include "core/log.hpp"

/// Writing: the queue, its marks, and the one gathered write at the end of a step.
namespace libnet::core {

namespace {

// From this size on a view is offered to the kernel before it is copied: what the kernel takes need not be copied.
constexpr std::size_t large_write = 16 * 1024;

// A gather list longer than this gains nothing; the kernel's limit (IOV_MAX) is 1024.
constexpr std::size_t gather_limit = 256;

// A peer that takes as fast as we send must not keep the other sockets waiting.
constexpr int flushes_per_step = 16;

error_code broken_pipe() { return {EPIPE, boost::system::system_category()}; }

}  // namespace

error_code Connection::refusal() const noexcept {
  if (accepts_writes()) return {};
  if (destroyed()) return dead_code();
  if (phase_ == Phase::failing) return error_.code();
  if (write_side_ == WriteSide::open) return Errc::closed;
  return read_side_ == ReadSide::ended ? broken_pipe() : error_code(Errc::write_after_end);
}

void Connection::refused(detail::WriteOperation* operation) {
  const error_code code = refusal();
  const bool ends_connection = (phase_ == Phase::open || phase_ == Phase::connecting) &&
                               write_side_ != WriteSide::open && flow_ != Flow::lingering;
  if (operation != nullptr) finish(*operation, code);
  if (!ends_connection) return;
  handled_ = handled_ || operation != nullptr;
  const bool both_ended = code == broken_pipe();
  fail(failure(code, "write", both_ended ? "this socket has been ended by the other party" : ""));
}

/// The queue is full: the write fails, and may be tried again after 'drain'; or the connection does.
void Connection::overflow(Operation* operation) {
  if (options_->on_overflow == OverflowPolicy::destroy) {
    handled_ = handled_ || operation != nullptr;
    fail_now(failure(Errc::overflow, "write"));
  } else {
    need_drain_ = true;
    if (operation == nullptr) {
      log_warning(log_name() + ": a write was dropped, max_buffered bytes are queued");
    }
  }
  if (operation != nullptr) finish(*operation, Errc::overflow);
}

/// Text that is not hex or base64: a `verb()` throws, its twin completes with the error. Nothing else happens.
void Connection::refuse_invalid(Operation* operation, const char* verb) {
  const bool throws = operation == nullptr || operation->is_callback;
  if (!throws) return finish(*operation, Errc::invalid_argument);
  if (operation != nullptr) operation->abandon();
  throw SystemError(Error(Errc::invalid_argument, verb));
}

bool Connection::write(Payload&& data, detail::WriteOperation* operation, Views views) {
  if (!data.valid() || !accepts_writes() || full()) return refuse_write(data, operation);
  if (data.size() >= large_write && data.is_view() && views == Views::copied && may_write_through()) {
    write_through(data.view(), operation);
    return queued();
  }
  const std::uint64_t begin = queue_.appended();
  append(std::move(data), views);
  if (operation != nullptr) wait_for_bytes(*operation, begin);
  return queued();
}

/// Always false: what `write` then returns.
bool Connection::refuse_write(const Payload& data, detail::WriteOperation* operation) {
  if (!data.valid()) {
    refuse_invalid(operation, "write");
  } else if (!accepts_writes()) {
    refused(operation);
  } else {
    overflow(operation);
  }
  return false;
}

void Connection::start_write_some(detail::WriteOperation& operation, const detail::WriteBuffers& buffers) {
  if (!accepts_writes()) return refused(&operation);
  if (full()) return overflow(&operation);
  const std::uint64_t begin = queue_.appended();
  for (std::size_t i = 0; i < buffers.count; ++i) {
    const auto& piece = buffers.pieces[i];
    queue_.append_borrowed({static_cast<const std::byte*>(piece.data), piece.size});
  }
  wait_for_bytes(operation, begin);
  queued();
}

inline void Connection::append(Payload&& data, Views views) {
  if (!data.is_view()) {
    queue_.append_shared(data.take_bytes());
  } else if (views == Views::copied) {
    queue_.append_copy(data.view());
  } else {
    queue_.append_borrowed(data.view());
  }
}

bool Connection::may_write_through() const {
  return first_of_step() && can_send() && buffered() == 0 && transport_->ready_to_write();
}

/// Offers a large first write to the transport at once: what the transport takes need not be copied.
void Connection::write_through(std::span<const std::byte> bytes, detail::WriteOperation* operation) {
  const std::uint64_t begin = queue_.appended();
  const iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
  const transport::Result result = transport_->try_write({&piece, 1});
  queue_.note_written(result.bytes);
  queue_.append_copy(bytes.subspan(result.bytes));
  if (operation != nullptr) wait_for_bytes(*operation, begin);
  took(result);
}

void Connection::wait_for_bytes(detail::WriteOperation& operation, std::uint64_t begin) {
  queue_.push(operation, begin);
  watch_operation(operation, *this, *loop_);
}

/// Sees to it that what was queued leaves; tells whether there is room for more.
bool Connection::queued() {
  send_soon();
  const std::size_t waiting = buffered();
  if (waiting == 0 || waiting < options_->high_water_mark) return true;
  if (buffered_in_user_space() < options_->high_water_mark) return true;
  need_drain_ = true;
  return false;
}

/// With the end of the step; at once what is large.
void Connection::send_soon() {
  touch();
  if (!first_of_step()) return;
  if (queue_.size() >= large_write) flush_some();
  mark(due_flush);
}

/// What a pipe passes on is no write of the user's: it asks for no 'drain'.
void Connection::take_over(std::span<const std::byte> bytes) {
  if (bytes.size() >= large_write && may_write_through()) {
    write_through(bytes, nullptr);
  } else {
    queue_.append_copy(bytes);
  }
  send_soon();
}

void Connection::take_over(std::shared_ptr<transport::KernelPipe> pipe) {
  queue_.append_piped(std::move(pipe));
  send_soon();
}

bool Connection::can_send() const noexcept {
  return phase_ == Phase::open && (corks_ == 0 || write_side_ != WriteSide::open);
}

void Connection::flush() {
  take(due_flush);
  if (!can_send()) return finish_unconnected_end();
  for (int flushes = 0; buffered() != 0; ++flushes) {
    if (flushes < flushes_per_step && flush_some()) continue;
    if (!can_send()) return;
    if (transport_->ready_to_write()) mark(due_flush);  // else the transport tells when it is
    break;
  }
  complete_writes();
  note_room();
  send_end();
  tell_room();
}

/// One gathered write of what is buffered. True if another one may move bytes at once.
bool Connection::flush_some() {
  if (!can_send() || !transport_->ready_to_write()) return false;
  if (queue_.empty()) return took(transport_->flush());
  const transport::Result result = write_front();
  queue_.consume(result.bytes);
  return took(result);
}

transport::Result Connection::write_front() {
  if (transport::KernelPipe* const pipe = queue_.front_pipe()) return transport_->splice_out(*pipe);
  std::array<iovec, gather_limit> pieces;
  return transport_->try_write({pieces.data(), queue_.gather(pieces)});
}

bool Connection::took(const transport::Result& result) {
  if (result.bytes != 0) moved_output();
  if (result.status == transport::Status::error) output_failed(result.error);
  return result.status == transport::Status::more;
}

void Connection::moved_output() {
  touch();
  if (linger_timer_ && flow_ == Flow::lingering) start_linger_timer();
}

void Connection::output_failed(const error_code& code) { fail(describe(code, Operation::Kind::write)); }

bool Connection::sent(const detail::WriteOperation& operation) const noexcept {
  return operation.end <= queue_.consumed() && unsent() == 0;
}

void Connection::complete_writes() {
  if (!queue_.has_operations() || unsent() != 0) return;
  while (detail::WriteOperation* operation = queue_.pop_completed()) finish(*operation, {});
}

/// Contract 5: 'drain' once, for a queue that was too full and has emptied. After `end()` only an empty one will do.
void Connection::note_room() {
  if (!need_drain_ || buffered() > (write_side_ == WriteSide::open ? options_->low_water_mark : 0)) return;
  need_drain_ = false;
  if (write_side_ == WriteSide::open) mark(due_drain);
  finish_waiting(Operation::Kind::drain, {});
}

void Connection::deliver_drain() {
  if (phase_ == Phase::open && write_side_ == WriteSide::open) emit(SocketEvent::drain);
}

void Connection::start_drain(detail::VoidOperation& operation) {
  if (destroyed()) return finish(operation, dead_code());
  if (phase_ == Phase::failing) return finish(operation, error_.code());
  const bool flushing = write_side_ == WriteSide::ending && buffered() != 0;
  if (!need_drain_ && !flushing) return finish(operation, {});
  need_drain_ = true;
  wait(operation);
}

void Connection::uncork() {
  if (corks_ == 0) return;
  if (--corks_ == 0) mark(due_flush);
}

// --- the end of our side -------------------------------------------------------------------------------------------

void Connection::end(Payload&& data, detail::VoidOperation* operation) {
  if (!data.valid()) return refuse_invalid(operation, "end");
  const bool last_write = data.size() != 0;
  if (last_write && accepts_writes() && full()) return overflow(operation);  // an end without its data would be a lie
  if (last_write) write(std::move(data), nullptr, Views::copied);
  if (write_side_ == WriteSide::open && !destroyed() && phase_ != Phase::failing) {
    write_side_ = WriteSide::ending;
    corks_ = 0;
  }
  mark(due_flush);
  if (operation == nullptr) return;
  if (destroyed()) return finish(*operation, destroyed_ ? error_code(Errc::destroyed) : error_.code());
  if (phase_ == Phase::failing) return finish(*operation, error_.code());
  if (write_side_ >= WriteSide::flushed) return finish(*operation, {});
  wait(*operation);
}

void Connection::send_end() {
  if (write_side_ == WriteSide::ending && buffered() == 0) {
    write_side_ = WriteSide::shut;
    if (const error_code code = transport_->shutdown_write()) return end_failed(code);
  }
  if (write_side_ == WriteSide::shut && unsent() == 0) end_sent();
}

/// After a reset the system knows no connection to shut down; the reset itself is the better story.
void Connection::end_failed(const error_code& code) {
  const transport::Peek peek = transport_->peek_end();
  output_failed(peek.waiting == transport::Waiting::error ? peek.error : code);
}

void Connection::end_sent() {
  write_side_ = WriteSide::flushed;
  finish_waiting(Operation::Kind::end, {});
  if (flow_ == Flow::lingering) {
    sent_end_at_ = bytes_read_;
    start_linger_timer();
    mark(due_input);
  }
}

/// A socket that never connected has nothing to flush.
void Connection::finish_unconnected_end() {
  if (phase_ != Phase::fresh || write_side_ != WriteSide::ending) return;
  write_side_ = WriteSide::flushed;
  finish_waiting(Operation::Kind::end, {});
}

void Connection::deliver_finish() {
  write_side_ = WriteSide::finished;
  emit(SocketEvent::finish);
}

// --- failure -------------------------------------------------------------------------------------------------------

/// True if there were any. What has been sent as a whole did not fail.
bool Connection::fail_writes(const error_code& code) {
  if (connected()) complete_writes();
  bool any = false;
  while (detail::WriteOperation* operation = queue_.pop_any()) {
    finish(*operation, code);
    any = true;
  }
  queue_.drop_data();
  return any;
}

/// Contract 7: what has not started is taken out; what is partly sent cannot be taken back; what is sent succeeds.
void Connection::cancel_write(detail::WriteOperation& operation, asio::cancellation_type type,
                              const error_code& reason) {
  if (!queue_.contains(operation)) return;
  if (!queue_.started(operation)) {
    queue_.remove(operation);
    finish(operation, reason);
    mark(due_flush);  // there may be room now
  } else if (!sent(operation) && (type & (asio::cancellation_type::partial | asio::cancellation_type::terminal)) !=
                                     asio::cancellation_type::none) {
    fail(failure(reason, "write"));
  }
}

}  // namespace libnet::core
