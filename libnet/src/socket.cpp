#include "libnet/socket.hpp"

#include "calls.hpp"
#include "core/acceptor.hpp"
#include "core/connection.hpp"
#include "libnet/server.hpp"
#include "transport/network.hpp"

#include <string>

namespace libnet {

static_assert(sizeof(Socket) == sizeof(void*) && sizeof(Server) == sizeof(void*));  // a handle is one pointer

namespace {

using core::Connection;

[[noreturn]] void refuse(error_code code) { throw SystemError(Error(code, "open")); }

/// Only what cannot fail follows the taking.
void take_over(Connection& connection, int descriptor) {
  if (descriptor < 0) refuse(Errc::out_of_range);
  connection.prepare_to_adopt();
  transport::Adopted adopted;
  const auto& loop = connection.shared_loop();
  if (const error_code code = transport::Network::of(*loop).adopt(loop, descriptor, adopted)) refuse(code);
  if (adopted.transport) connection.adopt(std::move(adopted.transport));
  if (adopted.bound) connection.connect_from(*adopted.bound);
}

ListenerId add_once(Connection& connection, SocketEvent event, OptionalListener<void()>& listener) {
  return connection.add_listener(event, listener.take(), detail::ListenerTable::Place::back, true);
}

}  // namespace

void Socket::open(const executor_type& executor, const SocketOptions& options) {
  core::check_options(options);
  connection_ = new Connection(reactor::Loop::of(executor), options);
  connection_->add_handle();
  if (options.fd) take_over(*connection_, *options.fd);
}

Socket::Socket(core::Connection& connection) noexcept : connection_(&connection) { connection.add_handle(); }

void Socket::add_handle() const noexcept { connection_->add_handle(); }
void Socket::release_handle() const noexcept { connection_->release_handle(); }

// --- connecting ----------------------------------------------------------------------------------------------------

Socket& Socket::connect(const ConnectOptions& options, OptionalListener<void()> on_connect) {
  auto* connection = usable(connection_, "Socket::connect");
  if (connection == nullptr) return *this;
  const auto listener = on_connect ? add_once(*connection, SocketEvent::connect, on_connect) : ListenerId();
  try {
    connection->connect(options, false);
  } catch (...) {
    if (listener != ListenerId()) connection->remove_listener(listener);
    throw;
  }
  if (listener != ListenerId()) connection->remember_connect_listener(listener);
  return *this;
}

Socket& Socket::connect(const ConnectTarget& where, OptionalListener<void()> on_connect) {
  return connect(where.options(), std::move(on_connect));
}

Socket& Socket::connect(int port, std::string_view host, OptionalListener<void()> on_connect) {
  return connect({.host = host, .port = port}, std::move(on_connect));
}

void Socket::start_connect(detail::VoidOperation& operation, const detail::ConnectRequest& request) {
  start<&Connection::start_connect>(connection_, "Socket::async_connect", operation, request);
}

// --- reading -------------------------------------------------------------------------------------------------------

void Socket::start_read(detail::ReadOperation& operation) {
  start<&Connection::start_read>(connection_, "Socket::async_read", operation);
}

void Socket::start_read_some(detail::ReadSomeOperation& operation, const detail::ReadBuffers& buffers) {
  operation.buffers = buffers;
  start<&Connection::start_read_some>(connection_, "Socket::async_read_some", operation);
}

Socket& Socket::pause() { return chain<&Connection::pause>(*this, connection_, "Socket::pause"); }
Socket& Socket::resume() { return chain<&Connection::resume>(*this, connection_, "Socket::resume"); }
bool Socket::is_paused() const noexcept { return ask<&Connection::paused>(connection_); }

void Socket::unshift(std::span<const std::byte> bytes) {
  call<&Connection::unshift>(connection_, "Socket::unshift", bytes);
}

Socket& Socket::set_encoding(Encoding encoding) {
  return chain<&Connection::set_encoding>(*this, connection_, "Socket::set_encoding", encoding);
}

ListenerId Socket::start_receiving(std::unique_ptr<detail::Callable> receiver, bool may_lack_memory) {
  return call<&Connection::start_receiving>(connection_, "Socket::on_read", std::move(receiver), may_lack_memory);
}

// --- piping --------------------------------------------------------------------------------------------------------

Socket Socket::pipe(const Socket& destination, const PipeOptions& options) {
  auto& operation = detail::make_callback<detail::PipeOperation>(executor(), [] {}, Kind::pipe);
  operation.is_heard = false;
  start_callback_pipe(operation, destination, options);
  return destination;
}

void Socket::start_pipe(detail::PipeOperation& operation, const Socket& destination, const PipeOptions& options) {
  const char* function = operation.is_callback ? "Socket::pipe" : "Socket::async_pipe";
  start<&Connection::start_pipe>(connection_, function, operation, destination, options);
}

void Socket::start_callback_pipe(detail::PipeOperation& operation, const Socket& destination,
                                 const PipeOptions& options) {
  const error_code code = call<&Connection::refuse_pipe>(connection_, "Socket::pipe", destination);
  if (!code) return start_pipe(operation, destination, options);
  operation.abandon();
  throw SystemError(Error(code, "pipe"));
}

Socket& Socket::unpipe() { return chain<&Connection::unpipe>(*this, connection_, "Socket::unpipe"); }

// --- writing -------------------------------------------------------------------------------------------------------

bool Socket::write(Payload data) {
  return call<&Connection::write>(connection_, "Socket::write", std::move(data), nullptr, Connection::Views::copied);
}

bool Socket::start_callback_write(detail::WriteOperation& operation, Payload data) {
  if (auto* connection = usable(connection_, "Socket::write")) {
    return give(*connection, operation,
                [&] { return connection->write(std::move(data), &operation, Connection::Views::copied); });
  }
  operation.refuse();
  return false;
}

void Socket::start_write(detail::WriteOperation& operation, Payload data) {
  if (auto* connection = usable(connection_, "Socket::async_write")) {
    give(*connection, operation,
         [&] { return connection->write(std::move(data), &operation, Connection::Views::borrowed); });
  } else {
    operation.refuse();
  }
}

void Socket::start_write_some(detail::WriteOperation& operation, const detail::WriteBuffers& buffers) {
  start<&Connection::start_write_some>(connection_, "Socket::async_write_some", operation, buffers);
}

void Socket::start_drain(detail::VoidOperation& operation) {
  start<&Connection::start_drain>(connection_, "Socket::async_drain", operation);
}

void Socket::cork() { call<&Connection::cork>(connection_, "Socket::cork"); }
void Socket::uncork() { call<&Connection::uncork>(connection_, "Socket::uncork"); }

// --- ending --------------------------------------------------------------------------------------------------------

Socket& Socket::end(Payload data) {
  return chain<&Connection::end>(*this, connection_, "Socket::end", std::move(data), nullptr);
}

void Socket::start_end(detail::VoidOperation& operation, Payload data) {
  auto* connection = usable(connection_, operation.is_callback ? "Socket::end" : "Socket::async_end");
  if (connection == nullptr) return operation.refuse();
  give(*connection, operation, [&] { connection->end(std::move(data), &operation); });
}

Socket& Socket::destroy() { return destroy(Error()); }

Socket& Socket::destroy(const Error& error) {
  return chain<&Connection::destroy>(*this, connection_, "Socket::destroy", error);
}

void Socket::destroy_soon() { call<&Connection::destroy_soon>(connection_, "Socket::destroy_soon"); }
Socket& Socket::reset() { return chain<&Connection::reset>(*this, connection_, "Socket::reset"); }

void Socket::start_close(detail::VoidOperation& operation) {
  start<&Connection::start_close>(connection_, "Socket::async_close", operation);
}

// --- events --------------------------------------------------------------------------------------------------------

ListenerId Socket::add_listener(SocketEvent event, std::unique_ptr<detail::Callable> listener,
                                detail::ListenerTable::Place place, bool once) {
  return call<&Connection::add_listener>(connection_, "Socket::on", event, std::move(listener), place, once);
}

bool Socket::remove_listener(ListenerId id) {
  return call<&Connection::remove_listener>(connection_, "Socket::off", id);
}

std::size_t Socket::count_listeners(SocketEvent event) const noexcept {
  return connection_ != nullptr ? connection_->count_listeners(static_cast<std::uint8_t>(event)) : 0;
}

void Socket::remove_listeners(SocketEvent event) {
  call<&Connection::remove_listeners>(connection_, "Socket::remove_all", static_cast<std::uint8_t>(event));
}

void Socket::start_wait(detail::EventOperation& operation, SocketEvent event) {
  start<&Connection::start_wait>(connection_, "Socket::async_wait", operation, event);
}

// --- time and options ----------------------------------------------------------------------------------------------

Socket& Socket::set_timeout(Milliseconds duration, OptionalListener<void()> on_timeout) {
  auto* connection = usable(connection_, "Socket::set_timeout");
  if (connection == nullptr) return *this;
  connection->set_timeout(duration);
  if (on_timeout && duration.count() > 0) {
    connection->remember_timeout_listener(add_once(*connection, SocketEvent::timeout, on_timeout));
  }
  return *this;
}

std::chrono::milliseconds Socket::timeout() const noexcept { return ask<&Connection::timeout>(connection_); }

Socket& Socket::set_no_delay(bool enable) {
  return chain<&Connection::set_no_delay>(*this, connection_, "Socket::set_no_delay", enable);
}

Socket& Socket::set_keep_alive(const KeepAlive& keep_alive) {
  core::check_keep_alive(keep_alive);
  return chain<&Connection::set_keep_alive>(*this, connection_, "Socket::set_keep_alive", keep_alive);
}

Socket& Socket::set_type_of_service(int value) {
  core::check_type_of_service(value);
  return chain<&Connection::set_type_of_service>(*this, connection_, "Socket::set_type_of_service", value);
}

int Socket::type_of_service() const noexcept { return ask<&Connection::type_of_service>(connection_); }

Socket& Socket::ref() { return chain<&Connection::set_referenced>(*this, connection_, "Socket::ref", true); }
Socket& Socket::unref() { return chain<&Connection::set_referenced>(*this, connection_, "Socket::unref", false); }

// --- state ---------------------------------------------------------------------------------------------------------

const Socket::executor_type& Socket::executor() const noexcept {
  if (connection_ != nullptr) return connection_->loop().executor();
  static const executor_type none;
  return none;
}
bool Socket::served_by(detail::ChainId coroutines) const noexcept {
  return connection_ != nullptr && connection_->served_by() == coroutines;
}
Socket::executor_type Socket::get_executor() const noexcept { return executor(); }

bool Socket::connecting() const noexcept { return ask<&Connection::connecting>(connection_); }
bool Socket::connected() const noexcept { return ask<&Connection::connected>(connection_); }
bool Socket::pending() const noexcept { return !connected(); }
ReadyState Socket::ready_state() const noexcept {
  return ask<&Connection::ready_state>(connection_, ReadyState::closed);
}
bool Socket::readable() const noexcept { return ask<&Connection::readable>(connection_); }
bool Socket::writable() const noexcept { return ask<&Connection::writable>(connection_); }
bool Socket::destroyed() const noexcept { return ask<&Connection::destroyed>(connection_, true); }
bool Socket::allow_half_open() const noexcept { return ask<&Connection::half_open>(connection_); }
std::uint64_t Socket::bytes_read() const noexcept { return ask<&Connection::bytes_read>(connection_); }
std::uint64_t Socket::bytes_written() const noexcept { return ask<&Connection::bytes_written>(connection_); }
std::size_t Socket::buffered() const noexcept { return ask<&Connection::buffered_in_user_space>(connection_); }
std::size_t Socket::high_water_mark() const noexcept {
  return connection_ != nullptr ? connection_->options().high_water_mark : 0;
}
bool Socket::need_drain() const noexcept { return ask<&Connection::need_drain>(connection_); }
std::optional<SocketAddress> Socket::local_address() const { return ask<&Connection::local_address>(connection_); }
std::optional<SocketAddress> Socket::remote_address() const { return ask<&Connection::remote_address>(connection_); }
std::vector<std::string> Socket::attempted_addresses() const {
  return ask<&Connection::attempted_addresses>(connection_);
}
std::optional<Server> Socket::server() const {
  const auto* session = connection_ != nullptr ? connection_->session().get() : nullptr;
  core::Acceptor* acceptor = session != nullptr ? session->acceptor() : nullptr;
  return acceptor != nullptr ? std::optional(acceptor->handle()) : std::nullopt;
}
Error Socket::error() const { return ask<&Connection::error>(connection_); }
int Socket::native_handle() const noexcept { return ask<&Connection::native_handle>(connection_, -1); }
std::uint64_t Socket::id() const noexcept { return ask<&Connection::id>(connection_); }
Error Socket::describe(const error_code& code, Kind kind) const {
  return connection_ != nullptr ? connection_->describe(code, kind) : Error(code);
}

}  // namespace libnet
