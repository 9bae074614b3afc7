#include "libnet/server.hpp"

#include <cerrno>

#include <fcntl.h>

#include "core/acceptor.hpp"
#include "core/connection.hpp"
#include "reactor/thread_check.hpp"
#include "transport/binding.hpp"

namespace libnet {

namespace {

using core::Acceptor;

/// The state, if a call can still have an effect: there is a server and its io_context lives.
Acceptor* usable(Acceptor* acceptor, const char* function) {
  if (acceptor == nullptr || !acceptor->loop().alive()) return nullptr;
  reactor::check_thread(acceptor->loop(), function);
  return acceptor;
}

}  // namespace

void Server::open(const executor_type& executor, const ServerOptions& options) {
  acceptor_ = new Acceptor(reactor::Loop::of(executor), options);
  acceptor_->add_handle();
}

Server::Server(core::Acceptor& acceptor) noexcept : acceptor_(&acceptor) { acceptor.add_handle(); }

Server::Server(const Server& other) noexcept : acceptor_(other.acceptor_) {
  if (acceptor_ != nullptr) acceptor_->add_handle();
}

Server::~Server() {
  if (acceptor_ != nullptr) acceptor_->release_handle();
}

Server& Server::listen(const ListenOptions& options) {
  if (auto* acceptor = usable(acceptor_, "Server::listen")) acceptor->listen(options);
  return *this;
}

Server& Server::listen(const Server& other) {
  if (auto* acceptor = usable(acceptor_, "Server::listen")) acceptor->listen(other.shared());
  return *this;
}

detail::ListenRequest Server::shared() const {
  detail::ListenRequest request{ListenOptions()};
  request.bound.emplace();
  if (native_handle() < 0) return request;
  const int duplicate = ::fcntl(native_handle(), F_DUPFD_CLOEXEC, 0);
  if (duplicate >= 0) {
    request.bound = transport::Binding::adopt(duplicate);
  } else {
    request.failure = error_code(errno, boost::system::system_category());
  }
  return request;
}

void Server::await_listening(std::unique_ptr<detail::Callable> listener) {
  if (auto* acceptor = usable(acceptor_, "Server::listen")) acceptor->await_listening(std::move(listener));
}

void Server::start_listen(detail::VoidOperation& operation, const detail::ListenRequest& request) {
  auto* acceptor = usable(acceptor_, "Server::async_listen");
  acceptor != nullptr ? acceptor->start_listen(operation, request) : operation.refuse();
}

void Server::start_accept(detail::AcceptOperation& operation) {
  auto* acceptor = usable(acceptor_, "Server::async_accept");
  acceptor != nullptr ? acceptor->start_accept(operation) : operation.refuse();
}

void Server::set_handler(std::shared_ptr<detail::ConnectionHandler> handler) {
  if (auto* acceptor = usable(acceptor_, "Server::serve")) acceptor->set_handler(std::move(handler));
}

Server& Server::close() {
  if (auto* acceptor = usable(acceptor_, "Server::close")) acceptor->close(nullptr);
  return *this;
}

void Server::start_close(detail::VoidOperation& operation) {
  auto* acceptor = usable(acceptor_, operation.is_callback ? "Server::close" : "Server::async_close");
  acceptor != nullptr ? acceptor->close(&operation) : operation.refuse();
}

ListenerId Server::add_listener(ServerEvent event, std::unique_ptr<detail::Callable> listener,
                                detail::ListenerTable::Place place, bool once) {
  auto* acceptor = usable(acceptor_, "Server::on");
  return acceptor != nullptr ? acceptor->add_listener(event, std::move(listener), place, once) : ListenerId{};
}

bool Server::off(ListenerId id) {
  auto* acceptor = usable(acceptor_, "Server::off");
  return acceptor != nullptr && acceptor->remove_listener(id);
}

std::size_t Server::count_listeners(ServerEvent event) const noexcept {
  return acceptor_ != nullptr ? acceptor_->count_listeners(static_cast<std::uint8_t>(event)) : 0;
}

void Server::remove_listeners(ServerEvent event) {
  if (auto* acceptor = usable(acceptor_, "Server::remove_all")) {
    acceptor->remove_listeners(static_cast<std::uint8_t>(event));
  }
}

void Server::start_wait(detail::EventOperation& operation, ServerEvent event) {
  auto* acceptor = usable(acceptor_, "Server::async_wait");
  acceptor != nullptr ? acceptor->start_wait(operation, event) : operation.refuse();
}

void Server::start_count(detail::ResultOperation<std::size_t>& operation) {
  auto* acceptor =
      usable(acceptor_, operation.is_callback ? "Server::get_connections" : "Server::async_get_connections");
  acceptor != nullptr ? acceptor->start_count(operation) : operation.refuse();
}

const Server::executor_type& Server::executor() const noexcept {
  if (acceptor_ != nullptr) return acceptor_->loop().executor();
  static const executor_type none;
  return none;
}
Server::executor_type Server::get_executor() const noexcept { return executor(); }

bool Server::listening() const noexcept { return acceptor_ != nullptr && acceptor_->listening(); }
std::optional<SocketAddress> Server::address() const {
  return acceptor_ != nullptr ? acceptor_->address() : std::nullopt;
}
std::size_t Server::connections() const noexcept { return acceptor_ != nullptr ? acceptor_->connections() : 0; }
Server& Server::max_connections(std::optional<std::size_t> limit) {
  if (auto* acceptor = usable(acceptor_, "Server::max_connections")) acceptor->set_max_connections(limit);
  return *this;
}
std::optional<std::size_t> Server::max_connections() const noexcept {
  return acceptor_ != nullptr ? acceptor_->max_connections() : std::nullopt;
}
std::vector<Socket> Server::sockets() const {
  return acceptor_ != nullptr ? acceptor_->sockets() : std::vector<Socket>();
}
Error Server::error() const { return acceptor_ != nullptr ? acceptor_->error() : Error(); }
int Server::native_handle() const noexcept { return acceptor_ != nullptr ? acceptor_->native_handle() : -1; }
Error Server::describe(const error_code& code, Kind kind) const {
  return acceptor_ != nullptr ? acceptor_->describe(code, kind) : Error(code);
}

Server& Server::ref() {
  if (auto* acceptor = usable(acceptor_, "Server::ref")) acceptor->set_referenced(true);
  return *this;
}

Server& Server::unref() {
  if (auto* acceptor = usable(acceptor_, "Server::unref")) acceptor->set_referenced(false);
  return *this;
}

}  // namespace libnet
