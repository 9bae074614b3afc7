// libnet_echo_bench events|await|await_nested epoll|portable: an echo server that prints its port.
#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <cstring>
#include <iostream>
#include <string_view>

namespace {

namespace asio = boost::asio;
namespace event = libnet::event;

asio::awaitable<void> echo(libnet::Socket socket) {
  while (auto chunk = co_await socket.async_read()) co_await socket.async_write(chunk);
}

asio::awaitable<bool> echo_message(libnet::Socket& socket) {
  const libnet::Chunk chunk = co_await socket.async_read();
  if (chunk) co_await socket.async_write(chunk);
  co_return static_cast<bool>(chunk);
}

asio::awaitable<void> echo_nested(libnet::Socket socket) {
  // Not `while (co_await echo_message(socket)) {}`: g++ 12 miscompiles a loop with an empty body.
  for (bool more = true; more;) more = co_await echo_message(socket);
}

void echo_by_events(libnet::Socket socket) {
  socket.on(event::data, [socket](libnet::Chunk chunk) mutable {
    if (!socket.write(chunk)) socket.pause();
  });
  socket.on(event::drain, [socket]() mutable { socket.resume(); });
}

bool start(libnet::Server& server, std::string_view style) {
  if (style == "events") {
    server.on(event::connection, echo_by_events);
  } else if (style == "await") {
    server.serve(echo);
  } else if (style == "await_nested") {
    server.serve(echo_nested);
  } else {
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view style = argc > 1 ? argv[1] : "";
  const std::string_view reactor = argc > 2 ? argv[2] : "epoll";
  asio::io_context context;
  libnet::use_reactor(context, reactor == "portable" ? libnet::ReactorKind::portable : libnet::ReactorKind::epoll);
  libnet::Server server(context);
  if (!start(server, style)) {
    std::cerr << "usage: libnet_echo_bench events|await|await_nested epoll|portable\n";
    return 2;
  }
  server.listen({.host = "127.0.0.1"});
  std::cout << server.address().value().port() << std::endl;
  context.run();
}
