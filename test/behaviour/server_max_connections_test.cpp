#include <optional>
#include <string>
#include <vector>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"
#include "support/visitor.hpp"

using namespace libnet::test;
using libnet::DropInfo;
using libnet::Server;
using libnet::ServerOptions;
using libnet::Socket;
using libnet::SocketAddress;

// How many connections a server takes, and what becomes of the others.

namespace {

/// A server that keeps what it accepts and counts what it refuses.
struct Limited {
  explicit Limited(World& world, std::optional<std::size_t> limit) : server(world.io()) {
    server.max_connections(limit);
    server.on(event::connection, [this](Socket socket) {
      socket.write("welcome");
      accepted.push_back(std::move(socket));
    });
    server.on(event::drop, [this](const DropInfo& info) { dropped.push_back(info); });
    world.listen(server);
  }
  std::size_t seen() const { return accepted.size() + dropped.size(); }

  Server server;
  std::vector<Socket> accepted;
  std::vector<DropInfo> dropped;
};

/// A client that the server has seen.
Visitor client_of(World& world, const Limited& limited) {
  const SocketAddress address = limited.server.address().value();
  Visitor client(world);
  BOOST_REQUIRE(client.connect(address) == 0);
  const std::size_t before = limited.seen();
  world.run_until([&] { return limited.seen() == before + 1; });
  return client;
}

}  // namespace

BEHAVIOUR(B45_the_first_ten_are_served, all_wires) {
  Limited limited(world, 10);
  Recorder recorder;
  std::vector<Socket> clients;
  int closed = 0;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(world.io());
    recorder.watch(clients.back(), std::to_string(i));
    clients.back().on(event::close, [&](bool) { ++closed; });
    world.connect(clients.back(), limited.server);
    world.run_until([&] { return limited.seen() == static_cast<std::size_t>(i) + 1; });
  }
  world.run_until([&] { return closed == 10; });
  world.settle();
  BOOST_TEST(limited.accepted.size() == 10u);
  BOOST_TEST(limited.dropped.size() == 10u);
  BOOST_TEST(limited.server.connections() == 10u);
  for (int i = 0; i < 20; ++i) {
    const std::string name = std::to_string(i);
    BOOST_TEST(recorder.received(name) == (i < 10 ? "welcome" : ""));
    BOOST_TEST(recorder.count(name + ":close(false)") == (i < 10 ? 0u : 1u));
  }
  for (Socket& socket : limited.accepted) socket.end();
  world.run_until([&] { return closed == 20; });
}

BEHAVIOUR(B46_a_limit_set_later_counts_from_the_next_connection_on, all_wires) {
  Limited limited(world, std::nullopt);
  BOOST_TEST(!limited.server.max_connections().has_value());
  const Visitor first = client_of(world, limited);
  const Visitor second = client_of(world, limited);
  BOOST_TEST(limited.accepted.size() == 2u);
  limited.server.max_connections(1);
  BOOST_TEST(limited.server.max_connections().value() == 1u);
  const Visitor third = client_of(world, limited);
  BOOST_TEST(limited.accepted.size() == 2u);
  BOOST_TEST(limited.server.connections() == 2u);
  limited.server.max_connections(std::nullopt);
  const Visitor fourth = client_of(world, limited);
  BOOST_TEST(limited.accepted.size() == 3u);
}

BEHAVIOUR(B47_drop_tells_both_addresses, all_wires) {
  Limited limited(world, 0);
  const Visitor client = client_of(world, limited);
  BOOST_TEST_REQUIRE(limited.dropped.size() == 1u);
  const DropInfo& info = limited.dropped.front();
  if (world.is_unix()) {
    BOOST_TEST(!info.local_address.has_value());
    BOOST_TEST(!info.remote_address.has_value());
  } else {
    BOOST_TEST((info.local_address.value() == limited.server.address().value()));
    BOOST_TEST((info.remote_address.value() == client.local_address()));
    BOOST_TEST(info.remote_address->port() != 0);
    BOOST_TEST((info.remote_address->family() == limited.server.address()->family()));
  }
}

BEHAVIOUR(B47_drop_can_be_waited_for_awaited, all_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    server.max_connections(0);
    server.on(event::connection, [](const Socket&) { BOOST_ERROR("a connection beyond the limit"); });
    co_await server.async_listen(here.listen_options());
    Socket client(here.io());
    here.connect(client, server);
    const DropInfo info = co_await server.async_wait(event::drop);
    BOOST_TEST(info.remote_address.has_value() == here.is_tcp());
    if (here.is_tcp()) BOOST_TEST((info.local_address.value() == server.address().value()));
    server.close();
  }(world));
}

BEHAVIOUR(B48_zero_refuses_all_and_a_waiting_accept_goes_on_waiting, all_wires) {
  Server server(world.io());
  int dropped = 0;
  server.on(event::drop, [&](const DropInfo&) { ++dropped; });
  server.max_connections(0);
  world.listen(server);
  std::optional<Socket> accepted;
  server.async_accept([&](libnet::error_code code, Socket socket) {
    BOOST_TEST(!code);
    accepted = std::move(socket);
  });
  const SocketAddress address = server.address().value();
  Visitor refused(world);
  BOOST_REQUIRE(refused.connect(address) == 0);
  world.run_until([&] { return dropped == 1; });
  world.settle();
  BOOST_TEST(!accepted.has_value());
  server.max_connections(1);
  Visitor taken(world);
  BOOST_REQUIRE(taken.connect(address) == 0);
  world.run_until([&] { return accepted.has_value(); });
  BOOST_TEST(dropped == 1);
}

BEHAVIOUR(B48_zero_refuses_all_under_serve_awaited, all_wires) {
  Server server(world.io());
  int dropped = 0;
  server.on(event::drop, [&](const DropInfo&) { ++dropped; });
  server.max_connections(0);
  server.serve([](const Socket&) -> asio::awaitable<void> {
    BOOST_ERROR("a connection beyond the limit");
    co_return;
  });
  world.listen(server);
  const SocketAddress address = server.address().value();
  Visitor refused(world);
  BOOST_REQUIRE(refused.connect(address) == 0);
  world.run_until([&] { return dropped == 1; });
  server.close();
}

BEHAVIOUR(B49_a_closed_connection_frees_its_place, all_wires) {
  Limited limited(world, 1);
  const Visitor zero = client_of(world, limited);
  const Visitor one = client_of(world, limited);
  BOOST_TEST(limited.accepted.size() == 1u);
  limited.accepted.front().destroy();
  world.run_until([&] { return limited.server.connections() == 0; });
  const Visitor two = client_of(world, limited);
  BOOST_TEST(limited.accepted.size() == 2u);
  const Visitor three = client_of(world, limited);
  BOOST_TEST(limited.accepted.size() == 2u);
  BOOST_TEST(limited.dropped.size() == 2u);
}

BEHAVIOUR(B50_what_a_refused_client_sees, real_wires) {
  Limited limited(world, 0);
  Socket silent(world.io());
  Recorder recorder;
  recorder.watch(silent, "silent");
  world.connect(silent, limited.server);
  world.run_until([&] { return recorder.count("silent:close(false)") == 1; });
  BOOST_TEST(recorder.count("silent:end") == 1u);

  // What it wrote was there before the refusal.
  const SocketAddress address = limited.server.address().value();
  RawSocket writing(address.family());
  BOOST_REQUIRE(writing.connect(address) == 0);
  writing.send("hello");
  world.run_until([&] { return limited.dropped.size() == 2; });
  char byte = 0;
  const ssize_t got = ::recv(writing.descriptor(), &byte, 1, 0);
  const int code = got < 0 ? errno : 0;
  BOOST_TEST(((got == 0) || (got < 0 && code == ECONNRESET)));
}
