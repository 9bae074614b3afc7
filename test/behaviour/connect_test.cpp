#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::ConnectOptions;
using libnet::Errc;
using libnet::Family;
using libnet::ReadyState;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;
using libnet::SystemError;

// How a connection begins: forms, states, events and addresses.

namespace {

/// A server that holds what it accepts.
struct Host {
  explicit Host(World& world) : server(world.io()) {
    server.on(event::connection, [this](Socket socket) { accepted.push_back(std::move(socket)); });
    world.listen(server);
  }
  void close() {
    server.close();
    for (Socket& socket : accepted) socket.destroy();
    accepted.clear();
  }

  Server server;
  std::vector<Socket> accepted;
};

bool throws(Errc code, const std::function<void()>& call) {
  try {
    call();
  } catch (const SystemError& error) {
    return error.code() == code;
  }
  return false;
}

}  // namespace

BEHAVIOUR(B60_connect_returns_a_connecting_socket_and_its_callback_is_a_one_time_listener, all_wires) {
  Host host(world);
  int calls = 0;
  Socket socket = libnet::connect(world.io(), world.connect_options(host.server), [&] { ++calls; });
  BOOST_TEST(socket.connecting());
  BOOST_TEST(socket.listener_count(event::connect) == 1U);
  BOOST_TEST(calls == 0);
  world.run_until([&] { return calls != 0; });
  BOOST_TEST(socket.listener_count(event::connect) == 0U);
  socket.destroy();
  host.close();
  world.run();
  BOOST_TEST(calls == 1);
}

BEHAVIOUR(B61_B62_B63_connecting_pending_and_ready_state_over_a_life, all_wires) {
  Host host(world);
  Socket socket(world.io());
  Log states;
  const auto note = [&](const std::string& when) {
    states.push_back(when + (socket.connecting() ? " connecting" : "") + (socket.pending() ? " pending" : "") +
                     (socket.ready_state() == ReadyState::opening ? " opening" : ""));
  };
  note("before");
  socket.connect(world.connect_options(host.server), [&] {
    note("connected");
    host.close();
    socket.destroy();
  });
  note("called");
  socket.on(event::close, [&](bool) { note("close"); });
  world.run();
  const Log expected{"before pending", "called connecting pending opening", "connected", "close pending"};
  BOOST_TEST(states == expected, per_element);
}

BEHAVIOUR(B61_connecting_is_false_inside_error, all_wires) {
  Socket socket(world.io());
  socket.connect(world.refusing_options());
  BOOST_TEST(socket.connecting());
  int errors = 0;
  socket.on(event::error, [&](const libnet::Error&) {
    ++errors;
    BOOST_TEST(!socket.connecting());
    BOOST_TEST(socket.pending());
  });
  world.run();
  BOOST_TEST(errors == 1);
}

BEHAVIOUR(B63_ready_state_is_opening_also_after_end_was_called, all_wires) {
  Host host(world);
  Socket socket = libnet::connect(world.io(), world.connect_options(host.server));
  socket.end();
  BOOST_TEST((socket.ready_state() == ReadyState::opening));
  BOOST_TEST(!socket.writable());
  bool closed = false;
  socket.on(event::close, [&](bool had_error) { closed = !had_error; });
  world.run_until([&] { return closed; });
  host.close();
  world.run();
}

BEHAVIOUR(B64_a_new_socket, all_wires) {
  Socket socket(world.io());
  BOOST_TEST(socket.readable());
  BOOST_TEST(socket.writable());
  BOOST_TEST((socket.ready_state() == ReadyState::open));
  BOOST_TEST(socket.pending());
  BOOST_TEST(!socket.connecting());
  BOOST_TEST(!socket.destroyed());
  BOOST_TEST(socket.bytes_read() == 0U);
  BOOST_TEST(socket.bytes_written() == 0U);
  BOOST_TEST(!socket.local_address().has_value());
  BOOST_TEST(!socket.remote_address().has_value());
}

BEHAVIOUR(B65_connect_fires_once_directly_followed_by_ready, all_wires) {
  Host host(world);
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  socket.connect(world.connect_options(host.server), [&] { recorder.note("client:callback"); });
  BOOST_TEST(recorder.log().empty());  // not inside the call
  world.run_until([&] { return recorder.count("client:ready") != 0; });
  const Log expected{"connect", "callback", "ready"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  socket.destroy();
  host.close();
  world.run();
  BOOST_TEST(recorder.count("client:connect") == 1U);
  BOOST_TEST(recorder.count("client:ready") == 1U);
}

BEHAVIOUR(B66_the_default_host_is_localhost, ip_wires) {
  Host host(world);
  int connected = 0;
  Socket socket(world.io());
  socket.connect(host.server.address()->port(), [&] { ++connected; });
  Recorder recorder;
  recorder.watch(socket, "client");
  // "localhost" need not have the family of this wire.
  world.run_until([&] { return connected != 0 || recorder.count("client:close(true)") != 0; });
  if (world.wire() == Wire::tcp4) BOOST_TEST(connected == 1);
  if (connected == 0) BOOST_TEST(recorder.count("client:error(ECONNREFUSED)") == 1U);
  socket.destroy();
  host.close();
  world.run();
}

BEHAVIOUR(B67_a_server_address_can_be_connected_to_as_it_is, all_wires) {
  Host host(world);
  int connected = 0;
  Socket first(world.io());
  first.connect(*host.server.address());
  first.once(event::connect, [&] { ++connected; });
  Socket second(world.io());
  second.connect(*host.server.address(), [&] { ++connected; });
  world.run_until([&] { return connected == 2 && host.accepted.size() == 2; });
  first.destroy();
  second.destroy();
  host.close();
  world.run();
}

BEHAVIOUR(B68_all_forms_are_equivalent, all_wires) {
  Host host(world);
  const SocketAddress address = *host.server.address();
  const ConnectOptions options = world.connect_options(host.server);
  std::size_t callbacks = 0;
  const auto count = [&] { ++callbacks; };
  std::vector<Socket> sockets;
  const auto fresh = [&] { return sockets.emplace_back(world.io()); };
  std::size_t with_callback = 0;
  if (world.is_unix()) {
    fresh().connect(address.address());
    fresh().connect(address.address(), count);
    with_callback += 1;
  } else {
    fresh().connect(address.port(), address.address());
    fresh().connect(address.port(), address.address(), count);
    with_callback += 1;
  }
  fresh().connect(options);
  fresh().connect(options, count);
  sockets.push_back(libnet::connect(world.io(), options));
  sockets.push_back(libnet::connect(world.io().get_executor(), options, count));
  sockets.push_back(libnet::connect(sockets.front(), options, libnet::SocketOptions{}, count));
  sockets.push_back(libnet::create_connection(world.io(), options));
  sockets.push_back(libnet::create_connection(world.io(), options, count));
  with_callback += 4;
  std::size_t connected = 0;
  for (Socket& socket : sockets) {
    BOOST_TEST(socket.connecting());
    socket.once(event::ready, [&] { ++connected; });
  }
  world.run_until([&] { return connected == sockets.size() && host.accepted.size() == sockets.size(); });
  BOOST_TEST(callbacks == with_callback);
  for (Socket& socket : sockets) socket.destroy();
  host.close();
  world.run();
}

BEHAVIOUR(B68_B209_the_awaited_forms_and_what_they_complete_with_awaited, all_wires) {
  Host host(world);
  Socket member(world.io());
  Recorder recorder;
  recorder.watch(member, "member", Recorder::Data::ignore);
  world.await([](asio::io_context& io, Socket socket, ConnectOptions options, Recorder& log,
                 SocketAddress address) -> asio::awaitable<void> {
    co_await socket.async_connect(options);
    log.note("member:completed");
    BOOST_TEST(!socket.connecting());
    Socket free = co_await libnet::async_connect(io, options);
    BOOST_TEST(!free.connecting());
    Socket told = co_await libnet::async_connect(io, options, {.allow_half_open = false});
    BOOST_TEST(!told.allow_half_open());
    BOOST_TEST(free.allow_half_open());
    auto [code, tuple] = co_await libnet::async_connect(io, options, libnet::as_tuple);
    BOOST_TEST(!code);
    for (const Socket& made : {socket, free, told, tuple}) {
      BOOST_TEST(!made.pending());
      if (address.family() != Family::unix_path) BOOST_TEST((made.remote_address() == address));
    }
    const Log expected{"connect", "ready", "completed"};
    BOOST_TEST(log.of("member") == expected, per_element);
    for (Socket made : {socket, free, told, tuple}) made.destroy();
  }(world.io(), member, world.connect_options(host.server), recorder, *host.server.address()));
  host.close();
  world.run();
}

BEHAVIOUR(B69_a_bad_port_throws, ip_wires) {
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  for (const int port : {-1, 65536, 1'000'000}) {
    BOOST_TEST(throws(Errc::bad_port, [&] { socket.connect(port); }));
    BOOST_TEST(throws(Errc::bad_port, [&] { socket.connect({.host = "127.0.0.1", .port = port, .path = "/x"}); }));
    BOOST_TEST(throws(Errc::bad_port, [&] { socket.connect({.host = "::1", .port = 80, .local_port = port}); }));
    BOOST_TEST(throws(Errc::bad_port, [&] { static_cast<void>(libnet::connect(world.io(), {.port = port})); }));
  }
  BOOST_TEST(throws(Errc::invalid_argument, [&] { socket.connect(ConnectOptions{}); }));
  BOOST_TEST(!socket.connecting());
  world.run();
  BOOST_TEST(recorder.log().empty());
}

BEHAVIOUR(B69_a_bad_port_awaited, ip_wires) {
  world.await([](asio::io_context& io) -> asio::awaitable<void> {
    Socket socket(io);
    for (const int port : {-1, 65536}) {
      const ConnectOptions options{.port = port};
      auto [code] = co_await socket.async_connect(options, libnet::as_tuple);
      BOOST_TEST(code == Errc::bad_port);
      auto [made_code, made] = co_await libnet::async_connect(io, options, libnet::as_tuple);
      BOOST_TEST(made_code == Errc::bad_port);
    }
    BOOST_TEST(!socket.connecting());
  }(world.io()));
  world.run();
}

BEHAVIOUR(B80_B82_B83_addresses_of_both_ends, ip_wires) {
  Host host(world);
  const SocketAddress listening = *host.server.address();
  std::vector<Socket> clients;
  for (int i = 0; i < 5; ++i) {
    Socket client = libnet::connect(world.io(), world.connect_options(host.server));
    bool connected = false;
    client.once(event::connect, [&, client] {
      connected = true;
      BOOST_TEST(client.remote_address()->port() == listening.port());
      BOOST_TEST(client.remote_address()->family_name() == (world.wire() == Wire::tcp6 ? "IPv6" : "IPv4"));
    });
    world.run_until([&] { return connected && host.accepted.size() == static_cast<std::size_t>(i) + 1; });
    const Socket& accepted = host.accepted.back();
    BOOST_TEST((accepted.local_address() == listening));
    BOOST_TEST((accepted.remote_address() == client.local_address()));
    BOOST_TEST((client.remote_address() == listening));
    BOOST_TEST(accepted.remote_address()->port() != listening.port());
    BOOST_TEST(accepted.remote_address()->address() == listening.address());
    BOOST_TEST((client.address() == client.local_address()));
    clients.push_back(client);
  }
  for (Socket& client : clients) client.destroy();
  host.close();
  world.run();
}

BEHAVIOUR(B79_B81_remote_address_while_connecting_and_in_close, ip_wires) {
  Host host(world);
  const SocketAddress listening = *host.server.address();
  Socket client = libnet::connect(world.io(), world.connect_options(host.server));
  BOOST_TEST(!client.remote_address().has_value());
  bool connected = false;
  client.on(event::connect, [&] { connected = true; });
  world.run_until([&] { return connected && !host.accepted.empty(); });
  int closed = 0;
  client.on(event::close, [&](bool) {
    ++closed;
    BOOST_TEST((client.remote_address() == listening));
    BOOST_TEST(client.local_address().has_value());
  });
  Socket late = libnet::connect(world.io(), world.connect_options(host.server));
  host.close();
  BOOST_TEST(!late.remote_address().has_value());  // harmless although the server is closing
  late.on(event::error, [](const libnet::Error&) {});
  client.destroy();
  late.destroy();
  world.run();
  BOOST_TEST(closed == 1);
}

BEHAVIOUR(B84_end_before_the_connection_is_up, all_wires) {
  Server server(world.io());
  Recorder recorder;
  server.on(event::connection, [&](Socket socket) {
    recorder.watch(socket, "server");
    server.close();
  });
  world.listen(server);
  Socket client = libnet::connect(world.io(), world.connect_options(server));
  recorder.watch(client, "client");
  client.end();
  world.run();
  const Log expected_client{"connect", "ready", "finish", "end", "close(false)"};
  const Log expected_server{"connect", "ready", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected_client, per_element);
  BOOST_TEST(recorder.of("server") == expected_server, per_element);
}

BEHAVIOUR(B84_end_with_data_before_the_connection_is_up_awaited, all_wires) {
  Server server(world.io());
  world.listen(server);
  Socket client = libnet::connect(world.io(), world.connect_options(server));
  client.end("early");
  world.await([](Server from) -> asio::awaitable<void> {
    Socket socket = co_await from.async_accept();
    std::string all;
    while (const libnet::Chunk chunk = co_await socket.async_read()) all += chunk;
    BOOST_TEST(all == "early");
    co_await socket.async_close();
    from.close();
  }(server));
  world.run();
  BOOST_TEST(client.destroyed());
}
