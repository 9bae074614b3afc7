#include <libnet/server.hpp>

#include <boost/asio/awaitable.hpp>

#include <span>

#include "common/rival.hpp"
#include "servers.hpp"

namespace event = libnet::event;

namespace {

/// Goes on when the block is in the kernel: a peer that reads as fast as this writes must not keep the others waiting.
void send_block(libnet::Socket socket, const libnet::Bytes& block) {
  socket.write(block, [socket, block](const libnet::error_code& code) {
    if (!code) send_block(socket, block);
  });
}

void stream_by_listeners(libnet::Socket socket, const libnet::Bytes& block) {
  socket.on(event::error, [](const libnet::Error&) {});  // a reader that goes away is no news here
  socket.resume();                                       // discards what the peer sends
  send_block(std::move(socket), block);
}

boost::asio::awaitable<void> stream(libnet::Socket socket, libnet::Bytes block) {
  socket.resume();  // discards what the peer sends
  while (socket.readable()) co_await socket.async_write(block);
}

}  // namespace

void serve_stream(const Choices& choices, std::size_t size) {
  const auto bytes = bench::make_block(size);
  const libnet::Bytes block(std::as_bytes(std::span(bytes)));
  const auto listen = [block](libnet::Socket socket) { stream_by_listeners(std::move(socket), block); };
  const auto await = [block](libnet::Socket socket) { return stream(std::move(socket), block); };
  run_server(
      choices, [&](libnet::Server& server) { server.on(event::connection, listen); },
      [&](libnet::Server& server) { server.serve(await); });
}
