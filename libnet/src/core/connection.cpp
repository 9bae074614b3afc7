#include "core/connection.hpp"

#include <algorithm>
#include <atomic>
#include <string>
#include <tuple>
#include <utility>

#include "core/acceptor.hpp"
#include "core/connection_timers.hpp"
#include "core/input_filter.hpp"
#include "core/kept_options.hpp"
#include "core/log.hpp"

namespace libnet::core {

namespace {

/// The library's own errors do not name the operation in their message.
std::string log_text(const Error& error) {
  const bool named = error.code().category() != errc_category() || error.operation().empty();
  return (named ? "" : std::string(error.operation()) + ": ") + error.message();
}

std::uint64_t next_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Connection::Connection(std::shared_ptr<reactor::Loop> loop, const SocketOptions& options)
    : Connection(std::move(loop), std::make_shared<const Kept<SocketOptions>>(options)) {}

Connection::Connection(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<const SocketOptions> options)
    : EventSource(std::move(loop)),
      options_(std::move(options)),
      id_(next_id()),
      half_open_(options_->allow_half_open.value_or(false)),
      no_delay_(options_->no_delay) {
  if (options_->timeout.count() > 0) set_timeout(options_->timeout);
}

Connection::~Connection() {
  if (transport_) transport_->observe(nullptr);
}

void Connection::abandon() noexcept {
  phase_ = Phase::closed;
  due_ = 0;
  connector_.reset();
  source_.reset();
  idle_timer_.reset();
  linger_timer_.reset();
  if (transport_) {
    transport_->observe(nullptr);
    transport_->close();
  }
  if (reader_ != nullptr) std::exchange(reader_, nullptr)->abandon();
  while (detail::WriteOperation* write = queue_.pop_any()) write->abandon();
  queue_.drop_data();
  if (session_) session_->connection_gone(*this);
}

// --- steps ---------------------------------------------------------------------------------------------------------

void Connection::step() {
  if (take(due_auto_end)) end({}, nullptr);
  deliver_all();
  if (take(due_input)) handle_input();
  deliver_all();
  flush();
  deliver_all();
  close_if_done();
}

/// A socket that nobody holds, listens to or waits for ends by itself.
void Connection::after_step() {
  if (std::exchange(moved_, false) && idle_timer_) idle_timer_->touch();
  if (has_handles() || !listeners_.empty() || !waiting_.empty() || reader_ != nullptr) return;
  if (phase_ == Phase::connecting) destroy({});
  if (phase_ == Phase::open) linger();
}

void Connection::mark(int due) {
  due_ = static_cast<std::uint8_t>(due_ | due);
  wake();
}

void Connection::deliver_due() {
  while (loop_->may_complete_more() && deliver_next() && may_deliver()) {
  }
}

bool Connection::deliver_next() {
  if (take(due_connect)) {
    deliver_connect();
  } else if (take(due_drain)) {
    deliver_drain();
  } else if (!completed_.empty()) {
    complete_next();
  } else if (connector_has_news()) {
    deliver_connector_news();
  } else if (write_side_ == WriteSide::flushed) {
    deliver_finish();
  } else if (take(due_timeout)) {
    idle_time_is_up();
  } else if (read_side_ == ReadSide::ending && end_may_be_told()) {
    deliver_end();
  } else if (take(due_error)) {
    deliver_error();
  } else if ((due_ & due_close) != 0 && phase_ == Phase::closing && close_round_ != loop_->round()) {
    take(due_close);
    deliver_close();
  } else {
    return false;
  }
  return true;
}

// --- events --------------------------------------------------------------------------------------------------------

void Connection::deliver_connect() {
  emit(SocketEvent::connect);
  if (loop_->alive() && connected()) emit(SocketEvent::ready);
}

void Connection::deliver_error() {
  const bool heard = handled_ || listens(index(SocketEvent::error)) || somebody_waits_for_error();
  const Error error = error_.get();
  if (!heard) log_error(log_name() + ": unhandled error: " + log_text(error));
  emit(SocketEvent::error, error);
}

void Connection::deliver_close() {
  phase_ = Phase::closed;
  const bool had_error = static_cast<bool>(error_);
  const error_code code = error_       ? error_.code()
                          : destroyed_ ? asio::error::operation_aborted
                                       : error_code(Errc::closed);
  move_operations(waiting_, completed_, [](Operation& operation) { return operation.kind == Operation::Kind::close; });
  finish_waiting(code, [](Operation& operation) {
    if (operation.kind == Operation::Kind::pipe) return false;  // it waits for its destination
    return operation.kind != Operation::Kind::event ||
           static_cast<detail::EventOperation&>(operation).event != index(SocketEvent::close);
  });
  emit(SocketEvent::close, had_error);
  if (!loop_->alive()) return;
  if (phase_ == Phase::closed) listeners_.clear();
}

/// Contract 10: what a listener throws costs this socket, and nothing else.
void Connection::listener_threw(std::exception_ptr exception) {
  const Error error(Errc::listener_threw, ErrorInfo{.operation = "listener", .exception = &exception});
  const bool reported = session_ && session_->report_handler_error(handle(), exception);
  if (phase_ == Phase::closing || phase_ == Phase::closed) {
    if (!reported) log_error(log_name() + ": " + error.message());
    return;
  }
  handled_ = handled_ || reported;
  destroy(error);
}

ListenerId Connection::add_listener(SocketEvent event, std::unique_ptr<detail::Callable> listener,
                                    detail::ListenerTable::Place place, bool once) {
  if (event == SocketEvent::data && (reader_ != nullptr || listens(receiving)))
    throw SystemError(Error(Errc::busy, "read"));
  const ListenerId id = listeners_.add(index(event), std::move(listener), place, once);
  if (event == SocketEvent::data && flow_ == Flow::discarding) flow_ = Flow::automatic;
  if (event == SocketEvent::data || event == SocketEvent::end) mark(due_input);
  return id;
}

void Connection::start_wait(detail::EventOperation& operation, SocketEvent event) {
  constexpr std::uint32_t once_events =
      1U << static_cast<unsigned>(SocketEvent::connect) | 1U << static_cast<unsigned>(SocketEvent::ready) |
      1U << static_cast<unsigned>(SocketEvent::end) | 1U << static_cast<unsigned>(SocketEvent::finish) |
      1U << static_cast<unsigned>(SocketEvent::close);
  operation.event = index(event);
  if (happened(index(event)) && (once_events & 1U << index(event)) != 0) {
    const std::tuple<> nothing;
    const std::tuple<bool> had_error(static_cast<bool>(error_));
    operation.set_arguments(event == SocketEvent::close ? static_cast<const void*>(&had_error) : &nothing);
    finish(operation, {});
  } else if (phase_ == Phase::closed) {
    finish(operation, error_ ? error_.code() : dead_code());
  } else {
    wait(operation);
    if (event == SocketEvent::end) mark(due_input);  // of a half-open socket nobody may have looked for it so far
  }
}

// --- operations ----------------------------------------------------------------------------------------------------

/// All that still wait get the error, at 'close' at the latest; but who waits for 'close' only learns that there was one.
bool Connection::somebody_waits_for_error() {
  bool found = false;
  waiting_.for_each([&](Operation& operation) {
    const bool only_close = operation.kind == Operation::Kind::event &&
                            static_cast<detail::EventOperation&>(operation).event == index(SocketEvent::close);
    const bool comes_late = operation.kind == Operation::Kind::close && !operation.result;
    const bool of_a_pipe = operation.kind == Operation::Kind::pipe || operation.kind == Operation::Kind::room;
    found = found || (!only_close && !comes_late && !of_a_pipe);
  });
  return found;
}

bool Connection::finish_waiters(const error_code& result) {
  const bool heard_by_pipe = break_pipes();
  const bool any = finish_waiting(result, [](Operation& operation) {
    return operation.kind == Operation::Kind::connect || operation.kind == Operation::Kind::drain ||
           operation.kind == Operation::Kind::end;
  });
  return any || heard_by_pipe;
}

/// What a slot or a time limit does to an operation whose handler was not called yet. A read that has its bytes is past
/// that: its handler is called in the step that read them.
void Connection::cancel(Operation& operation, asio::cancellation_type type, error_code reason) {
  if (&operation == reader_) return complete_reader(reason);
  if (operation.kind == Operation::Kind::write) {
    return cancel_write(static_cast<detail::WriteOperation&>(operation), type, reason);
  }
  if (!contains(waiting_, operation)) return;
  if (operation.kind == Operation::Kind::connect) return fail(failure(reason, "connect"));
  OperationList::remove(operation);
  if (operation.kind == Operation::Kind::pipe) {
    return finish_pipe(static_cast<detail::PipeOperation&>(operation), reason);
  }
  finish(operation, reason);
}

/// Contract 12.
bool Connection::counts_as_work() const noexcept {
  if (phase_ == Phase::connecting || phase_ == Phase::failing) return true;
  return connected() && (flow_ != Flow::paused || reader_ != nullptr || buffered() != 0 ||
                         (write_side_ != WriteSide::open && write_side_ != WriteSide::finished));
}

// --- state ---------------------------------------------------------------------------------------------------------

error_code Connection::dead_code() const noexcept { return destroyed_ ? Errc::destroyed : Errc::closed; }

ReadyState Connection::ready_state() const noexcept {
  if (phase_ == Phase::connecting) return ReadyState::opening;
  if (readable()) return writable() ? ReadyState::open : ReadyState::read_only;
  return writable() ? ReadyState::write_only : ReadyState::closed;
}

bool Connection::readable() const noexcept { return !destroyed() && read_side_ != ReadSide::ended; }

bool Connection::writable() const noexcept {
  return !destroyed() && phase_ != Phase::failing && write_side_ == WriteSide::open;
}

std::optional<SocketAddress> Connection::local_address() const {
  return transport_ ? transport_->local_address() : std::nullopt;
}

std::vector<std::string> Connection::attempted_addresses() const {
  return attempted_ ? *attempted_ : std::vector<std::string>();
}

std::optional<SocketAddress> Connection::remote_address() const {
  return transport_ ? transport_->remote_address() : std::nullopt;
}

Error Connection::describe(const error_code& code, Operation::Kind kind) const {
  if (error_ && error_.code() == code) return error_.get();
  constexpr const char* names[] = {"read",  "read", "pipe",   "write",  "connect", "drain", "end",
                                   "close", "wait", "accept", "listen", "",        "pipe"};
  return failure(code, names[static_cast<std::size_t>(kind)]);
}

/// The message of a failed connect names a local address that was bound by request; nothing else is known before.
Error Connection::failure(const error_code& code, const char* operation, std::string_view text) const {
  const auto local = connected() ? local_address() : std::nullopt;
  const auto remote = remote_address();
  return Error(code, ErrorInfo{.operation = operation,
                               .local_address = local ? &*local : nullptr,
                               .remote_address = remote ? &*remote : nullptr,
                               .text = text});
}

std::string Connection::log_name() const {
  const auto remote = remote_address();
  return "socket " + std::to_string(id_) + (remote ? " (" + remote->to_string() + ')' : "");
}

}  // namespace libnet::core
