#include <memory>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "support/behaviour.hpp"
#include "support/visitor.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::DropInfo;
using libnet::Errc;
using libnet::error_code;
using libnet::Lookup;
using libnet::LookupAnswer;
using libnet::LookupOptions;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;
using libnet::SystemError;

// What server_*_test.cpp say of listeners, for servers whose listening, accepting and closing are awaited.

namespace {

constexpr unsigned any_wire = static_cast<unsigned>(Wire::tcp4) |
                              static_cast<unsigned>(Wire::memory);  // for cases that choose their address themselves
constexpr unsigned unix_wire = static_cast<unsigned>(Wire::unix_path);

int option(const Socket& socket, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  ::getsockopt(socket.native_handle(), level, name, &value, &length);
  return value;
}

/// Accepts until the server closes, and keeps what it got.
asio::awaitable<void> accept_all(Server server, std::vector<Socket>& accepted) {
  while (true) {
    const auto [code, socket] = co_await server.async_accept(libnet::as_tuple);
    if (code) co_return;
    accepted.push_back(socket);
  }
}

/// A client that is through, and that the server has taken or refused.
asio::awaitable<Socket> client_of(World& world, Server server) {
  const libnet::ConnectOptions where = world.connect_options(server);
  Socket client = co_await libnet::async_connect(world.io(), where);
  co_return client;
}

template <class Object>
asio::awaitable<void> note_close_of(Object object, std::string name, Log& log) {
  co_await object.async_wait(event::close);
  log.push_back(std::move(name));
}

asio::awaitable<bool> is_refused(Socket client) {
  const auto [code, chunk] = co_await client.async_read(libnet::as_tuple);
  co_return code == asio::error::connection_reset || (!code && chunk.empty());
}

}  // namespace

BEHAVIOUR(B2_B3_addresses_awaited, any_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server any(here.io());
    const libnet::ListenOptions nowhere_said{};
    co_await any.async_listen(nowhere_said);
    const SocketAddress address = any.address().value();
    const bool has_ipv6 = probe(here, SocketAddress::ip("::1", address.port())) != EADDRNOTAVAIL;
    BOOST_TEST(address.address() == (has_ipv6 ? "::" : "0.0.0.0"));
    BOOST_TEST(probe(here, SocketAddress::ip("127.0.0.1", address.port())) == 0);
    Server four(here.io());
    co_await four.async_listen({.host = "127.0.0.1", .port = 0});
    BOOST_TEST(four.address()->address() == "127.0.0.1");
    BOOST_TEST(four.address()->family_name() == "IPv4");
    Server six(here.io());
    co_await six.async_listen({.host = "::1", .port = 0});
    BOOST_TEST(six.address()->address() == "::1");
    BOOST_TEST(six.address()->family_name() == "IPv6");
    const int port = six.address()->port();
    co_await six.async_close();
    co_await six.async_listen({.host = "::1", .port = port});
    BOOST_TEST(six.address()->port() == port);
  }(world));
}

BEHAVIOUR(B6_listening_tells_the_state_awaited, all_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    BOOST_TEST(!server.listening());
    co_await server.async_listen(here.listen_options());
    BOOST_TEST(server.listening());
    co_await server.async_close();
    BOOST_TEST(!server.listening());
  }(world));
}

BEHAVIOUR(B18_ipv6_only_leaves_ipv4_to_others_awaited, any_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen({.host = "::", .port = 0, .ipv6_only = true});
    const int port = server.address()->port();
    Socket six(here.io());
    co_await six.async_connect({.host = "::1", .port = port});
    Socket four(here.io());
    // Of 127.0.0.1 a program that runs beside this one may use the same port.
    const auto [code] = co_await four.async_connect({.host = "127.0.18.1", .port = port}, libnet::as_tuple);
    BOOST_TEST((code == asio::error::connection_refused));
  }(world));
}

BEHAVIOUR(B25_a_link_local_address_without_scope_awaited, any_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const Lookup lookup = [](std::string_view, const LookupOptions&, const LookupAnswer& answer) { answer("fe80::1"); };
    Server server(here.io());
    try {
      co_await server.async_listen({.host = "many.test", .port = 4321, .lookup = &lookup});
      BOOST_ERROR("listening");
    } catch (const SystemError& failure) {
      BOOST_TEST(std::string(failure.what()) == "listen EINVAL: invalid argument fe80::1:4321");
      BOOST_TEST((failure.error().local_address() == SocketAddress::ip("fe80::1", 4321)));
      BOOST_TEST(failure.error().operation() == "listen");
    }
  }(world));
}

BEHAVIOUR(B30_B35_the_address_is_the_path_awaited, unix_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string path = here.new_path();
    Server server(here.io());
    co_await server.async_listen({.path = path});
    BOOST_TEST(server.address()->address() == path);
    BOOST_TEST(server.address()->family_name() == "unix");
    const std::string missing = here.new_path() + "/missing/server.sock";
    Server nowhere(here.io());
    const auto [code] = co_await nowhere.async_listen({.path = missing}, libnet::as_tuple);
    BOOST_TEST((code == boost::system::errc::no_such_file_or_directory));
    BOOST_TEST(nowhere.error().path() == missing);
    BOOST_TEST(nowhere.error().local_address()->address() == missing);
  }(world));
}

BEHAVIOUR(B41_ping_pong_and_destroy_as_on_tcp_awaited, all_wires) {
  auto [client, server] = world.pair();
  world.spawn([](Socket socket) -> asio::awaitable<void> {
    while (const Chunk chunk = co_await socket.async_read()) {
      BOOST_TEST(chunk.to_string() == "PING");
      co_await socket.async_write("PONG");
    }
  }(server));
  world.await([](Socket socket) -> asio::awaitable<void> {
    for (int round = 0; round < 100; ++round) {
      co_await socket.async_write("PING");
      const Chunk chunk = co_await socket.async_read();
      BOOST_TEST(chunk.to_string() == "PONG");
    }
    socket.destroy();
    const bool had_error = co_await socket.async_wait(event::close);
    BOOST_TEST(!had_error);
  }(client));
  world.await([](Socket socket) -> asio::awaitable<void> {
    const bool had_error = co_await socket.async_wait(event::close);
    BOOST_TEST(!had_error);
  }(server));
}

BEHAVIOUR(B42_a_unix_socket_has_no_addresses_and_no_reset_awaited, unix_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen(here.listen_options());
    const Socket client = co_await client_of(here, server);
    const Socket accepted = co_await server.async_accept();
    for (Socket socket : {client, accepted}) {
      BOOST_TEST(!socket.local_address().has_value());
      BOOST_TEST(!socket.remote_address().has_value());
      error_code thrown;
      try {
        socket.reset();
      } catch (const SystemError& failure) {
        thrown = failure.code();
      }
      BOOST_TEST((thrown == Errc::invalid_handle));
      BOOST_TEST(co_await socket.async_write("x") == 1u);
    }
  }(world));
}

BEHAVIOUR(B45_B46_a_limit_under_accepts_awaited, all_wires) {
  std::vector<Socket> accepted;
  Server server(world.io());
  server.max_connections(10);
  world.listen(server);
  world.spawn(accept_all(server, accepted));
  world.await([](World& here, Server limited, const std::vector<Socket>& taken) -> asio::awaitable<void> {
    std::vector<Socket> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(co_await client_of(here, limited));
    for (std::size_t i = 10; i < 20; ++i) {
      const bool refused = co_await is_refused(clients[i]);
      BOOST_TEST(refused);
    }
    BOOST_TEST(taken.size() == 10u);
    for (std::size_t i = 0; i < 10; ++i) BOOST_TEST(!clients[i].destroyed());
    limited.max_connections(11);
    const Socket further = co_await client_of(here, limited);
    Socket beyond = co_await client_of(here, limited);
    const bool refused = co_await is_refused(beyond);
    BOOST_TEST(refused);
    BOOST_TEST(taken.size() == 11u);
    for (Socket socket : taken) co_await socket.async_end();
    for (Socket& client : clients) {
      co_await client.async_close();
      BOOST_TEST(client.destroyed());
    }
    limited.close();
  }(world, server, accepted));
}

BEHAVIOUR(B49_B50_a_closed_connection_frees_its_place_awaited, all_wires) {
  std::vector<Socket> accepted;
  Server server(world.io());
  server.max_connections(1);
  world.listen(server);
  world.spawn(accept_all(server, accepted));
  world.await([](World& here, Server limited, std::vector<Socket>& taken) -> asio::awaitable<void> {
    for (std::size_t round = 1; round <= 2; ++round) {
      Socket served = co_await client_of(here, limited);
      const Socket silent = co_await client_of(here, limited);
      BOOST_TEST(co_await is_refused(silent));
      Socket writing = co_await client_of(here, limited);
      const auto [code, size] = co_await writing.async_write("hello", libnet::as_tuple);
      if (!code) BOOST_TEST(co_await is_refused(writing));
      BOOST_TEST(taken.size() == round);
      co_await served.async_end();
      co_await taken.back().async_close();
      BOOST_TEST(limited.connections() == 0u);
    }
    limited.close();
  }(world, server, accepted));
}

BEHAVIOUR(B53_a_handler_closes_its_server_and_goes_on_awaited, all_wires) {
  Server server(world.io());
  server.serve([server](Socket socket) mutable -> asio::awaitable<void> {
    server.close();
    const Chunk chunk = co_await socket.async_read();
    co_await socket.async_write(chunk.to_string() + "!");
  });
  world.listen(server);
  world.await([](World& here, Server from) -> asio::awaitable<void> {
    Socket client = co_await client_of(here, from);
    co_await client.async_write("hello");
    const Chunk chunk = co_await client.async_read();
    BOOST_TEST(chunk.to_string() == "hello!");
  }(world, server));
  world.run();
  BOOST_TEST(!server.listening());
}

BEHAVIOUR(B54_close_right_after_a_connect_awaited, all_wires) {
  Server server(world.io());
  world.listen(server);
  world.settle();
  const libnet::ConnectOptions where = world.connect_options(server);
  error_code outcome;
  Socket client(world.io());
  client.async_connect(where, [&](const error_code& code) { outcome = code; });
  server.close();
  world.run();
  const int expected = world.is_unix() ? ENOENT : ECONNREFUSED;
  BOOST_TEST((outcome == error_code(expected, boost::system::system_category())));
}

BEHAVIOUR(B55_close_twice_awaited, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.await([](World& here, Server twice) -> asio::awaitable<void> {
    co_await twice.async_listen(here.listen_options());
    co_await twice.async_close();
    const auto [code] = co_await twice.async_close(libnet::as_tuple);
    BOOST_TEST((code == Errc::not_running));
  }(world, server));
  world.run();
  BOOST_TEST(recorder.count("server:listening") == 1u);
}

BEHAVIOUR(B57_B192_options_of_the_server_apply_to_what_is_accepted_awaited, real_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io(), {.socket = {.allow_half_open = false,
                                         .high_water_mark = 12345,
                                         .no_delay = true,
                                         .keep_alive = true,
                                         .keep_alive_initial_delay = 7s}});
    co_await server.async_listen(here.listen_options());
    const Socket client = co_await client_of(here, server);
    const Socket socket = co_await server.async_accept();
    BOOST_TEST(!socket.allow_half_open());
    BOOST_TEST(socket.high_water_mark() == 12345u);
    if (!here.is_tcp()) co_return;
    BOOST_TEST(option(socket, IPPROTO_TCP, TCP_NODELAY) != 0);
    BOOST_TEST(option(socket, SOL_SOCKET, SO_KEEPALIVE) == 1);
    BOOST_TEST(option(socket, IPPROTO_TCP, TCP_KEEPIDLE) == 7);
  }(world));
}

BEHAVIOUR(B58_close_of_the_server_precedes_that_of_its_last_socket_awaited, all_wires) {
  Log log;
  Server server(world.io());
  world.listen(server);
  Socket accepted;
  Socket client(world.io());
  world.connect(client, server);
  world.await([](Server from, Socket& made) -> asio::awaitable<void> { made = co_await from.async_accept(); }(
                                                server, accepted));
  world.spawn(note_close_of(server, "server", log));
  world.spawn(note_close_of(accepted, "accepted", log));
  server.close();
  world.settle();
  BOOST_TEST(log.empty());
  accepted.destroy();
  world.run_until([&] { return log.size() == 2; });
  expect(log, {"server", "accepted"});
}

BEHAVIOUR(B243_sockets_lists_the_open_connections_awaited, all_wires) {
  std::vector<Socket> accepted;
  Server server(world.io());
  world.listen(server);
  world.spawn(accept_all(server, accepted));
  world.await([](World& here, Server from, std::vector<Socket>& taken) -> asio::awaitable<void> {
    std::vector<Socket> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(co_await client_of(here, from));
    while (taken.size() < 5) co_await asio::post(here.io(), asio::use_awaitable);
    BOOST_TEST((from.sockets() == taken));
    for (Socket socket : from.sockets()) socket.destroy();
    BOOST_TEST(from.sockets().empty());
    co_await from.async_close();
  }(world, server, accepted));
}
