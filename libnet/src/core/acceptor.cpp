#include "core/acceptor.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include <unistd.h>

#include "core/connection.hpp"
#include "core/log.hpp"
#include "transport/descriptor_transport.hpp"

namespace libnet::core {

namespace {

using namespace std::chrono_literals;

// Connections taken in one step; the sockets that are open get their turn between.
constexpr int accepts_per_step = 32;

// How often a server that ran out of descriptors looks again, and how often it says so at most.
constexpr auto retry_interval = 100ms;
constexpr auto report_interval = 1s;

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

/// The connection that failed is gone; the next one may be fine.
bool concerns_one_connection(int code) {
  switch (code) {
    case ECONNABORTED:
    case EPROTO:
    case EINTR:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH: return true;
    default: return false;
  }
}

std::string what(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

bool is_link_local(const SocketAddress& address) {
  if (address.family() != Family::ipv6) return false;
  const std::string text = address.address();
  return text.size() >= 4 && text[0] == 'f' && text[1] == 'e' &&
         std::string_view("89ab").find(text[2]) != std::string::npos;
}

}  // namespace

// --- generations ---------------------------------------------------------------------------------------------------

void Generation::connection_gone(Connection& connection) {
  if (!connection.detail::ListNode<Connection>::linked()) return;
  detail::List<Connection>::remove(connection);
  --connections;
  if (acceptor() == nullptr) return;
  --acceptor()->connection_count_;
  if (finished()) acceptor()->wake();
}

bool Generation::report_handler_error(const Socket& socket, const std::exception_ptr& exception) {
  return acceptor() != nullptr && acceptor()->report_handler_error(socket, exception);
}

/// Looks again for descriptors after accepting failed.
class Acceptor::RetryTimer final : public reactor::Timer {
 public:
  explicit RetryTimer(Acceptor& acceptor) : acceptor_(acceptor) {}
  void on_timer() override { acceptor_.mark(due_accept); }

 private:
  Acceptor& acceptor_;
};

Acceptor::Acceptor(std::shared_ptr<reactor::Loop> loop, const ServerOptions& options)
    : Emitter(std::move(loop)),
      options_(options),
      socket_options_(std::make_shared<const SocketOptions>(socket_options(options))),
      listener_(*loop_, *this),
      self_(std::make_shared<Acceptor*>(this)) {}

Acceptor::~Acceptor() {
  *self_ = nullptr;
  while (!connections_.empty()) detail::List<Connection>::remove(connections_.front());
}

void Acceptor::abandon() noexcept {
  due_ = 0;
  listener_.close();
  lookup_.reset();
  retry_.reset();
  stop_.reset();
  failures_.clear();
  abandon_all(accepts_);
  for (const auto& generation : closing_) abandon_all(generation->closers);
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

/// A generation whose last connection has ended. That of a server that did not listen has nothing to say once the server
/// listens again.
bool Acceptor::deliver_close() {
  const auto done = std::find_if(closing_.begin(), closing_.end(), [](const auto& old) { return old->finished(); });
  if (done == closing_.end()) return false;
  const std::shared_ptr<Generation> generation = std::move(*done);
  closing_.erase(done);
  if (generation->listened || !running()) emit(index(ServerEvent::close));
  if (!loop_->alive()) return false;
  while (!generation->closers.empty()) completed_.push_back(generation->closers.pop_front());
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

// --- listening -----------------------------------------------------------------------------------------------------

void Acceptor::listen(const detail::ListenRequest& request) {
  if (running()) throw SystemError(Error(Errc::already_listening, "listen"));
  if (request.port && (*request.port < 0 || *request.port > 65535)) throw SystemError(Error(Errc::bad_port, "listen"));
  happened_ = 0;
  listen_callback_.reset();
  current_ = std::make_shared<Generation>(self_);
  current_->listened = true;
  if (request.stop.stop_requested()) return close(nullptr);
  if (request.stop.stop_possible()) stop_.emplace(*loop_, request.stop, [this] { close(nullptr); });
  const auto port = static_cast<std::uint16_t>(request.port.value_or(0));
  if (!request.port && !request.path.empty()) {
    open_listener(SocketAddress::unix_socket(request.path), request);
  } else if (request.host.empty()) {
    open_any(port, request);
  } else if (is_ip(request.host) != 0) {
    open_listener(SocketAddress::ip(request.host, port), request);
  } else {
    lookup_ = std::make_unique<Lookup>(*loop_, request.host, 0, port,
                                       [this, request](const Error& error, std::vector<SocketAddress> addresses) {
                                         resolved(request, error, std::move(addresses));
                                       });
  }
  wake();
}

/// All addresses: '::' for both families where IPv6 exists, else '0.0.0.0'.
void Acceptor::open_any(std::uint16_t port, const detail::ListenRequest& request) {
  const error_code code = listener_.open(SocketAddress::ip("::", port), request);
  if (!code) return mark(due_listening | due_accept);
  if (code == boost::system::errc::address_family_not_supported || code == boost::system::errc::address_not_available) {
    return open_listener(SocketAddress::ip("0.0.0.0", port), request);
  }
  const SocketAddress address = SocketAddress::ip("::", port);
  listen_failed(Error(code, ErrorInfo{.operation = "listen", .local_address = &address}));
}

void Acceptor::open_listener(const SocketAddress& address, const detail::ListenRequest& request) {
  if (const error_code code = listener_.open(address, request)) {
    return listen_failed(Error(code, ErrorInfo{.operation = "listen", .local_address = &address}));
  }
  mark(due_listening | due_accept);
}

/// The first address that is not link-local: such a one needs a scope to be reached.
void Acceptor::resolved(const detail::ListenRequest& request, const Error& error,
                        std::vector<SocketAddress> addresses) {
  lookup_.reset();
  if (error) return listen_failed(error);
  const auto usable = std::find_if_not(addresses.begin(), addresses.end(), is_link_local);
  open_listener(usable != addresses.end() ? *usable : addresses.front(), request);
}

void Acceptor::listen_failed(const Error& error) {
  error_ = error;
  current_.reset();
  stop_.reset();
  forget_listen_callback();
  failures_.push_back({error, finish_waiting(Operation::Kind::listen, error.code())});
  wake();
}

void Acceptor::forget_listen_callback() {
  if (listen_callback_) listeners_.remove(*std::exchange(listen_callback_, std::nullopt));
}

void Acceptor::start_listen(detail::VoidOperation& operation, const detail::ListenRequest& request) {
  wait(operation);
  try {
    listen(request);
  } catch (const SystemError& refused) {
    OperationList::remove(operation);
    finish(operation, refused.code());
  }
}

void Acceptor::await_listening(std::unique_ptr<detail::Callable> listener) {
  if (!running()) return;  // it has failed already: 'error' is due
  listen_callback_ =
      listeners_.add(index(ServerEvent::listening), std::move(listener), detail::ListenerTable::Place::back, true);
}

// --- accepting -----------------------------------------------------------------------------------------------------

bool Acceptor::somebody_accepts() const noexcept { return !accepts_.empty(); }

bool Acceptor::wanted() const noexcept {
  return somebody_accepts() || handler_ != nullptr || listens(index(ServerEvent::connection));
}

void Acceptor::start_accept(detail::AcceptOperation& operation) {
  if (handler_ || listens(index(ServerEvent::connection))) return finish(operation, Errc::busy);
  if (!running()) return finish(operation, Errc::not_running);
  accepts_.push_back(operation);
  watch_operation(operation, *this, *loop_);
  mark(due_accept);
}

void Acceptor::set_handler(std::shared_ptr<detail::ConnectionHandler> handler) {
  if (wanted()) throw SystemError(Error(Errc::busy, "serve"));
  handler_ = std::move(handler);
  mark(due_accept);
}

ListenerId Acceptor::add_listener(ServerEvent event, std::unique_ptr<detail::Callable> listener,
                                  detail::ListenerTable::Place place, bool once) {
  if (event == ServerEvent::connection) {
    if (handler_ || somebody_accepts()) throw SystemError(Error(Errc::busy, "accept"));
    mark(due_accept);
  }
  return listeners_.add(index(event), std::move(listener), place, once);
}

/// One after the other, each delivered before the next is taken: an accept that is cancelled has no connection yet.
void Acceptor::accept_some() {
  for (int i = 0; i < accepts_per_step; ++i) {
    if (!loop_->alive() || !listening() || !wanted() || !accept_one()) return;
    deliver_all();
  }
  mark(due_accept);
}

bool Acceptor::accept_one() {
  ListeningSocket::Accepted accepted;
  const error_code code = listener_.accept(accepted);
  if (!code) {
    deliver_connection(accepted);
    return true;
  }
  if (code == boost::system::errc::resource_unavailable_try_again) return false;
  if (concerns_one_connection(code.value())) return true;
  accept_failed(code);
  return false;
}

/// Out of descriptors or memory: the connections wait in the backlog. Say so at most once a second, and look again soon.
void Acceptor::accept_failed(const error_code& code) {
  if (!retry_) retry_ = std::make_unique<RetryTimer>(*this);
  const reactor::TimePoint now = loop_->precise_now();
  loop_->start(*retry_, now + retry_interval);
  if (last_report_ && now - *last_report_ < report_interval) return;
  last_report_ = now;
  const auto local = address();
  error_ = Error(code, ErrorInfo{.operation = "accept", .local_address = local ? &*local : nullptr});
  report(error_);
}

void Acceptor::deliver_connection(const ListeningSocket::Accepted& accepted) {
  using transport::DescriptorTransport;
  const auto kind = listener_.is_unix() ? DescriptorTransport::Kind::unix_stream : DescriptorTransport::Kind::tcp;
  auto made = std::make_unique<DescriptorTransport>(loop_, accepted.descriptor, kind);
  const SocketAddress* remote = accepted.remote ? &*accepted.remote : nullptr;
  if (const error_code code = made->start(remote)) return accept_failed(code);
  give_connection(take_in(std::move(made)));
}

/// Makes the socket of an accepted transport.
Socket Acceptor::take_in(std::unique_ptr<transport::Transport> made) {
  auto* connection = new Connection(loop_, socket_options_);
  Socket socket = connection->handle();
  connections_.push_back(*connection);
  ++connection_count_;
  ++current_->connections;
  connection->adopt_accepted(std::move(made), current_, handler_ != nullptr || somebody_accepts());
  if (options_.pause_on_connect) connection->pause();
  return socket;
}

void Acceptor::give_connection(const Socket& socket) {
  if (somebody_accepts()) {
    auto& operation = static_cast<detail::AcceptOperation&>(accepts_.pop_front());
    operation.results = socket;
    return finish(operation, {});
  }
  try {
    if (handler_) {
      ++current_->handlers;
      handler_->start(socket, handle());
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

void Acceptor::handler_ended(Connection& connection, const std::exception_ptr& failure) {
  const std::shared_ptr<Generation>& generation = connection.generation();
  if (failure) {
    connection.handler_failed(failure);
    if (!report_handler_error(connection.handle(), failure)) {
      log_error("socket " + std::to_string(connection.id()) + ": serve handler: " + what(failure));
    }
  } else {
    connection.destroy_soon();
  }
  --generation->handlers;
  if (generation->finished()) wake();
}

// --- closing -------------------------------------------------------------------------------------------------------

void Acceptor::close(detail::VoidOperation* operation) {
  const bool was_running = running();
  if (was_running) {
    closing_.push_back(stop_listening());
  } else if (closing_.empty()) {
    closing_.push_back(std::make_shared<Generation>(self_));
  }
  if (operation != nullptr) {
    if (!was_running) operation->result = Errc::not_running;
    closing_.back()->closers.push_back(*operation);
    watch_operation(*operation, *this, *loop_);
  }
  wake();
}

std::shared_ptr<Generation> Acceptor::stop_listening() {
  listener_.close();
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
  for (const auto& generation : closing_) {
    if (!contains(generation->closers, operation)) continue;
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
  connections_.for_each([&](Connection& connection) { open.push_back(connection.handle()); });
  return open;
}

Error Acceptor::describe(const error_code& code, Operation::Kind kind) const {
  if (error_ && error_.code() == code) return error_;
  return Error(code, kind == Operation::Kind::accept ? "accept" : kind == Operation::Kind::close ? "close" : "listen");
}

}  // namespace libnet::core
