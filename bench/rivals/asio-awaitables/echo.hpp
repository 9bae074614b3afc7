#pragma once

#include "coroutines.hpp"

/// Echoes until the connection ends.
/// @param before_read  Called before each read.
template <class BeforeRead>
awaitable<> echo(Socket& socket, BeforeRead before_read) {
  std::array<char, bench::message_buffer_size> buffer;
  for (;;) {
    before_read();
    const auto [ended, size] = co_await socket.async_read_some(asio::buffer(buffer));
    if (ended) co_return;
    const auto [failed, written] = co_await asio::async_write(socket, asio::buffer(buffer, size));
    if (failed) co_return;
  }
}
