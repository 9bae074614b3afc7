#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Server;
using libnet::Socket;

// What users of such libraries ask for, where no statement of its own says it.

namespace {

int option(const Socket& socket, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  ::getsockopt(socket.native_handle(), level, name, &value, &length);
  return value;
}

}  // namespace

BEHAVIOUR(R66_a_failure_is_thrown_or_comes_as_a_tuple_awaited, all_wires) {
  auto [client, server] = world.pair();
  world.await([](Socket socket) -> asio::awaitable<void> {
    const auto [sent_code, sent] = co_await socket.async_write("works", libnet::as_tuple);
    BOOST_TEST(!sent_code);
    BOOST_TEST(sent == 5u);
    BOOST_TEST(co_await socket.async_write("works") == 5u);
    socket.destroy();
    const auto [code, chunk] = co_await socket.async_read(libnet::as_tuple);
    BOOST_TEST((code == Errc::destroyed));
    BOOST_TEST(chunk.empty());
    bool thrown = false;
    try {
      co_await socket.async_read();
    } catch (const libnet::SystemError& error) {
      thrown = true;
      BOOST_TEST((error.code() == Errc::destroyed));
      BOOST_TEST(error.error().operation() == "read");
    }
    BOOST_TEST(thrown);
  }(client));
}

BEHAVIOUR(R76_keep_alive_has_idle_interval_and_count, tcp_wires) {
  auto [client, server] = world.pair();
  client.set_keep_alive({.enable = true, .initial_delay = 40s, .interval = 7s, .count = 3});
  BOOST_TEST(option(client, SOL_SOCKET, SO_KEEPALIVE) == 1);
  BOOST_TEST(option(client, IPPROTO_TCP, TCP_KEEPIDLE) == 40);
  BOOST_TEST(option(client, IPPROTO_TCP, TCP_KEEPINTVL) == 7);
  BOOST_TEST(option(client, IPPROTO_TCP, TCP_KEEPCNT) == 3);
  client.set_keep_alive({});
  BOOST_TEST(option(client, SOL_SOCKET, SO_KEEPALIVE) == 0);
}

// Sockets that have exchanged a message and now wait for the next one hold no block (64 KiB) to read into.
BEHAVIOUR(R80_an_idle_socket_holds_no_buffer, tcp_wires) {
  Server server(world.io());
  std::size_t echoed = 0;
  server.on(event::connection, [&](Socket socket) {
    socket.on(event::data, [&echoed, socket](const Chunk& chunk) mutable {
      echoed += chunk.size();
      socket.write(chunk);
    });
  });
  world.listen(server);
  std::vector<Socket> clients;
  clients.reserve(300);
  const auto grow_to = [&](std::size_t count) {
    while (clients.size() < count) {
      Socket& client = clients.emplace_back(world.io());
      world.connect(client, server);
      world.await([](Socket socket) -> asio::awaitable<void> {
        co_await socket.async_write("ping");
        const Chunk answer = co_await socket.async_read();
        BOOST_TEST(answer.to_string() == "ping");
      }(client));
    }
    world.settle();
    return ::mallinfo2().uordblks;
  };
  const std::size_t before = grow_to(100);
  const std::size_t after = grow_to(300);
  BOOST_TEST(echoed == 4 * 300u);
  BOOST_TEST(after - before < 200 * 8192u);  // both ends of 200 connections
  for (Socket& client : clients) client.destroy();
  server.close();
  world.run();
}
