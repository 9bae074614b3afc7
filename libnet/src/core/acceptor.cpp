#include "core/acceptor.hpp"

#include <algorithm>
#include <utility>

#include "core/connection.hpp"
#include "core/log.hpp"

namespace libnet::core {

namespace {

SocketOptions socket_options(const ServerOptions& options) {
  return {.allow_half_open = options.allow_half_open,
          .high_water_mark = options.high_water_mark,
          .low_water_mark = options.low_water_mark,
          .max_buffered = options.max_buffered,
          .on_overflow = options.on_overflow,
          .linger_bytes = options.linger_bytes,
          .linger_time = options.linger_time,
          .no_delay = options.no_delay,
          .keep_alive = options.keep_alive,
          .keep_alive_initial_delay = options.keep_alive_initial_delay,
          .timeout = options.timeout};
}

}  // namespace

// --- sessions ---------------------------------------------------------------------------------------------------

void ListenSession::connection_gone(Connection& connection) {
  if (!connection.detail::ListNode<Connection>::linked()) return;
  detail::List<Connection>::remove(connection);
  --connections;
  if (acceptor() == nullptr) return;
  --acceptor()->connection_count_;
  if (finished()) acceptor()->wake();
}

bool ListenSession::report_handler_error(const Socket& socket, const std::exception_ptr& exception) {
  return acceptor() != nullptr && acceptor()->report_handler_error(socket, exception);
}

// --- the server ----------------------------------------------------------------------------------------------------

Acceptor::Acceptor(std::shared_ptr<reactor::Loop> loop, const ServerOptions& options)
    : EventSource(std::move(loop)),
      options_(options),
      socket_options_(std::make_shared<const SocketOptions>(socket_options(options))),
      self_(std::make_shared<Acceptor*>(this)) {}

Acceptor::~Acceptor() {
  *self_ = nullptr;
  while (!connections_.empty()) detail::List<Connection>::remove(connections_.front());
}

void Acceptor::abandon() noexcept {
  due_ = 0;
  listener_.reset();
  lookup_.reset();
  retry_.reset();
  stop_.reset();
  failures_.clear();
  abandon_all(accepts_);
  for (const auto& session : closing_) abandon_all(session->closers);
  closing_.clear();
  current_.reset();
  const auto handler = std::move(handler_);
}

// --- steps ---------------------------------------------------------------------------------------------------------

bool Acceptor::anything_due() const noexcept {
  return due_ != 0 || !failures_.empty() ||
         std::any_of(closing_.begin(), closing_.end(), [](const auto& old) { return old->finished(); });
}

void Acceptor::mark(int due) {
  due_ = static_cast<std::uint8_t>(due_ | due);
  wake();
}

bool Acceptor::take(Due due) noexcept {
  if ((due_ & due) == 0) return false;
  due_ = static_cast<std::uint8_t>(due_ & ~due);
  return true;
}

void Acceptor::on_listener_ready() { mark(due_accept); }

void Acceptor::step() {
  deliver_all();
  if (take(due_accept)) accept_some();
  deliver_all();
}

void Acceptor::after_step() {
  const bool used = has_handles() || !listeners_.empty() || !waiting_.empty() || !accepts_.empty() || handler_;
  if (running() && !used) close(nullptr);
}

void Acceptor::deliver_all() {
  while (loop_->alive() && deliver_next()) {
  }
}

bool Acceptor::deliver_next() {
  if (!failures_.empty()) {
    deliver_failure();
  } else if (take(due_listening)) {
    deliver_listening();
  } else if (!completed_.empty()) {
    complete_next();
  } else if (take(due_rest)) {
    come_to_rest();
  } else {
    return deliver_close();
  }
  return true;
}

void Acceptor::deliver_listening() {
  finish_waiting(Operation::Kind::listen, {});
  emit(index(ServerEvent::listening));
}

void Acceptor::deliver_failure() {
  const Failure failure = std::move(failures_.front());
  failures_.pop_front();
  if (!failure.received) return report(failure.error);
  emit(index(ServerEvent::error), failure.error);
}

/// An error that nobody receives is logged.
void Acceptor::report(const Error& error) {
  if (!listens(index(ServerEvent::error)) && !somebody_waits_for(index(ServerEvent::error))) {
    log_error("server: unhandled error: " + error.message());
  }
  emit(index(ServerEvent::error), error);
}

/// A session whose last connection has ended. That of a server that did not listen has nothing to say once the server
/// listens again.
bool Acceptor::deliver_close() {
  const auto done = std::find_if(closing_.begin(), closing_.end(), [](const auto& old) { return old->finished(); });
  if (done == closing_.end()) return false;
  const std::shared_ptr<ListenSession> session = std::move(*done);
  closing_.erase(done);
  if (session->listened || !running()) emit(index(ServerEvent::close));
  if (!loop_->alive()) return false;
  while (!session->closers.empty()) completed_.push_back(session->closers.pop_front());
  mark(due_rest);
  return true;
}

/// Whoever was told of the close has had the chance to listen again.
void Acceptor::come_to_rest() {
  if (!at_rest()) return;
  finish_waiting(Errc::closed, [](Operation& operation) { return operation.kind == Operation::Kind::event; });
  listeners_.clear();
  handler_.reset();
}

void Acceptor::listener_threw(std::exception_ptr exception) {
  log_error("server: " +
            Error(Errc::listener_threw, ErrorInfo{.operation = "listener", .exception = &exception}).message());
}

bool Acceptor::report_handler_error(const Socket& socket, const std::exception_ptr& exception) {
  const std::uint8_t event = index(ServerEvent::handler_error);
  if (!loop_->alive() || (!listens(event) && !somebody_waits_for(event))) return false;
  emit(event, socket, exception);
  return true;
}

// --- closing -------------------------------------------------------------------------------------------------------

void Acceptor::close(detail::VoidOperation* operation) {
  const bool was_running = running();
  if (was_running) {
    closing_.push_back(stop_listening());
  } else if (closing_.empty()) {
    closing_.push_back(std::make_shared<ListenSession>(self_));
  }
  if (operation != nullptr) {
    if (!was_running) operation->result = Errc::not_running;
    closing_.back()->closers.push_back(*operation);
    watch_operation(*operation, *this, *loop_);
  }
  wake();
}

std::shared_ptr<ListenSession> Acceptor::stop_listening() {
  listener_.reset();
  lookup_.reset();
  retry_.reset();
  stop_.reset();
  forget_listen_callback();
  due_ = static_cast<std::uint8_t>(due_ & ~(due_listening | due_accept));
  finish_operations(accepts_, completed_, asio::error::operation_aborted, [](Operation&) { return true; });
  finish_waiting(Operation::Kind::listen, asio::error::operation_aborted);
  return std::exchange(current_, nullptr);
}

void Acceptor::cancel(Operation& operation, asio::cancellation_type, error_code reason) {
  if (contains(accepts_, operation) || contains(waiting_, operation)) {
    OperationList::remove(operation);
    finish(operation, reason);
    if (operation.kind == Operation::Kind::listen) close(nullptr);
    return;
  }
  for (const auto& session : closing_) {
    if (!contains(session->closers, operation)) continue;
    OperationList::remove(operation);
    return finish(operation, reason);
  }
}

// --- state ---------------------------------------------------------------------------------------------------------

void Acceptor::start_wait(detail::EventOperation& operation, ServerEvent event) {
  operation.event = index(event);
  const bool has_happened = event == ServerEvent::listening ? listening() && happened(index(event))
                                                            : event == ServerEvent::close && happened(index(event));
  if (!has_happened) return wait(operation);
  const std::tuple<> nothing;
  operation.set_arguments(&nothing);
  finish(operation, {});
}

void Acceptor::start_count(detail::ResultOperation<std::size_t>& operation) {
  operation.results = connection_count_;
  finish(operation, {});
}

std::vector<Socket> Acceptor::sockets() {
  std::vector<Socket> open;
  open.reserve(connection_count_);
  connections_.for_each([&](Connection& connection) { open.push_back(connection.handle()); });
  return open;
}

Error Acceptor::describe(const error_code& code, Operation::Kind kind) const {
  if (error_ && error_.code() == code) return error_;
  return Error(code, kind == Operation::Kind::accept ? "accept" : kind == Operation::Kind::close ? "close" : "listen");
}

}  // namespace libnet::core
