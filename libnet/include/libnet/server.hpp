#pragma once

#include <libnet/bound_socket.hpp>
#include <libnet/socket.hpp>

#include <boost/asio/co_spawn.hpp>  // not for this header: handlers start coroutines of their own

#include <concepts>
#include <exception>
#include <memory>
#include <vector>

namespace libnet::core {
class Acceptor;  // not exported
}

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

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
class Server : public EventCalls<Server, ServerEvent, ServerTag, ServerEvent::connection> {
 public:
  using executor_type = boost::asio::any_io_executor;

  /// No server: every call is harmless. An operation started on it never completes: its handler is destroyed.
  Server() noexcept = default;

  /// @param executor  An executor of an io_context or a strand of one, or anything that has such an executor.
  /// @throws std::invalid_argument for another executor; SystemError Errc::invalid_argument for `options.socket.fd`,
  ///         Errc::out_of_range for a type of service outside 0..255.
  /// @param on_connection  A listener of 'connection'.
  template <class Executor>
    requires(!std::is_same_v<std::remove_cvref_t<Executor>, Server> && detail::ExecutorSource<Executor>)
  explicit Server(Executor&& executor, const ServerOptions& options = {},
                  OptionalListener<void(Socket)> on_connection = {})
      : Server() {
    open(detail::executor_of(executor), options, std::move(on_connection));
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
  ///         `bound` together with an address or each other; an empty path; `readable_all` or `writable_all` for an abstract
  ///         name), Errc::invalid_address (a host that contains NUL).
  ///         Failures of the system are never thrown: they are 'error' events.
  /// Source: Node net `server.listen`.
  Server& listen(const ListenOptions& options = {}, OptionalListener<void()> on_listening = {});

  /// The short forms of Node: `listen(port, f)`, `listen(path, backlog, f)`, and on what is there already:
  ///
  /// * `listen(bound)`: as ListenOptions::bound, whose comment says whose the descriptor is afterwards.
  /// * `listen(other_server)`: both take connections from one backlog, and either may close first. The descriptor is
  ///   duplicated, the file of a Unix path stays the other's. The other may belong to another io_context, for one per
  ///   thread; call this before that one's thread runs. A connection wakes one of the loops that wait, and goes to one
  ///   where somebody wants it.
  /// @param backlog  Connections that wait in the kernel; a socket that listens already keeps its own.
  /// @throws SystemError: as above; Errc::invalid_handle if the other server does not listen.
  /// Source: Node net `server.listen(path)`, `server.listen(handle)`.
  Server& listen(const ListenTarget& where, int backlog = default_backlog, OptionalListener<void()> on_listening = {});
  Server& listen(const ListenTarget& where, OptionalListener<void()> on_listening);
  Server& listen(int port, std::string_view host, int backlog = default_backlog,
                 OptionalListener<void()> on_listening = {});
  Server& listen(int port, std::string_view host, OptionalListener<void()> on_listening);
  /// As `listen` with ListenOptions::fd.
  Server& listen_fd(int descriptor, int backlog = default_backlog, OptionalListener<void()> on_listening = {});
  Server& listen_fd(int descriptor, OptionalListener<void()> on_listening);

  /// Completes when listening. Signature void(error_code). Errors: what `listen` throws, system errors of bind(2) and
  /// listen(2). Cancelling closes the server.
  template <detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_listen(const ListenOptions& options, Token&& token = {}) {
    return detail::initiate<detail::VoidOperation, Kind::listen, &Server::start_listen>(*this, token,
                                                                                        detail::ListenRequest(options));
  }

  /// The same for `listen(other)`: the descriptor is duplicated when this is called.
  template <std::same_as<Server> Other, detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_listen(const Other& other, Token&& token = {}) {
    return detail::initiate<detail::VoidOperation, Kind::listen, &Server::start_listen>(*this, token, other.shared());
  }

  /// For the free function: completes with (error_code, Server).
  template <class Token>
  [[nodiscard]] auto async_listen_made(const ListenOptions& options, Token& token) {
    return detail::initiate_made<detail::VoidOperation, Kind::listen, &Server::start_listen>(
        *this, token, detail::ListenRequest(options));
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
    return detail::initiate<detail::AcceptOperation, Kind::accept, &Server::start_accept>(*this, token);
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
    start_close(detail::make_callback<detail::VoidOperation>(executor(), std::forward<F>(on_close), Kind::close));
    return *this;
  }
  /// The same, awaited: completes after 'close' and, under `serve`, after the last handler ended.
  /// Signature void(error_code).
  template <detail::TokenFor<void(error_code)> Token = use_awaitable_t>
  [[nodiscard]] auto async_close(Token&& token = {}) {
    return detail::initiate<detail::VoidOperation, Kind::close, &Server::start_close>(*this, token);
  }

  /// @}
  /// @name Events
  /// @{

  /// `on`, `once`, `prepend`, `off`, `scoped`, `listener_count`, `remove_all` and `async_wait`: see EventCalls.

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
    start_count(detail::make_callback<detail::ResultOperation<std::size_t>>(executor(), std::forward<F>(function),
                                                                            Kind::count));
  }
  template <detail::TokenFor<void(error_code, std::size_t)> Token = use_awaitable_t>
  [[nodiscard]] auto async_get_connections(Token&& token = {}) {
    return detail::initiate<detail::ResultOperation<std::size_t>, Kind::count, &Server::start_count>(*this, token);
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
  friend EventCalls;
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
  void open(const executor_type& executor, const ServerOptions& options, OptionalListener<void(Socket)> on_connection);

  Server& listen_on(const detail::ListenRequest& request, OptionalListener<void()>& on_listening);
  /// A request to listen on a duplicate of this server's descriptor.
  detail::ListenRequest shared() const;
  void start_listen(detail::VoidOperation& operation, const detail::ListenRequest& request);
  void start_accept(detail::AcceptOperation& operation);
  void start_close(detail::VoidOperation& operation);
  void start_wait(detail::EventOperation& operation, ServerEvent event);
  void start_count(detail::ResultOperation<std::size_t>& operation);
  void set_handler(std::shared_ptr<detail::ConnectionHandler> handler);

  ListenerId add_listener(ServerEvent event, std::unique_ptr<detail::Callable> listener,
                          detail::ListenerTable::Place place, bool once);
  bool remove_listener(ListenerId id);
  std::size_t count_listeners(ServerEvent event) const noexcept;
  void remove_listeners(ServerEvent event);
  Error describe(const error_code& code, Kind kind) const;

  core::Acceptor* acceptor_ = nullptr;
};

}  // namespace libnet

#pragma GCC visibility pop
