#include <libnet/server.hpp>

#include "echo.hpp"
#include "servers.hpp"

namespace event = libnet::event;

void serve_timeouts(const Choices& choices, std::chrono::milliseconds idle) {
  const auto limit = [idle](libnet::Socket socket) {
    socket.set_timeout(idle, [socket]() mutable { socket.destroy(); });
  };
  const auto listen = [limit](libnet::Socket socket) {
    limit(socket);
    echo_by_listeners(std::move(socket));
  };
  const auto await = [limit](libnet::Socket socket) {
    limit(socket);
    return echo(std::move(socket));
  };
  run_server(
      choices, [&](libnet::Server& server) { server.on(event::connection, listen); },
      [&](libnet::Server& server) { server.serve(await); });
}
