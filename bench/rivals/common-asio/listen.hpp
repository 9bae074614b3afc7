#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <utility>

#include "common/rival.hpp"

/// What the rivals on Asio share.
namespace bench {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

// Asio's own executor by its type: what the default, any_io_executor, costs need not be paid.
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<tcp, Executor>;
using Acceptor = asio::basic_socket_acceptor<tcp, Executor>;

/// Holds the largest message of the scenarios, so that it takes one read. What is not touched costs no memory.
inline constexpr std::size_t message_buffer_size = 16 * 1024;
inline constexpr std::size_t relay_buffer_size = 64 * 1024;
/// [bytes] queued for one member of a fan-out that stop all input.
inline constexpr std::size_t high_water_mark = 64 * 1024;

inline tcp::endpoint loopback(std::uint16_t port) { return {asio::ip::address_v4::loopback(), port}; }

/// Accepts for ever; `on_socket(Socket)` gets each connection.
template <class OnSocket>
void accept_next(Acceptor& acceptor, OnSocket on_socket) {
  acceptor.async_accept([&acceptor, on_socket = std::move(on_socket)](const error_code& code, Socket socket) mutable {
    if (code) throw boost::system::system_error(code, "accept");
    error_code gone;  // a connection that was reset meanwhile: its first read tells
    socket.set_option(tcp::no_delay(true), gone);
    on_socket(std::move(socket));
    accept_next(acceptor, std::move(on_socket));
  });
}

/// Runs a server for ever.
template <class OnSocket>
void run_server(asio::io_context& context, OnSocket on_socket) {
  Acceptor acceptor(context, tcp::v4());
  acceptor.bind(loopback(0));
  acceptor.listen(backlog);
  announce(acceptor.local_endpoint().port());
  accept_next(acceptor, std::move(on_socket));
  context.run();
}

}  // namespace bench
