#include <boost/asio/experimental/awaitable_operators.hpp>

#include "common/servers.hpp"
#include "coroutines.hpp"

namespace {

using asio::experimental::awaitable_operators::operator||;

awaitable<> send_blocks(Socket& socket, asio::const_buffer block) {
  for (;;) {
    const auto [failed, written] = co_await asio::async_write(socket, block);
    if (failed) co_return;
  }
}

/// Ends with the peer.
awaitable<> ignore_input(Socket& socket) {
  std::array<char, bench::message_buffer_size> ignored;
  for (;;) {
    const auto [ended, size] = co_await socket.async_read_some(asio::buffer(ignored));
    if (ended) co_return;
  }
}

awaitable<> stream(Socket socket, asio::const_buffer block) {
  co_await (send_blocks(socket, block) || ignore_input(socket));
}

}  // namespace

void serve_stream(std::size_t size) {
  const auto block = bench::make_block(size);
  serve_coroutines(stream, asio::buffer(block));
}
