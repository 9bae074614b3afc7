#pragma once

#include <libnet/socket.hpp>

#include <boost/beast/core/role.hpp>

#include <utility>

/// What Boost.Beast needs beyond Asio's stream concepts to run `websocket::stream<libnet::Socket>`. Include this header
/// where such a stream is used; Beast finds these functions by their argument, nobody calls them by hand. HTTP needs
/// nothing but <libnet/socket.hpp>.
namespace libnet {

/// Ends the connection after the closing handshake: flushes, ends, waits for the peer's end within the linger bounds.
/// Either role may end first, since the peer's bytes are read to their end, never answered with a reset.
/// @param handler  Completion handler; signature void(error_code). Completes after 'close'.
/// Source: RFC 6455 section 7.1.1.
template <class Handler>
void async_teardown(boost::beast::role_type, Socket& socket, Handler&& handler) {
  socket.async_close(std::forward<Handler>(handler));
}

/// The same without waiting.
inline void teardown(boost::beast::role_type, Socket& socket, error_code& code) {
  socket.destroy_soon();
  code = {};
}

/// Closes at once: a WebSocket's time was up.
inline void beast_close_socket(Socket& socket) { socket.destroy(); }

}  // namespace libnet
