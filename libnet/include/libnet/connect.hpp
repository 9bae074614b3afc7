#pragma once

#include <libnet/server.hpp>
#include <libnet/socket.hpp>

#include <utility>

#pragma GCC visibility push(default)  // a shared library exports this

/// The free functions: a socket that connects, a server that listens, in one call. `executor` is an executor of an
/// io_context or a strand of one, or anything that has such an executor.
namespace libnet {

/// A socket that is already connecting; for the short forms make a Socket and call its `connect`.
/// @param on_connect  Called once, as a listener of 'connect'.
/// @throws As Socket::connect.
/// Source: Node net `net.connect`.
template <detail::ExecutorSource Executor>
Socket connect(Executor&& executor, const ConnectOptions& options, const SocketOptions& socket_options = {},
               OptionalListener<void()> on_connect = {}) {
  Socket socket(detail::executor_of(executor), socket_options);
  socket.connect(options, std::move(on_connect));
  return socket;
}
template <detail::ExecutorSource Executor, ListenerFor<void()> F>
Socket connect(Executor&& executor, const ConnectOptions& options, F&& on_connect) {
  return connect(executor, options, {}, std::forward<F>(on_connect));
}

/// Node's other name for it.
template <detail::ExecutorSource Executor, class... More>
Socket create_connection(Executor&& executor, const ConnectOptions& options, More&&... more) {
  return connect(executor, options, std::forward<More>(more)...);
}

/// Connects a new socket. Signature void(error_code, Socket); the socket is half-open unless its options say otherwise.
/// Errors and cancellation: as Socket::async_connect.
template <detail::ExecutorSource Executor, detail::TokenFor<void(error_code, Socket)> Token = use_awaitable_t>
[[nodiscard]] auto async_connect(Executor&& executor, const ConnectOptions& options,
                                 const SocketOptions& socket_options, Token&& token = {}) {
  return Socket(detail::executor_of(executor), socket_options).async_connect_made(options, token);
}
template <detail::ExecutorSource Executor, detail::TokenFor<void(error_code, Socket)> Token = use_awaitable_t>
[[nodiscard]] auto async_connect(Executor&& executor, const ConnectOptions& options, Token&& token = {}) {
  return Socket(detail::executor_of(executor)).async_connect_made(options, token);
}

/// A server that is not listening yet.
/// @param on_connection  A listener of 'connection'.
/// Source: Node net `net.createServer`.
template <detail::ExecutorSource Executor>
[[nodiscard]] Server create_server(Executor&& executor, const ServerOptions& options = {},
                                   OptionalListener<void(Socket)> on_connection = {}) {
  return Server(detail::executor_of(executor), options, std::move(on_connection));
}
template <detail::ExecutorSource Executor, ListenerFor<void(Socket)> F>
[[nodiscard]] Server create_server(Executor&& executor, F&& on_connection) {
  return create_server(executor, {}, std::forward<F>(on_connection));
}

/// A new server that listens. Signature void(error_code, Server). Errors and cancellation: as Server::async_listen.
template <detail::ExecutorSource Executor, detail::TokenFor<void(error_code, Server)> Token = use_awaitable_t>
[[nodiscard]] auto async_listen(Executor&& executor, const ListenOptions& options, const ServerOptions& server_options,
                                Token&& token = {}) {
  return Server(detail::executor_of(executor), server_options).async_listen_made(options, token);
}
template <detail::ExecutorSource Executor, detail::TokenFor<void(error_code, Server)> Token = use_awaitable_t>
[[nodiscard]] auto async_listen(Executor&& executor, const ListenOptions& options, Token&& token = {}) {
  return Server(detail::executor_of(executor)).async_listen_made(options, token);
}

}  // namespace libnet

#pragma GCC visibility pop
