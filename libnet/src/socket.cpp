#include "libnet/socket.hpp"

#include "core/acceptor.hpp"
#include "core/connection.hpp"
#include "libnet/server.hpp"
#include "reactor/thread_check.hpp"
#include "transport/network.hpp"

namespace libnet {

namespace {

using core::Connection;

/// The state, if a call can still have an effect: there is a socket and its io_context lives.
Connection* usable(Connection* connection, const char* function) {
  if (connection == nullptr || !connection->loop().alive()) return nullptr;
  reactor::check_thread(connection->loop(), function);
  return connection;
}

[[noreturn]] void refuse(error_code code) { throw SystemError(Error(code, "open")); }

transport::Adopted take_over(const std::shared_ptr<reactor::Loop>& loop, int descriptor) {
  if (descriptor < 0) refuse(Errc::out_of_range);
  transport::Adopted adopted;
  if (const error_code code = transport::Network::of(*loop).adopt(loop, descriptor, adopted)) refuse(code);
  return adopted;
}

void check_type_of_service(int value) {
  if (value < 0 || value > 255) throw SystemError(Error(Errc::out_of_range, "set_type_of_service"));
}

}  // namespace

void Socket::open(const executor_type& executor, const SocketOptions& options) {
  if (options.type_of_service) check_type_of_service(*options.type_of_service);
  const auto loop = reactor::Loop::of(executor);
  transport::Adopted given;
  if (options.fd) given = take_over(loop, *options.fd);
  connection_ = new Connection(loop, options);
  connection_->add_handle();
  if (given.transport) connection_->adopt(std::move(given.transport));
  if (given.bound) connection_->connect_from(*given.bound);
}

Socket::Socket(core::Connection& connection) noexcept : connection_(&connection) { connection.add_handle(); }

void Socket::add_handle() const noexcept { connection_->add_handle(); }
void Socket::release_handle() const noexcept { connection_->release_handle(); }

// --- connecting ----------------------------------------------------------------------------------------------------

Socket& Socket::connect(const ConnectOptions& options) {
  if (auto* connection = usable(connection_, "Socket::connect")) connection->connect(options, false);
  return *this;
}

Socket& Socket::connect(const SocketAddress& address) {
  const std::string host = address.address();
  if (address.family() == Family::unix_path) return connect({.path = host});
  return connect({.host = host, .port = address.port()});
}

void Socket::start_connect(detail::VoidOperation& operation, const detail::ConnectRequest& request) {
  auto* connection = usable(connection_, "Socket::async_connect");
  connection != nullptr ? connection->start_connect(operation, request) : operation.refuse();
}

// --- reading -------------------------------------------------------------------------------------------------------

void Socket::start_read(detail::ReadOperation& operation) {
  auto* connection = usable(connection_, "Socket::async_read");
  connection != nullptr ? connection->start_read(operation) : operation.refuse();
}

void Socket::start_read_some(detail::ReadSomeOperation& operation, const detail::ReadBuffers& buffers) {
  operation.buffers = buffers;
  auto* connection = usable(connection_, "Socket::async_read_some");
  connection != nullptr ? connection->start_read_some(operation) : operation.refuse();
}

Socket& Socket::pause() {
  if (auto* connection = usable(connection_, "Socket::pause")) connection->pause();
  return *this;
}

Socket& Socket::resume() {
  if (auto* connection = usable(connection_, "Socket::resume")) connection->resume();
  return *this;
}

bool Socket::is_paused() const noexcept { return connection_ != nullptr && connection_->paused(); }

void Socket::unshift(std::span<const std::byte> bytes) {
  if (auto* connection = usable(connection_, "Socket::unshift")) connection->unshift(bytes);
}

Socket& Socket::set_encoding(Encoding encoding) {
  if (auto* connection = usable(connection_, "Socket::set_encoding")) connection->set_encoding(encoding);
  return *this;
}

ListenerId Socket::start_receiving(std::unique_ptr<detail::Callable> receiver, bool may_lack_memory) {
  auto* connection = usable(connection_, "Socket::on_read");
  return connection != nullptr ? connection->start_receiving(std::move(receiver), may_lack_memory) : ListenerId{};
}

// --- piping --------------------------------------------------------------------------------------------------------

Socket Socket::pipe(const Socket& destination, const PipeOptions& options) {
  auto& operation = callback<detail::PipeOperation>([] {}, Kind::pipe);
  operation.is_heard = false;
  start_callback_pipe(operation, destination, options);
  return destination;
}

void Socket::start_pipe(detail::PipeOperation& operation, const Socket& destination, const PipeOptions& options) {
  auto* connection = usable(connection_, operation.is_callback ? "Socket::pipe" : "Socket::async_pipe");
  connection != nullptr ? connection->start_pipe(operation, destination, options) : operation.refuse();
}

void Socket::start_callback_pipe(detail::PipeOperation& operation, const Socket& destination,
                                 const PipeOptions& options) {
  const error_code code =
      usable(connection_, "Socket::pipe") != nullptr ? connection_->refuse_pipe(destination) : error_code();
  if (!code) return start_pipe(operation, destination, options);
  operation.abandon();
  throw SystemError(Error(code, "pipe"));
}

Socket& Socket::unpipe() {
  if (auto* connection = usable(connection_, "Socket::unpipe")) connection->unpipe();
  return *this;
}

// --- writing -------------------------------------------------------------------------------------------------------

bool Socket::write(Payload data) {
  auto* connection = usable(connection_, "Socket::write");
  return connection != nullptr && connection->write(std::move(data), nullptr, Connection::Views::copied);
}

bool Socket::start_callback_write(detail::WriteOperation& operation, Payload data) {
  if (auto* connection = usable(connection_, "Socket::write")) {
    return connection->write(std::move(data), &operation, Connection::Views::copied);
  }
  operation.refuse();
  return false;
}

void Socket::start_write(detail::WriteOperation& operation, Payload data) {
  if (auto* connection = usable(connection_, "Socket::async_write")) {
    connection->write(std::move(data), &operation, Connection::Views::borrowed);
  } else {
    operation.refuse();
  }
}

void Socket::start_write_some(detail::WriteOperation& operation, const detail::WriteBuffers& buffers) {
  auto* connection = usable(connection_, "Socket::async_write_some");
  connection != nullptr ? connection->start_write_some(operation, buffers) : operation.refuse();
}

void Socket::start_drain(detail::VoidOperation& operation) {
  auto* connection = usable(connection_, "Socket::async_drain");
  connection != nullptr ? connection->start_drain(operation) : operation.refuse();
}

void Socket::cork() {
  if (auto* connection = usable(connection_, "Socket::cork")) connection->cork();
}

void Socket::uncork() {
  if (auto* connection = usable(connection_, "Socket::uncork")) connection->uncork();
}

// --- ending --------------------------------------------------------------------------------------------------------

Socket& Socket::end(Payload data) {
  if (auto* connection = usable(connection_, "Socket::end")) connection->end(std::move(data), nullptr);
  return *this;
}

void Socket::start_end(detail::VoidOperation& operation, Payload data) {
  auto* connection = usable(connection_, operation.is_callback ? "Socket::end" : "Socket::async_end");
  connection != nullptr ? connection->end(std::move(data), &operation) : operation.refuse();
}

Socket& Socket::destroy() { return destroy(Error()); }

Socket& Socket::destroy(const Error& error) {
  if (auto* connection = usable(connection_, "Socket::destroy")) connection->destroy(error);
  return *this;
}

void Socket::destroy_soon() {
  if (auto* connection = usable(connection_, "Socket::destroy_soon")) connection->destroy_soon();
}

Socket& Socket::reset() {
  if (auto* connection = usable(connection_, "Socket::reset")) connection->reset();
  return *this;
}

void Socket::start_close(detail::VoidOperation& operation) {
  auto* connection = usable(connection_, "Socket::async_close");
  connection != nullptr ? connection->start_close(operation) : operation.refuse();
}

// --- events --------------------------------------------------------------------------------------------------------

ListenerId Socket::add_listener(SocketEvent event, std::unique_ptr<detail::Callable> listener,
                                detail::ListenerTable::Place place, bool once) {
  auto* connection = usable(connection_, "Socket::on");
  return connection != nullptr ? connection->add_listener(event, std::move(listener), place, once) : ListenerId{};
}

bool Socket::off(ListenerId id) {
  auto* connection = usable(connection_, "Socket::off");
  return connection != nullptr && connection->remove_listener(id);
}

std::size_t Socket::count_listeners(SocketEvent event) const noexcept {
  return connection_ != nullptr ? connection_->count_listeners(static_cast<std::uint8_t>(event)) : 0;
}

void Socket::remove_listeners(SocketEvent event) {
  if (auto* connection = usable(connection_, "Socket::remove_all")) {
    connection->remove_listeners(static_cast<std::uint8_t>(event));
  }
}

void Socket::start_wait(detail::EventOperation& operation, SocketEvent event) {
  auto* connection = usable(connection_, "Socket::async_wait");
  connection != nullptr ? connection->start_wait(operation, event) : operation.refuse();
}

// --- time and options ----------------------------------------------------------------------------------------------

Socket& Socket::set_timeout(std::chrono::milliseconds duration) {
  if (auto* connection = usable(connection_, "Socket::set_timeout")) connection->set_timeout(duration);
  return *this;
}

void Socket::remember_timeout_listener(ListenerId id) {
  if (auto* connection = usable(connection_, "Socket::set_timeout")) connection->remember_timeout_listener(id);
}

std::chrono::milliseconds Socket::timeout() const noexcept {
  return connection_ != nullptr ? connection_->timeout() : std::chrono::milliseconds(0);
}

Socket& Socket::set_no_delay(bool enable) {
  if (auto* connection = usable(connection_, "Socket::set_no_delay")) connection->set_no_delay(enable);
  return *this;
}

Socket& Socket::set_keep_alive(const KeepAlive& keep_alive) {
  if (auto* connection = usable(connection_, "Socket::set_keep_alive")) connection->set_keep_alive(keep_alive);
  return *this;
}

Socket& Socket::set_type_of_service(int type_of_service) {
  check_type_of_service(type_of_service);
  if (auto* connection = usable(connection_, "Socket::set_type_of_service")) {
    connection->set_type_of_service(type_of_service);
  }
  return *this;
}

int Socket::type_of_service() const noexcept { return connection_ != nullptr ? connection_->type_of_service() : 0; }

Socket& Socket::ref() {
  if (auto* connection = usable(connection_, "Socket::ref")) connection->set_referenced(true);
  return *this;
}

Socket& Socket::unref() {
  if (auto* connection = usable(connection_, "Socket::unref")) connection->set_referenced(false);
  return *this;
}

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

bool Socket::connecting() const noexcept { return connection_ != nullptr && connection_->connecting(); }
bool Socket::pending() const noexcept { return connection_ == nullptr || !connection_->connected(); }
ReadyState Socket::ready_state() const noexcept {
  return connection_ != nullptr ? connection_->ready_state() : ReadyState::closed;
}
bool Socket::readable() const noexcept { return connection_ != nullptr && connection_->readable(); }
bool Socket::writable() const noexcept { return connection_ != nullptr && connection_->writable(); }
bool Socket::destroyed() const noexcept { return connection_ == nullptr || connection_->destroyed(); }
bool Socket::allow_half_open() const noexcept { return connection_ != nullptr && connection_->half_open(); }
std::uint64_t Socket::bytes_read() const noexcept { return connection_ != nullptr ? connection_->bytes_read() : 0; }
std::uint64_t Socket::bytes_written() const noexcept {
  return connection_ != nullptr ? connection_->bytes_written() : 0;
}
std::size_t Socket::buffered() const noexcept {
  return connection_ != nullptr ? connection_->buffered_in_user_space() : 0;
}
std::size_t Socket::high_water_mark() const noexcept {
  return connection_ != nullptr ? connection_->options().high_water_mark : 0;
}
bool Socket::need_drain() const noexcept { return connection_ != nullptr && connection_->need_drain(); }
std::optional<SocketAddress> Socket::local_address() const {
  return connection_ != nullptr ? connection_->local_address() : std::nullopt;
}
std::vector<std::string> Socket::attempted_addresses() const {
  return connection_ != nullptr ? connection_->attempted_addresses() : std::vector<std::string>();
}
std::optional<SocketAddress> Socket::remote_address() const {
  return connection_ != nullptr ? connection_->remote_address() : std::nullopt;
}
std::optional<Server> Socket::server() const {
  const auto* session = connection_ != nullptr ? connection_->session().get() : nullptr;
  core::Acceptor* acceptor = session != nullptr ? session->acceptor() : nullptr;
  return acceptor != nullptr ? std::optional(acceptor->handle()) : std::nullopt;
}
Error Socket::error() const { return connection_ != nullptr ? connection_->error() : Error(); }
int Socket::native_handle() const noexcept { return connection_ != nullptr ? connection_->native_handle() : -1; }
std::uint64_t Socket::id() const noexcept { return connection_ != nullptr ? connection_->id() : 0; }
Error Socket::describe(const error_code& code, Kind kind) const {
  return connection_ != nullptr ? connection_->describe(code, kind) : Error(code);
}

}  // namespace libnet
