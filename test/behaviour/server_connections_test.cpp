#include <memory>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::ServerOptions;
using libnet::Socket;

// What a server's connections are like, and how it counts them.

namespace {

int option(const Socket& socket, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  ::getsockopt(socket.native_handle(), level, name, &value, &length);
  return value;
}

/// Clients of `server`, all accepted by 'connection'.
struct Crowd {
  Crowd(World& world, Server server, std::size_t count) {
    const auto listener =
        server.scoped(server.on(event::connection, [this](Socket socket) { accepted.push_back(std::move(socket)); }));
    for (std::size_t i = 0; i < count; ++i) {
      clients.emplace_back(world.io());
      world.connect(clients.back(), server);
      world.run_until([&] { return accepted.size() == i + 1 && !clients.back().connecting(); });
    }
  }
  std::vector<Socket> clients;
  std::vector<Socket> accepted;
};

}  // namespace

BEHAVIOUR(B43_connection_carries_a_socket_of_the_server, all_wires) {
  Server server(world.io());
  int connections = 0;
  server.on(event::connection, [&](const Socket& socket) {
    ++connections;
    BOOST_TEST((socket.server() == server));
    BOOST_TEST(socket.readable());
    BOOST_TEST(socket.writable());
    BOOST_TEST(!socket.pending());
    BOOST_TEST(!socket.connecting());
    BOOST_TEST((socket.ready_state() == libnet::ReadyState::open));
  });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  BOOST_TEST(!client.server().has_value());
  world.run_until([&] { return connections == 1; });
}

BEHAVIOUR(B43_an_accepted_socket_is_of_the_server_awaited, all_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen(here.listen_options());
    const Socket client = co_await libnet::async_connect(here.io(), here.connect_options(server));
    const Socket socket = co_await server.async_accept();
    BOOST_TEST((socket.server() == server));
    BOOST_TEST(socket.readable());
    BOOST_TEST(socket.writable());
  }(world));
}

BEHAVIOUR(B44_get_connections, all_wires) {
  Server server(world.io());
  std::vector<std::size_t> counts;
  const auto note = [&counts](error_code code, std::size_t count) {
    BOOST_TEST(!code);
    counts.push_back(count);
  };
  server.get_connections(note);  // it never listened
  BOOST_TEST(counts.empty());
  world.settle();
  BOOST_TEST(counts == std::vector<std::size_t>{0});
  world.listen(server);
  Crowd crowd(world, server, 1);
  server.get_connections(note);
  world.settle();
  BOOST_TEST(counts == (std::vector<std::size_t>{0, 1}));
  BOOST_TEST(server.connections() == 1u);
  crowd.clients[0].destroy();
  crowd.accepted[0].destroy();
  world.await([](Server counted) -> asio::awaitable<void> {
    BOOST_TEST(co_await counted.async_get_connections() == 0u);
  }(server));
}

BEHAVIOUR(B56_pause_on_connect, all_wires) {
  Server server(world.io(), {.pause_on_connect = true});
  Recorder recorder;
  Socket accepted;
  server.on(event::connection, [&](Socket socket) {
    recorder.watch(socket, "accepted");
    accepted = std::move(socket);
  });
  world.listen(server);
  Socket client(world.io());
  recorder.watch(client, "client");
  world.connect(client, server);
  client.end("hello");
  world.run_until([&] { return recorder.count("client:finish") == 1 && !accepted.pending(); });
  world.settle();
  BOOST_TEST(accepted.is_paused());
  BOOST_TEST(accepted.bytes_read() == 0u);
  expect(recorder.of("accepted"), {"connect", "ready"});
  server.close();
  accepted.resume();
  world.run();
  expect(recorder.of("accepted"), {"connect", "ready", "data(5)", "end", "finish", "close(false)"});
  BOOST_TEST(accepted.bytes_read() == 5u);
}

BEHAVIOUR(B57_options_of_the_server_apply_to_every_accepted_socket, real_wires) {
  const ServerOptions options{.socket = {.allow_half_open = true,
                                         .high_water_mark = 12345,
                                         .no_delay = true,
                                         .keep_alive = true,
                                         .keep_alive_initial_delay = 7s,
                                         .timeout = 90s}};
  Server server(world.io(), options);
  world.listen(server);
  Crowd crowd(world, server, 3);
  for (const Socket& socket : crowd.accepted) {
    BOOST_TEST(socket.allow_half_open());
    BOOST_TEST(socket.high_water_mark() == 12345u);
    BOOST_TEST((socket.timeout() == 90s));
    if (!world.is_tcp()) continue;
    BOOST_TEST(option(socket, IPPROTO_TCP, TCP_NODELAY) != 0);
    BOOST_TEST(option(socket, SOL_SOCKET, SO_KEEPALIVE) == 1);
    BOOST_TEST(option(socket, IPPROTO_TCP, TCP_KEEPIDLE) == 7);
  }
}

BEHAVIOUR(B57_an_accepted_socket_gets_type_of_service_and_the_block_list_for_a_later_connect, tcp_wires) {
  libnet::BlockList list;
  list.add_address(world.listen_options().host);
  Server server(world.io(), {.socket = {.type_of_service = 0x10, .block_list = &list}});
  world.listen(server);
  Crowd crowd(world, server, 1);
  Socket accepted = crowd.accepted[0];
  BOOST_TEST(accepted.type_of_service() == 0x10);
  bool closed = false;
  accepted.once(event::close, [&](bool) { closed = true; });
  accepted.destroy();
  world.run_until([&] { return closed; });
  Error failure;
  accepted.on(event::error, [&](const Error& error) { failure = error; });
  world.connect(accepted, server);
  world.run_until([&] { return static_cast<bool>(failure); });
  BOOST_TEST((failure.code() == libnet::Errc::ip_blocked));
}

BEHAVIOUR(B57_options_that_cannot_hold_for_every_accepted_socket_are_refused, real_wires) {
  const auto refused = [&](const libnet::SocketOptions& options) {
    try {
      Server(world.io(), {.socket = options});
    } catch (const libnet::SystemError& error) {
      return error.code();
    }
    return libnet::error_code();
  };
  BOOST_TEST((refused({.fd = 0}) == libnet::Errc::invalid_argument));
  BOOST_TEST((refused({.type_of_service = 256}) == libnet::Errc::out_of_range));
  BOOST_TEST(!refused({.type_of_service = 255}));
}

BEHAVIOUR(B57_without_options_the_defaults_apply, real_wires) {
  Server server(world.io());
  world.listen(server);
  Crowd crowd(world, server, 1);
  const Socket& socket = crowd.accepted[0];
  BOOST_TEST(!socket.allow_half_open());
  BOOST_TEST(socket.high_water_mark() == 65536u);
  if (!world.is_tcp()) return;
  BOOST_TEST(option(socket, IPPROTO_TCP, TCP_NODELAY) == 0);
  BOOST_TEST(option(socket, SOL_SOCKET, SO_KEEPALIVE) == 0);
}

BEHAVIOUR(B59_150_connections_are_served_completely, all_wires) {
  const std::string body = random_bytes(40'960);
  Server server(world.io());
  int served = 0;
  server.on(event::connection, [&](Socket socket) {
    ++served;
    socket.end(body);
  });
  world.listen(server);
  constexpr int clients = 50;
  constexpr int rounds = 3;
  struct Client {
    Socket socket;
    std::string received;
    int round = 0;
  };
  std::vector<std::unique_ptr<Client>> all;
  int complete = 0;
  const auto add_listeners = [&](Client& client) {
    client.socket.on(event::data, [&client](const Chunk& chunk) { client.received += chunk; });
    client.socket.on(event::close, [&](bool had_error) {
      BOOST_TEST(!had_error);
      BOOST_TEST((client.received == body));
      client.received.clear();
      ++complete;
      if (++client.round < rounds) world.connect(client.socket, server);
      if (complete == clients * rounds) server.close();
    });
  };
  for (int i = 0; i < clients; ++i) {
    all.push_back(std::make_unique<Client>(Client{Socket(world.io()), {}, 0}));
    add_listeners(*all.back());
    world.connect(all.back()->socket, server);
  }
  world.run();
  BOOST_TEST(complete == clients * rounds);
  BOOST_TEST(served == clients * rounds);
}

BEHAVIOUR(B59_150_connections_are_served_completely_awaited, all_wires) {
  const std::string body = random_bytes(40'960);
  Server server(world.io());
  server.serve([&body](Socket socket) -> asio::awaitable<void> { co_await socket.async_write(body); });
  world.listen(server);
  int complete = 0;
  const auto client = [](World& here, Server target, const std::string& expected, int& done) -> asio::awaitable<void> {
    for (int round = 0; round < 3; ++round) {
      Socket socket = co_await libnet::async_connect(here.io(), here.connect_options(target));
      std::string received;
      while (const Chunk chunk = co_await socket.async_read()) received += chunk;
      BOOST_TEST((received == expected));
      if (++done == 150) target.close();
    }
  };
  for (int i = 0; i < 50; ++i) world.spawn(client(world, server, body, complete));
  world.run();
  BOOST_TEST(complete == 150);
}

BEHAVIOUR(B243_sockets_lists_the_open_connections, all_wires) {
  Server server(world.io());
  BOOST_TEST(server.sockets().empty());
  world.listen(server);
  Crowd crowd(world, server, 5);
  BOOST_TEST((server.sockets() == crowd.accepted));
  crowd.accepted[2].destroy();
  BOOST_TEST(server.sockets().size() == 4u);
  crowd.accepted.clear();
  std::size_t closed = 0;
  for (Socket socket : server.sockets()) socket.on(event::close, [&](bool) { ++closed; });
  for (Socket socket : server.sockets()) socket.destroy();
  BOOST_TEST(server.sockets().empty());
  BOOST_TEST(server.connections() == 0u);
  world.run_until([&] { return closed == 4; });
  server.close();
  world.run();
}

BEHAVIOUR(B243_the_list_goes_on_after_the_server_closed, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.listen(server);
  Crowd crowd(world, server, 3);
  server.close();
  world.settle();
  BOOST_TEST(server.sockets().size() == 3u);
  for (Socket socket : server.sockets()) socket.destroy();
  world.run();
  expect(recorder.of("server"), {"listening", "close"});
}

BEHAVIOUR(B244_connect_and_ready_come_on_the_turn_after_connection, all_wires) {
  Server server(world.io());
  Log log;
  server.on(event::connection, [&](Socket socket) {
    log.emplace_back("connection");
    socket.on(event::connect, [&, socket]() mutable {
      log.emplace_back("connect");
      socket.end("hello");  // old Node's server example greets here
    });
    socket.on(event::ready, [&] { log.emplace_back("ready"); });
    server.close();
    log.emplace_back("connection returns");
  });
  server.on(event::connection, [&](const Socket&) { log.emplace_back("second listener"); });
  world.listen(server);
  Socket client(world.io());
  std::string greeting;
  client.on(event::data, [&](const Chunk& chunk) { greeting += chunk; });
  world.connect(client, server);
  world.run();
  expect(log, {"connection", "connection returns", "second listener", "connect", "ready"});
  BOOST_TEST(greeting == "hello");
}

BEHAVIOUR(B244_connect_and_ready_of_an_accepted_socket_awaited, all_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen(here.listen_options());
    const Socket client = co_await libnet::async_connect(here.io(), here.connect_options(server));
    Socket accepted = co_await server.async_accept();
    Log log;
    accepted.on(event::connect, [&log] { log.emplace_back("connect"); });
    accepted.on(event::ready, [&log] { log.emplace_back("ready"); });
    co_await accepted.async_wait(event::ready);
    expect(log, {"connect", "ready"});
  }(world));
}
