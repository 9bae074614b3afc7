#include "echo.hpp"

#include <libnet/server.hpp>

#include "servers.hpp"

namespace event = libnet::event;

void echo_by_listeners(libnet::Socket socket) {
  socket.on(event::data, [socket](libnet::Chunk chunk) mutable {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on(event::drain, [socket]() mutable { socket.resume(); });
}

boost::asio::awaitable<void> echo(libnet::Socket socket) {
  while (auto chunk = co_await socket.async_read()) co_await socket.async_write(chunk);
}

void serve_echo(const Choices& choices) {
  run_server(
      choices, [](libnet::Server& server) { server.on(event::connection, echo_by_listeners); },
      [](libnet::Server& server) { server.serve(echo); });
}
