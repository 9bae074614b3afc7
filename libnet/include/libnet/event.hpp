#pragma once

#include <libnet/chunk.hpp>
#include <libnet/drop_info.hpp>
#include <libnet/error.hpp>
#include <libnet/listener_id.hpp>
#include <libnet/lookup.hpp>

#include <cstdint>
#include <exception>
#include <type_traits>

namespace boost::asio {
template <typename, typename>
class awaitable;
}

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

class Server;
class Socket;

enum class SocketEvent : std::uint8_t {
  lookup,
  connection_attempt,
  connection_attempt_failed,
  connection_attempt_timeout,
  connect,
  ready,
  data,
  end,
  drain,
  finish,
  timeout,
  error,
  close,
};
enum class ServerEvent : std::uint8_t { listening, connection, drop, error, close, handler_error };

/// Names an event and carries the signature of its listeners.
template <SocketEvent Event, class Signature>
struct SocketTag {};
template <ServerEvent Event, class Signature>
struct ServerTag {};
/// An event that both have. A wrong listener's error message begins with this type, and so with the signatures.
template <class OfSocket, class OfServer>
struct SharedTag : OfSocket, OfServer {};

/// The events. `on(event::data, [](libnet::Chunk chunk) { … })` listens; the signature is checked at compile time.
namespace event {

/// The name lookup found an address (once for each), or failed.
inline constexpr SocketTag<SocketEvent::lookup, void(LookupResult)> lookup;
/// A connect to one IP address begins.
inline constexpr SocketTag<SocketEvent::connection_attempt, void(SocketAddress)> connection_attempt;
/// It failed; others may go on or follow.
inline constexpr SocketTag<SocketEvent::connection_attempt_failed, void(SocketAddress, Error)>
    connection_attempt_failed;
/// It has had its time: the next one begins. This one goes on beside it and may still win.
inline constexpr SocketTag<SocketEvent::connection_attempt_timeout, void(SocketAddress)> connection_attempt_timeout;
/// The connection is up. Directly followed by `ready`.
inline constexpr SocketTag<SocketEvent::connect, void()> connect;
inline constexpr SocketTag<SocketEvent::ready, void()> ready;
/// Bytes arrived. The chunk is valid until the listener returns. Listening starts the flow, unless it is paused.
inline constexpr SocketTag<SocketEvent::data, void(Chunk)> data;
/// The peer ended its side, and all its bytes were delivered.
inline constexpr SocketTag<SocketEvent::end, void()> end;
/// A `write()` returned false, and the queue has emptied since.
inline constexpr SocketTag<SocketEvent::drain, void()> drain;
/// All data and the end of our side are sent.
inline constexpr SocketTag<SocketEvent::finish, void()> finish;
/// Nothing moved for the time given to `set_timeout`. The socket stays open.
inline constexpr SocketTag<SocketEvent::timeout, void()> timeout;

/// A connection is accepted.
inline constexpr ServerTag<ServerEvent::connection, void(Socket)> connection;
inline constexpr ServerTag<ServerEvent::listening, void()> listening;
/// A connection was refused: there are `max_connections` already.
inline constexpr ServerTag<ServerEvent::drop, void(DropInfo)> drop;
/// A listener or a `serve` handler ended with an exception: its socket, which is being destroyed, and the exception.
inline constexpr ServerTag<ServerEvent::handler_error, void(Socket, std::exception_ptr)> handler_error;

/// Sockets: the connection failed; at most once per connection, before `close`. Servers: listening or accepting failed.
inline constexpr SharedTag<SocketTag<SocketEvent::error, void(Error)>, ServerTag<ServerEvent::error, void(Error)>>
    error;

/// Sockets: the last event; the argument tells whether an error ended the connection. Servers: everything is closed.
inline constexpr SharedTag<SocketTag<SocketEvent::close, void(bool)>, ServerTag<ServerEvent::close, void()>> close;

}  // namespace event

namespace detail {

template <class T>
inline constexpr bool is_awaitable = false;
template <class T, class Executor>
inline constexpr bool is_awaitable<boost::asio::awaitable<T, Executor>> = true;

template <class Listener, class Signature>
inline constexpr bool listens = false;
template <class Listener, class... Arguments>
  requires std::is_invocable_v<std::decay_t<Listener>&, Arguments...>
inline constexpr bool listens<Listener, void(Arguments...)> =
    !is_awaitable<std::invoke_result_t<std::decay_t<Listener>&, Arguments...>>;

}  // namespace detail

/// A callable with the event's signature. Not a coroutine: nobody would run it (use `serve` or `co_spawn`).
template <class Listener, class Signature>
concept ListenerFor = detail::listens<Listener, Signature>;

}  // namespace libnet

#pragma GCC visibility pop
