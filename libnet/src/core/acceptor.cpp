#include "core/acceptor.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <string>
#include <utility>

#include "core/connection.hpp"
#include "core/listen_request.hpp"
#include "core/log.hpp"
#include "core/operation_name.hpp"
#include "core/running_handler.hpp"
#include "core/thrown_error.hpp"

namespace libnet::core {

namespace {

using namespace std::chrono_literals;

// How often a server says at most that it cannot accept.
constexpr auto report_interval = 1s;

std::string what(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

bool peer_can_cause(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const SystemError& error) {
    return level_of(error.error()) == LogLevel::debug;
  } catch (...) {
    return false;
  }
}

void log_handler_error(const Connection& connection, const std::exception_ptr& exception) {
  const LogLevel level = peer_can_cause(exception) ? LogLevel::debug : LogLevel::error;
  log(level, LogKind::handler_threw, [&] { return connection.log_name() + ": serve handler: " + what(exception); });
}

}  // namespace

// --- the server ----------------------------------------------------------------------------------------------------

Acceptor::Acceptor(std::shared_ptr<reactor::Loop> loop, const ServerOptions& options)
    : EventSource(std::move(loop)),
      options_(std::make_shared<const Kept<ServerOptions>>(options)),
      self_(std::make_shared<Acceptor*>(this)),
      shard_(loop_, *this) {}

Acceptor::~Acceptor() { *self_ = nullptr; }

void Acceptor::abandon() noexcept {
  due_.abandon();
  shard_.abandon();
  lookup_.reset();
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
  return !due_.empty() || shard_.due() || !failures_.empty() ||
         std::any_of(closing_.begin(), closing_.end(), [](const auto& old) { return old->finished(); });
}

void Acceptor::mark(Due due) {
  due_.add(due);
  wake();
}

void Acceptor::step() {
  deliver_all();
  if (!loop_->may_complete_more()) return;
  if (shard_.due()) shard_.step();
  deliver_all();
}

void Acceptor::after_step() noexcept {
  const bool used = has_handles() || !listeners_.empty() || !waiting_.empty() || !accepts_.empty() || handler_;
  if (running() && !used) close(nullptr);
}

void Acceptor::deliver_all() {
  while (loop_->may_complete_more() && deliver_next()) {
  }
}

bool Acceptor::deliver_next() {
  if (!failures_.empty()) {
    deliver_failure();
  } else if (due_.take(Due::listening)) {
    deliver_listening();
  } else if (!completed_.empty()) {
    complete_next();
  } else if (due_.take(Due::rest)) {
    come_to_rest();
  } else {
    return deliver_close();
  }
  return true;
}

/// Who stops the listening before this has stopped it.
void Acceptor::deliver_listening() {
  if (stop_ && stop_->stop_requested()) return close(nullptr);
  finish_waiting(Operation::Kind::listen, {});
  emit(index(ServerEvent::listening));
}

void Acceptor::deliver_failure() {
  const Failure failure = std::move(failures_.front());
  failures_.erase(failures_.begin());
  if (!failure.received) return report(failure.error);
  emit(index(ServerEvent::error), failure.error);
}

/// An error that nobody receives is logged.
void Acceptor::report(const Error& error) noexcept {
  if (!listens(index(ServerEvent::error)) && !somebody_waits_for(index(ServerEvent::error))) {
    log(level_of(error), LogKind::server_error, [&] { return "server: unhandled error: " + error.message(); });
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
  loop_->note_results(move_operations(session->closers, completed_, [](Operation&) { return true; }));
  mark(Due::rest);
  return true;
}

/// Whoever was told of the close has had the chance to listen again.
void Acceptor::come_to_rest() {
  if (!at_rest()) return;
  finish_waiting(Errc::closed, [](Operation& operation) { return operation.kind == Operation::Kind::event; });
  listeners_.clear();
  handler_.reset();
}

void Acceptor::listener_threw(std::exception_ptr exception) noexcept {
  const Error error = described(Errc::listener_threw, {.operation = "listener", .exception = &exception});
  log(LogLevel::error, LogKind::listener_threw, [&] { return "server: " + error.message(); });
}

bool Acceptor::report_handler_error(const Socket& socket, const std::exception_ptr& exception) noexcept {
  const std::uint8_t event = index(ServerEvent::handler_error);
  if (!loop_->alive() || (!listens(event) && !somebody_waits_for(event))) return false;
  emit(event, socket, exception);
  return true;
}

// --- connections ----------------------------------------------------------------------------------------------------

void Acceptor::start_accept(detail::AcceptOperation& operation) {
  if (serves()) return finish(operation, Errc::busy);
  if (!running()) return finish(operation, Errc::not_running);
  watch_operation(operation, *this, *loop_);
  begin_waiting(operation, accepts_);
  shard_.look();
}

void Acceptor::set_handler(std::shared_ptr<detail::ConnectionHandler> handler) {
  if (wanted()) throw SystemError(Error(Errc::busy, "serve"));
  handler_ = std::move(handler);
  shard_.look();
}

ListenerId Acceptor::add_listener(ServerEvent event, std::unique_ptr<detail::Callable> listener,
                                  detail::ListenerTable::Place place, bool once) {
  if (event == ServerEvent::connection) {
    if (handler_ || somebody_accepts()) throw SystemError(Error(Errc::busy, "accept"));
    shard_.look();
  }
  return listeners_.add(index(event), std::move(listener), place, once);
}

void Acceptor::require(Stages stages, const LobbyLimits& limits) {
  if (running() || shard_.holds_guests()) throw SystemError(Error(Errc::already_listening, "listen"));
  shard_.require(std::make_shared<const Stages>(std::move(stages)), limits);
}

void Acceptor::give(const Socket& socket) noexcept {
  if (somebody_accepts()) {
    auto& operation = static_cast<detail::AcceptOperation&>(accepts_.front());
    stop_waiting(operation);
    operation.results = socket;
    return finish(operation, {});
  }
  try {
    if (handler_) {
      Connection::of(socket).session()->handler_started();
      RunningHandler::start(handler_, socket);
    } else {
      const std::tuple<Socket> arguments(socket);
      listeners_.emit(index(ServerEvent::connection), &arguments);
    }
  } catch (...) {
    if (handler_) {
      handler_ended(Connection::of(socket), std::current_exception());
    } else {
      Connection::of(socket).listener_threw(std::current_exception());
    }
  }
}

void Acceptor::handler_ended(Connection& connection, const std::exception_ptr& failure) noexcept {
  if (failure) {
    connection.handler_failed(failure);
    if (!report_handler_error(connection.handle(), failure)) {
      log_handler_error(connection, failure);
    }
  } else {
    connection.handler_returned();
  }
  connection.session()->handler_ended();
}

void Acceptor::dropped(const transport::Transport* transport, DropReason reason, const Error& error) {
  const auto local = transport != nullptr ? transport->local_address() : std::nullopt;
  const auto remote = transport != nullptr ? transport->remote_address() : std::nullopt;
  emit(index(ServerEvent::drop), DropInfo{local, remote, reason, error});
}

void Acceptor::accept_failed(const error_code& code) noexcept {
  const reactor::TimePoint now = loop_->precise_now();
  if (last_report_ && now - *last_report_ < report_interval) return;
  last_report_ = now;
  const auto local = shard_.address();
  error_ = described(code, {.operation = "accept", .local_address = local ? &*local : nullptr});
  report(error_);
}

// --- listening ------------------------------------------------------------------------------------------------------

void Acceptor::listen(const detail::ListenRequest& request) {
  if (running()) throw SystemError(Error(Errc::already_listening, "listen"));
  check_listen_request(request);
  happened_ = 0;
  listen_callback_.reset();
  begin_session();
  if (request.stop.stop_requested()) return close(nullptr);
  try {
    if (request.stop.stop_possible()) stop_.emplace(*loop_, request.stop, [this] { close(nullptr); });
    open(request);
  } catch (...) {
    forget_session();
    throw;
  }
  wake();
}

/// With the memory for its end, whatever that will be.
void Acceptor::begin_session() {
  auto session = std::make_shared<ListenSession>(self_);
  session->listened = true;
  closing_.reserve(closing_.size() + 1);
  failures_.reserve(failures_.size() + 1);
  current_ = std::move(session);
}

/// listen() has come to nothing.
void Acceptor::forget_session() noexcept {
  current_.reset();
  lookup_.reset();
  stop_.reset();
  shard_.stop_listening();
  forget_listen_callback();
}

void Acceptor::open(const detail::ListenRequest& request) {
  const auto port = static_cast<std::uint16_t>(request.port.value_or(0));
  if (request.failure) {
    opened(request.failure);
  } else if (request.fd) {
    opened(shard_.listen(*request.fd, listener_options(request)));
  } else if (request.bound) {
    const auto address = request.bound->address();
    opened(shard_.listen(*request.bound, listener_options(request)), address ? &*address : nullptr);
  } else if (!request.port && request.path) {
    open_listener(SocketAddress::unix_socket(*request.path), request);
  } else if (request.host.empty()) {
    open_any(port, request);
  } else if (is_ip(request.host) != 0) {
    open_listener(SocketAddress::ip(request.host, port), request);
  } else {
    look_up(request);
  }
}

/// All addresses: '::' for both families where IPv6 exists, else '0.0.0.0'.
void Acceptor::open_any(std::uint16_t port, const detail::ListenRequest& request) {
  const SocketAddress address = SocketAddress::ip("::", port);
  const error_code code = shard_.listen(address, listener_options(request));
  if (code == boost::system::errc::address_family_not_supported || code == boost::system::errc::address_not_available) {
    return open_listener(SocketAddress::ip("0.0.0.0", port), request);
  }
  opened(code, &address);
}

void Acceptor::open_listener(const SocketAddress& address, const detail::ListenRequest& request) {
  opened(shard_.listen(address, listener_options(request)), &address);
}

void Acceptor::opened(const error_code& code, const SocketAddress* address) {
  if (code) return listen_failed(described(code, {.operation = "listen", .local_address = address}));
  mark(Due::listening);
  shard_.look();
}

void Acceptor::look_up(const detail::ListenRequest& request) {
  lookup_ =
      std::make_unique<HostLookup>(*loop_, request.lookup, request.host, LookupOptions(),
                                   [this, request](const Error& error, const std::vector<LookupAddress>& addresses) {
                                     try {
                                       resolved(request, error, addresses);
                                     } catch (const std::bad_alloc&) {
                                       listen_failed(Error(detail::out_of_memory(), "listen"));
                                     }
                                   });
}

void Acceptor::resolved(const detail::ListenRequest& request, const Error& error,
                        const std::vector<LookupAddress>& addresses) {
  lookup_.reset();
  if (error) return listen_failed(error);
  const auto chosen = to_address(choose_to_listen(addresses), static_cast<std::uint16_t>(request.port.value_or(0)));
  if (chosen) return open_listener(*chosen, request);
  listen_failed(described(Errc::invalid_address, {.operation = "listen", .host = request.host}));
}

void Acceptor::listen_failed(const Error& error) noexcept {
  error_ = error;
  forget_session();
  failures_.push_back({error, finish_waiting(Operation::Kind::listen, error.code())});
  wake();
}

void Acceptor::forget_listen_callback() noexcept {
  if (listen_callback_) listeners_.remove(*std::exchange(listen_callback_, std::nullopt));
}

void Acceptor::start_listen(detail::VoidOperation& operation, const detail::ListenRequest& request) {
  wait(operation);
  try {
    listen(request);
  } catch (const SystemError& refused) {
    stop_waiting(operation);
    finish(operation, refused.code());
  }
}

void Acceptor::await_listening(std::unique_ptr<detail::Callable> listener) {
  if (!running()) return;  // it has failed already: 'error' is due
  listen_callback_ =
      listeners_.add(index(ServerEvent::listening), std::move(listener), detail::ListenerTable::Place::back, true);
}

// --- closing -------------------------------------------------------------------------------------------------------

void Acceptor::close(detail::VoidOperation* operation) {
  const bool was_running = running();
  if (operation != nullptr) watch_operation(*operation, *this, *loop_);
  if (was_running) {
    closing_.push_back(stop_listening());
  } else if (closing_.empty()) {
    closing_.push_back(std::make_shared<ListenSession>(self_));
  }
  if (operation != nullptr) {
    if (!was_running) operation->result = Errc::not_running;
    begin_waiting(*operation, closing_.back()->closers);
  }
  wake();
}

std::shared_ptr<ListenSession> Acceptor::stop_listening() noexcept {
  shard_.stop_listening();
  lookup_.reset();
  stop_.reset();
  forget_listen_callback();
  due_.take(Due::listening);
  const error_code aborted = asio::error::operation_aborted;
  loop_->note_results(finish_operations(accepts_, completed_, aborted, [](Operation&) { return true; }));
  finish_waiting(Operation::Kind::listen, asio::error::operation_aborted);
  return std::exchange(current_, nullptr);
}

void Acceptor::cancel(Operation& operation, asio::cancellation_type, error_code reason) {
  if (stop_telling(operation, reason)) return;
  stop_waiting(operation);
  finish(operation, reason);
  if (operation.kind == Operation::Kind::listen) close(nullptr);
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
  operation.results = connections();
  finish(operation, {});
}

std::size_t Acceptor::connections() const noexcept {
  std::size_t count = current_ ? current_->connections() : 0;
  for (const auto& session : closing_) count += session->connections();
  return count;
}

Error Acceptor::describe(const error_code& code, Operation::Kind kind) const {
  if (error_ && error_.code() == code) return error_;
  const auto local = address();
  return Error(code, ErrorInfo{.operation = name_of(kind), .local_address = local ? &*local : nullptr});
}

}  // namespace libnet::core
