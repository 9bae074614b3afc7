#include "common/servers.hpp"
#include "coroutines.hpp"

namespace {

awaitable<> echo_pieces(Socket socket, std::size_t piece) {
  std::array<char, bench::message_buffer_size> buffer;
  for (;;) {
    const auto [ended, size] = co_await socket.async_read_some(asio::buffer(buffer));
    if (ended) co_return;
    for (asio::const_buffer left = asio::buffer(buffer, size); left.size() != 0;) {
      const auto [failed, written] = co_await asio::async_write(socket, asio::buffer(left, piece));
      if (failed) co_return;
      left += written;
    }
  }
}

}  // namespace

void serve_pieces(std::size_t size) { serve_coroutines(echo_pieces, size); }
