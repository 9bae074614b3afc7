#include "libnet/server.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>

#include "calls.hpp"
#include "core/acceptor.hpp"
#include "core/connection.hpp"
#include "transport/binding.hpp"
#include "transport/socket_calls.hpp"

namespace libnet {

namespace {

using core::Acceptor;

/// What may be given to one socket may not do for all that a server accepts.
void check(const SocketOptions& accepted) {
  if (accepted.fd) throw SystemError(Error(Errc::invalid_argument, "open"));
  core::check_options(accepted);
}

}  // namespace

void Server::open(const executor_type& executor, const ServerOptions& options,
                  OptionalListener<void(Socket)> on_connection) {
  check(options.socket);
  acceptor_ = new Acceptor(reactor::Loop::of(executor), options);
  acceptor_->add_handle();
  if (!on_connection) return;
  try {
    acceptor_->add_listener(ServerEvent::connection, on_connection.take(), detail::ListenerTable::Place::back, false);
  } catch (...) {  // the constructor's: there will be no destructor
    std::exchange(acceptor_, nullptr)->release_handle();
    throw;
  }
}

Server::Server(core::Acceptor& acceptor) noexcept : acceptor_(&acceptor) { acceptor.add_handle(); }

Server::Server(const Server& other) noexcept : EventCalls(), acceptor_(other.acceptor_) {
  if (acceptor_ != nullptr) acceptor_->add_handle();
}

Server::~Server() {
  if (acceptor_ != nullptr) acceptor_->release_handle();
}

// --- listening -----------------------------------------------------------------------------------------------------

Server& Server::listen(const ListenOptions& options, OptionalListener<void()> on_listening) {
  return listen_on(options, on_listening);
}

Server& Server::listen(const ListenTarget& where, int backlog, OptionalListener<void()> on_listening) {
  if (where.other() != nullptr) return listen_on(where.other()->shared(), on_listening);
  ListenOptions options = where.options();
  options.backlog = backlog;
  return listen_on(options, on_listening);
}

Server& Server::listen(const ListenTarget& where, OptionalListener<void()> on_listening) {
  return listen(where, default_backlog, std::move(on_listening));
}

Server& Server::listen(int port, std::string_view host, int backlog, OptionalListener<void()> on_listening) {
  return listen_on(ListenOptions{.host = host, .port = port, .backlog = backlog}, on_listening);
}

Server& Server::listen(int port, std::string_view host, OptionalListener<void()> on_listening) {
  return listen(port, host, default_backlog, std::move(on_listening));
}

Server& Server::listen_fd(int descriptor, int backlog, OptionalListener<void()> on_listening) {
  return listen_on(ListenOptions{.fd = descriptor, .backlog = backlog}, on_listening);
}

Server& Server::listen_fd(int descriptor, OptionalListener<void()> on_listening) {
  return listen_fd(descriptor, default_backlog, std::move(on_listening));
}

Server& Server::listen_on(const detail::ListenRequest& request, OptionalListener<void()>& on_listening) {
  auto* acceptor = usable(acceptor_, "Server::listen");
  if (acceptor == nullptr) return *this;
  acceptor->listen(request);
  if (on_listening) acceptor->await_listening(on_listening.take());
  return *this;
}

detail::ListenRequest Server::shared() const {
  detail::ListenRequest request{ListenOptions()};
  request.bound.emplace();
  if (native_handle() < 0) return request;
  transport::Descriptor duplicate(::fcntl(native_handle(), F_DUPFD_CLOEXEC, 0));
  if (duplicate.get() >= 0) {
    request.bound = transport::Binding::adopt(duplicate.get());
    duplicate.release();
  } else {
    request.failure = error_code(errno, boost::system::system_category());
  }
  return request;
}

void Server::start_listen(detail::VoidOperation& operation, const detail::ListenRequest& request) {
  start<&Acceptor::start_listen>(acceptor_, "Server::async_listen", operation, request);
}

// --- accepting and closing -----------------------------------------------------------------------------------------

void Server::start_accept(detail::AcceptOperation& operation) {
  start<&Acceptor::start_accept>(acceptor_, "Server::async_accept", operation);
}

void Server::set_handler(std::shared_ptr<detail::ConnectionHandler> handler) {
  call<&Acceptor::set_handler>(acceptor_, "Server::serve", std::move(handler));
}

Server& Server::close() { return chain<&Acceptor::close>(*this, acceptor_, "Server::close", nullptr); }

void Server::start_close(detail::VoidOperation& operation) {
  auto* acceptor = usable(acceptor_, operation.is_callback ? "Server::close" : "Server::async_close");
  if (acceptor == nullptr) return operation.refuse();
  give(*acceptor, operation, [&] { acceptor->close(&operation); });
}

// --- events --------------------------------------------------------------------------------------------------------

ListenerId Server::add_listener(ServerEvent event, std::unique_ptr<detail::Callable> listener,
                                detail::ListenerTable::Place place, bool once) {
  return call<&Acceptor::add_listener>(acceptor_, "Server::on", event, std::move(listener), place, once);
}

bool Server::remove_listener(ListenerId id) { return call<&Acceptor::remove_listener>(acceptor_, "Server::off", id); }

std::size_t Server::count_listeners(ServerEvent event) const noexcept {
  return acceptor_ != nullptr ? acceptor_->count_listeners(static_cast<std::uint8_t>(event)) : 0;
}

void Server::remove_listeners(ServerEvent event) {
  call<&Acceptor::remove_listeners>(acceptor_, "Server::remove_all", static_cast<std::uint8_t>(event));
}

void Server::start_wait(detail::EventOperation& operation, ServerEvent event) {
  start<&Acceptor::start_wait>(acceptor_, "Server::async_wait", operation, event);
}

// --- state ---------------------------------------------------------------------------------------------------------

void Server::start_count(detail::ResultOperation<std::size_t>& operation) {
  const char* function = operation.is_callback ? "Server::get_connections" : "Server::async_get_connections";
  start<&Acceptor::start_count>(acceptor_, function, operation);
}

const Server::executor_type& Server::executor() const noexcept {
  if (acceptor_ != nullptr) return acceptor_->loop().executor();
  static const executor_type none;
  return none;
}
Server::executor_type Server::get_executor() const noexcept { return executor(); }

bool Server::listening() const noexcept { return ask<&Acceptor::listening>(acceptor_); }
std::optional<SocketAddress> Server::address() const { return ask<&Acceptor::address>(acceptor_); }
std::size_t Server::connections() const noexcept { return ask<&Acceptor::connections>(acceptor_); }
Server& Server::max_connections(std::optional<std::size_t> limit) {
  return chain<&Acceptor::set_max_connections>(*this, acceptor_, "Server::max_connections", limit);
}
std::optional<std::size_t> Server::max_connections() const noexcept {
  return ask<&Acceptor::max_connections>(acceptor_);
}
std::vector<Socket> Server::sockets() const { return ask<&Acceptor::sockets>(acceptor_); }
Error Server::error() const { return ask<&Acceptor::error>(acceptor_); }
int Server::native_handle() const noexcept { return ask<&Acceptor::native_handle>(acceptor_, -1); }
Error Server::describe(const error_code& code, Kind kind) const {
  return acceptor_ != nullptr ? acceptor_->describe(code, kind) : Error(code);
}

Server& Server::ref() { return chain<&Acceptor::set_referenced>(*this, acceptor_, "Server::ref", true); }
Server& Server::unref() { return chain<&Acceptor::set_referenced>(*this, acceptor_, "Server::unref", false); }

}  // namespace libnet
