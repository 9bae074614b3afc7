#include <boost/asio/experimental/awaitable_operators.hpp>

#include "common/servers.hpp"
#include "coroutines.hpp"

namespace {

using asio::experimental::awaitable_operators::operator&&;

/// Passes bytes on until the end, and then the end. A failure closes both sockets, and so ends the other direction.
awaitable<> copy(Socket& from, Socket& to) {
  std::array<char, bench::relay_buffer_size> buffer;
  bench::error_code failed;
  while (!failed) {
    const auto [ended, size] = co_await from.async_read_some(asio::buffer(buffer));
    failed = ended;
    if (ended) break;
    const auto [broken, written] = co_await asio::async_write(to, asio::buffer(buffer, size));
    failed = broken;
  }
  if (failed == asio::error::eof) to.shutdown(Socket::shutdown_send, failed);
  if (!failed) co_return;
  from.close(failed);
  to.close(failed);
}

awaitable<> relay(Socket client, std::uint16_t upstream) {
  Socket server(client.get_executor());
  const auto [failed] = co_await server.async_connect(bench::loopback(upstream));
  if (failed) co_return;
  server.set_option(bench::tcp::no_delay(true));
  co_await (copy(client, server) && copy(server, client));
}

}  // namespace

void serve_relay(std::uint16_t upstream) { serve_coroutines(relay, upstream); }
