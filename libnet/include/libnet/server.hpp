#pragma once

#include <libnet/bound_socket.hpp>
#include <libnet/socket.hpp>

#include <boost/asio/co_spawn.hpp>  // not for this header: handlers start coroutines of their own

#include <concepts>
#include <exception>
#include <memory>
#include <vector>

namespace libnet {

namespace core {
class Acceptor;
}

namespace detail {

/// What `serve` keeps: makes the coroutine for a connection. The socket outlives the coroutine's first steps, until it waits:
/// its parameter may be a reference.
class ConnectionHandler {
 public:
  virtual ~ConnectionHandler() = default;
  virtual asio::awaitable<void> handle(Socket&& socket) = 0;
};

using AcceptOperation = ResultOperation<Socket>;

template <class F>
concept CoroutineHandler = std::is_invocable_r_v<asio::awaitable<void>, std::decay_t<F>&, Socket>;

}  // namespace detail

/// Accepts connections: TCP or Unix-domain sockets.
///
/// A cheap handle to shared state, as Socket. A listening server lives while it has a listener, `serve` or a waiting
/// accept; else its last handle closes it. A connection is accepted when somebody wants it: a listener of 'connection',
/// `serve`, or a waiting `async_accept`; until then it waits in the kernel's backlog. Mixing the three is Errc::busy.
class Server {
 public:
  using executor_type = boost::asio::any_io_executor;

  /// No server: every call is harmless. An operation started on it never completes: its handler is destroyed.
  Server() noexcept = default;

  /// @param executor  An executor of an io_context or a strand of one, or anything that has such an executor.
  /// @throws std::invalid_argument for another executor; SystemError Errc::invalid_argument for `options.socket.fd`,
  ///         Errc::out_of_range for a type of service outside 0..255.
  template <class Executor>
    requires(!std::is_same_v<std::remove_cvref_t<Executor>, Server> && detail::ExecutorSource<Executor>)
  explicit Server(Executor&& executor, const ServerOptions& options = {}) {
    open(detail::executor_of(executor), options);
  }
  template <detail::ExecutorSource Executor, ListenerFor<void(Socket)> F>
  Server(Executor&& executor, const ServerOptions& options, F&& on_connection) : Server(executor, options) {
    on(event::connection, std::forward<F>(on_connection));
  }

  Server(const Server& other) noexcept;
  Server(Server&& other) noexcept : acceptor_(std::exchange(other.acceptor_, nullptr)) {}
  Server& operator=(Server other) noexcept {
    std::swap(acceptor_, other.acceptor_);
    return *this;
  }
  ~Server();

  /// @name Listening
  /// @{

  /// Binds and listens before it returns, unless a host name must be looked up. Later comes 'listening', or 'error'.
  /// @param options       Copied before the call returns.
  /// @param on_listening  Called once, as a listener of 'listening'.
  /// @throws SystemError: Errc::already_listening, Errc::bad_port, Errc::out_of_range (a negative `fd`),
  ///         Errc::invalid_handle (a `bound` that is closed or was adopted already), Errc::invalid_argument (`fd` or
  ///         `bound` together with an address or each other; `readable_all` or `writable_all` for an abstract name).
  ///         What depends on the world is never thrown.
  /// Source: Node net `server.listen`.
  Server& listen(const ListenOptions& options = {});
  template <ListenerFor<void()> F>
  Server& listen(const ListenOptions& options, F&& on_listening) {
    listen(options);
    await_listening(callable<>(std::forward<F>(on_listening)));
    return *this;
  }
  /// The short forms of Node.
  Server& listen(int port, std::string_view host = {}, int backlog = 511) {
    return listen({.host = host, .port = port, .backlog = backlog});
  }
  template <ListenerFor<void()> F>
  Server& listen(int port, std::string_view host, F&& on_listening) {
    return listen({.host = host, .port = port}, std::forward<F>(on_listening));
  }
  template <ListenerFor<void()> F>
  Server& listen(int port, F&& on_listening) {
    return listen({.port = port}, std::forward<F>(on_listening));
  }
  Server& listen(std::string_view path, int backlog = 511) { return listen({.path = path, .backlog = backlog}); }
  template <ListenerFor<void()> F>
  Server& listen(std::string_view path, F&& on_listening) {
    return listen({.path = path}, std::forward<F>(on_listening));
  }

  /// Listens on a socket that this process bound or was given: as `listen` with `ListenOptions::fd` or `bound`, whose
  /// comments say whose the descriptor is afterwards.
  Server& listen_fd(int descriptor, int backlog = 511) { return listen({.fd = descriptor, .backlog = backlog}); }
  template <ListenerFor<void()> F>
  Server& listen_fd(int descriptor, F&& on_listening) {
    return listen({.fd = descriptor}, std::forward<F>(on_listening));
  }
  Server& listen(const BoundSocket& bound, int backlog = 511) { return listen({.bound = &bound, .backlog = backlog}); }
  template <ListenerFor<void()> F>
  Server& listen(const BoundSocket& bound, F&& on_listening) {
    return listen({.bound = &bound}, std::forward<F>(on_listening));
  }

  /// Listens where another server does: both take connections from one backlog, and either may close first. Its descriptor
  /// is duplicated, the file of a Unix path stays the other's. The other may belong to another io_context, for one per
  /// thread; call this before that one's thread runs.
  /// @throws SystemError: Errc::already_listening; Errc::invalid_handle if the other does not listen.
  /// Source: Node net `server.listen(handle)`.
  Server& listen(const Server& other);
  template <ListenerFor<void()> F>
  Server& listen(const Server& other, F&& on_listening) {
    listen(other);
    await_listening(callable<>(std::forward<F>(on_listening)));
    return *this;
  }

  /// Completes when listening. Signature void(error_code). Errors: what `listen` throws, system errors of bind(2) and
  /// listen(2). Cancelling closes the server.
  template <detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_listen(const ListenOptions& options, Token&& token = {}) {
    return initiate<detail::VoidOperation, Kind::listen, &Server::start_listen>(token, detail::ListenRequest(options));
  }

  /// The same for `listen(other)`: the descriptor is duplicated when this is called.
  template <std::same_as<Server> Other, detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_listen(const Other& other, Token&& token = {}) {
    return initiate<detail::VoidOperation, Kind::listen, &Server::start_listen>(token, other.shared());
  }

  /// For the free function: completes with (error_code, Server).
  template <class Token>
  [[nodiscard]] auto async_listen_made(const ListenOptions& options, Token& token) {
    using Inner = detail::Initiation<Server, detail::VoidOperation, Kind::listen, &Server::start_listen>;
    return boost::asio::async_initiate<Token, void(error_code, Server)>(
        detail::MakeInitiation<Server, Inner>(*this, Inner(*this)), token, detail::ListenRequest(options));
  }

  /// @}
  /// @name Accepting
  /// @{

  /// Takes the next connection. Several waiting accepts are served in order.
  ///
  /// @param token  Completion token; signature void(error_code, Socket).
  /// Errors: Errc::busy ('connection' listeners or `serve` are active), Errc::not_running, operation_aborted at `close()`.
  ///         Errors of accepting are events, they never complete this.
  /// Cancellation: total. No connection is lost.
  template <detail::TokenFor<void(error_code, Socket)> Token = use_awaitable_t>
  [[nodiscard]] auto async_accept(Token&& token = {}) {
    return initiate<detail::AcceptOperation, Kind::accept, &Server::start_accept>(token);
  }

  /// Runs one coroutine for each connection.
  ///
  /// The server owns the handler until its last coroutine ended, so a lambda may capture. A normal return does what
  /// `Socket::async_close` does, whatever copies of the socket exist; an exception destroys that socket with it and
  /// emits 'handler_error'.
  /// @param handler  Callable as asio::awaitable<void>(Socket).
  /// @throws SystemError Errc::busy if there are listeners of 'connection', waiting accepts or another handler.
  template <detail::CoroutineHandler F>
  void serve(F&& handler) {
    set_handler(std::make_shared<HandlerFor<std::decay_t<F>>>(std::forward<F>(handler)));
  }

  /// @}
  /// @name Closing
  /// @{

  /// Stops accepting at once; open connections go on. 'close' comes when the last of them is gone.
  /// @param on_close  Called once after 'close', with Errc::not_running if the server was not listening: (error_code)
  ///                  or ().
  Server& close();
  template <detail::CallbackFor<> F>
  Server& close(F&& on_close) {
    start_close(callback<detail::VoidOperation>(std::forward<F>(on_close), Kind::close));
    return *this;
  }
  /// The same, awaited: completes after 'close' and, under `serve`, after the last handler ended.
  /// Signature void(error_code).
  template <detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_close(Token&& token = {}) {
    return initiate<detail::VoidOperation, Kind::close, &Server::start_close>(token);
  }

  /// @}
  /// @name Events
  /// @{

  /// As Socket::on, once, prepend, off, listener_count, remove_all, async_wait.
  /// @throws SystemError Errc::busy for 'connection' under `serve` or while an accept waits.
  template <ServerEvent Event, class... A, ListenerFor<void(A...)> F>
  ListenerId on(const ServerTag<Event, void(A...)>&, F&& listener) {
    return add_listener(Event, callable<A...>(std::forward<F>(listener)), detail::ListenerTable::Place::back, false);
  }
  template <ServerEvent Event, class... A, ListenerFor<void(A...)> F>
  ListenerId once(const ServerTag<Event, void(A...)>&, F&& listener) {
    return add_listener(Event, callable<A...>(std::forward<F>(listener)), detail::ListenerTable::Place::back, true);
  }
  template <ServerEvent Event, class... A, ListenerFor<void(A...)> F>
  ListenerId prepend(const ServerTag<Event, void(A...)>&, F&& listener) {
    return add_listener(Event, callable<A...>(std::forward<F>(listener)), detail::ListenerTable::Place::front, false);
  }
  bool off(ListenerId id);
  [[nodiscard]] ScopedListener<Server> scoped(ListenerId id) { return {*this, id}; }
  template <ServerEvent Event, class Signature>
  [[nodiscard]] std::size_t listener_count(const ServerTag<Event, Signature>&) const noexcept {
    return count_listeners(Event);
  }
  template <ServerEvent Event, class Signature>
  void remove_all(const ServerTag<Event, Signature>&) {
    remove_listeners(Event);
  }
  template <ServerEvent Event, class... A, detail::TokenFor<void(error_code, A...)> Token = use_awaitable_t>
    requires(Event != ServerEvent::connection)
  [[nodiscard]] auto async_wait(const ServerTag<Event, void(A...)>&, Token&& token = {}) {
    return initiate<detail::TypedEventOperation<A...>, Kind::event, &Server::start_wait>(token, Event);
  }

  /// @}
  /// @name State
  /// @{

  [[nodiscard]] executor_type get_executor() const noexcept;
  [[nodiscard]] bool listening() const noexcept;
  /// Where it listens: address and port, or the path; nothing if it does not listen.
  [[nodiscard]] std::optional<SocketAddress> address() const;
  /// How many connections are open.
  [[nodiscard]] std::size_t connections() const noexcept;
  /// How many connections may be open at once: a further one is closed as soon as it is accepted, with 'drop' in place of
  /// 'connection'. Unset: no limit; 0 refuses all. A change counts from the next connection on.
  /// Source: Node net `server.maxConnections`.
  Server& max_connections(std::optional<std::size_t> limit);
  [[nodiscard]] std::optional<std::size_t> max_connections() const noexcept;
  /// Calls back later with (error_code, std::size_t).
  template <detail::CallbackFor<std::size_t> F>
  void get_connections(F&& function) {
    start_count(callback<detail::ResultOperation<std::size_t>>(std::forward<F>(function), Kind::count));
  }
  template <detail::TokenFor<void(error_code, std::size_t)> Token = use_awaitable_t>
  [[nodiscard]] auto async_get_connections(Token&& token = {}) {
    return initiate<detail::ResultOperation<std::size_t>, Kind::count, &Server::start_count>(token);
  }
  /// The open connections; safe to destroy while going through them.
  [[nodiscard]] std::vector<Socket> sockets() const;
  /// The last error of listening or accepting.
  [[nodiscard]] Error error() const;
  /// Whether a server that runs keeps `run()` from returning (it does by default).
  Server& ref();
  Server& unref();
  /// The descriptor, or -1. It stays the server's.
  [[nodiscard]] int native_handle() const noexcept;

  friend bool operator==(const Server& left, const Server& right) noexcept { return left.acceptor_ == right.acceptor_; }

  /// @}

 private:
  friend class core::Acceptor;
  friend class Socket;
  template <class, class, detail::Operation::Kind, auto>
  friend class detail::Initiation;

  using Kind = detail::Operation::Kind;

  template <class F>
  class HandlerFor final : public detail::ConnectionHandler {
   public:
    explicit HandlerFor(F handler) : handler_(std::move(handler)) {}

    boost::asio::awaitable<void> handle(Socket&& socket) override { return handler_(std::move(socket)); }

   private:
    F handler_;
  };

  explicit Server(core::Acceptor& acceptor) noexcept;
  const executor_type& executor() const noexcept;
  void open(const executor_type& executor, const ServerOptions& options);

  template <class Operation, Kind K, auto Start, class Token, class... Arguments>
  auto initiate(Token& token, Arguments&&... arguments) {
    return boost::asio::async_initiate<Token, typename Operation::Signature>(
        detail::Initiation<Server, Operation, K, Start>(*this), token, std::forward<Arguments>(arguments)...);
  }
  template <class Operation, class F, class... Arguments>
  Operation& callback(F&& function, Arguments&&... arguments) {
    return detail::make_callback<Operation>(get_executor(), std::forward<F>(function),
                                            std::forward<Arguments>(arguments)...);
  }
  template <class... A, class F>
  static std::unique_ptr<detail::Callable> callable(F&& listener) {
    return std::make_unique<detail::CallableFor<std::decay_t<F>, A...>>(std::forward<F>(listener));
  }

  /// A request to listen on a duplicate of this server's descriptor.
  detail::ListenRequest shared() const;
  void start_listen(detail::VoidOperation& operation, const detail::ListenRequest& request);
  void start_accept(detail::AcceptOperation& operation);
  void start_close(detail::VoidOperation& operation);
  void start_wait(detail::EventOperation& operation, ServerEvent event);
  void start_count(detail::ResultOperation<std::size_t>& operation);
  void set_handler(std::shared_ptr<detail::ConnectionHandler> handler);
  void await_listening(std::unique_ptr<detail::Callable> listener);

  ListenerId add_listener(ServerEvent event, std::unique_ptr<detail::Callable> listener,
                          detail::ListenerTable::Place place, bool once);
  std::size_t count_listeners(ServerEvent event) const noexcept;
  void remove_listeners(ServerEvent event);
  Error describe(const error_code& code, Kind kind) const;

  core::Acceptor* acceptor_ = nullptr;
};

}  // namespace libnet
