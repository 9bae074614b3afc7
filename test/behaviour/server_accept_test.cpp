#include <memory>
#include <optional>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "support/behaviour.hpp"
#include "support/visitor.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// Taking connections: async_accept, and who keeps a server.

namespace {

/// A client that has sent `text`.
Visitor client_saying(World& world, const Server& server, const std::string& text) {
  const SocketAddress address = server.address().value();
  Visitor client(world);
  BOOST_REQUIRE(client.connect(address) == 0);
  client.send(text);
  return client;
}

}  // namespace

BEHAVIOUR(B226_several_accepts_are_served_in_order, all_wires) {
  Server server(world.io());
  world.listen(server);
  Log log;
  std::vector<Socket> accepted;
  for (int i = 0; i < 4; ++i) {
    server.async_accept([&, i](error_code code, Socket socket) {
      log.push_back(std::to_string(i) + (code ? libnet::error_name(code) : ""));
      if (!code) accepted.push_back(std::move(socket));
    });
  }
  BOOST_TEST(log.empty());
  world.settle();
  BOOST_TEST(log.empty());
  std::vector<Visitor> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(client_saying(world, server, std::to_string(i)));
  world.run_until([&] { return log.size() == 3; });
  world.settle();
  expect(log, {"0", "1", "2"});
  BOOST_TEST(server.connections() == 3u);
  world.await([](std::vector<Socket> sockets) -> asio::awaitable<void> {
    for (std::size_t i = 0; i < sockets.size(); ++i) {
      const Chunk chunk = co_await sockets[i].async_read();
      BOOST_TEST(chunk.to_string() == std::to_string(i));
    }
  }(accepted));
  server.close();
  world.settle();
  expect(log, {"0", "1", "2", "3ECANCELED"});
}

BEHAVIOUR(B226_connections_nobody_asked_for_are_not_lost, all_wires) {
  Server server(world.io());
  world.listen(server);
  std::vector<Visitor> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(client_saying(world, server, std::to_string(i)));
  world.settle();
  BOOST_TEST(server.connections() == 0u);
  world.await([](Server waiting) -> asio::awaitable<void> {
    for (int i = 0; i < 5; ++i) {
      Socket socket = co_await waiting.async_accept();
      BOOST_TEST(waiting.connections() == 1u);
      const Chunk chunk = co_await socket.async_read();
      BOOST_TEST(chunk.to_string() == std::to_string(i));
      socket.destroy();
    }
  }(server));
}

BEHAVIOUR(B226_a_listener_gets_what_waits_in_the_backlog, all_wires) {
  Server server(world.io());
  world.listen(server);
  std::vector<Visitor> clients;
  for (int i = 0; i < 100; ++i) clients.push_back(client_saying(world, server, "x"));
  world.settle();
  int connections = 0;
  server.once(event::connection, [&](const Socket&) { ++connections; });
  world.settle();
  BOOST_TEST(connections == 1);
  server.on(event::connection, [&](const Socket&) { ++connections; });
  world.run_until([&] { return connections == 100; });
}

BEHAVIOUR(B226_close_aborts_the_waiting_accepts_awaited, all_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen(here.listen_options());
    const auto close = [&server](error_code) { server.close(); };
    asio::steady_timer soon(here.io(), 1ms);
    soon.async_wait(close);
    const auto [code, socket] = co_await server.async_accept(libnet::as_tuple);
    BOOST_TEST((code == asio::error::operation_aborted));
    BOOST_TEST(socket.native_handle() == -1);
  }(world));
}

BEHAVIOUR(B226_a_cancelled_accept_takes_no_connection, all_wires) {
  Server server(world.io());
  world.listen(server);
  for (const auto type :
       {asio::cancellation_type::total, asio::cancellation_type::partial, asio::cancellation_type::terminal}) {
    asio::cancellation_signal signal;
    Log log;
    server.async_accept(asio::bind_cancellation_slot(
        signal.slot(), [&](error_code code, const Socket&) { log.push_back(libnet::error_name(code)); }));
    server.async_accept([&](error_code code, Socket socket) {
      log.push_back(code ? libnet::error_name(code) : "accepted");
      socket.destroy();
    });
    signal.emit(type);
    BOOST_TEST(log.empty());
    world.settle();
    expect(log, {"ECANCELED"});
    const Visitor client = client_saying(world, server, "x");
    world.run_until([&] { return log.size() == 2; });
    expect(log, {"ECANCELED", "accepted"});
  }
}

BEHAVIOUR(B226_an_accept_cancelled_by_the_one_before_leaves_its_connection_to_the_next, all_wires) {
  Server server(world.io());
  world.listen(server);
  asio::cancellation_signal signal;
  Log log;
  // Both connections wait already; the first completion cancels the second accept.
  std::vector<Visitor> clients;
  for (int i = 0; i < 2; ++i) clients.push_back(client_saying(world, server, std::to_string(i)));
  std::vector<Socket> accepted;
  server.async_accept([&](error_code code, Socket socket) {
    log.push_back(code ? libnet::error_name(code) : "first");
    accepted.push_back(std::move(socket));
    signal.emit(asio::cancellation_type::terminal);
  });
  server.async_accept(asio::bind_cancellation_slot(signal.slot(), [&](error_code code, const Socket&) {
    log.push_back(code ? libnet::error_name(code) : "second");
  }));
  server.async_accept([&](error_code code, Socket socket) {
    log.push_back(code ? libnet::error_name(code) : "third");
    accepted.push_back(std::move(socket));
  });
  world.run_until([&] { return log.size() == 3; });
  expect(log, {"first", "ECANCELED", "third"});
  world.await([](Socket socket) -> asio::awaitable<void> {
    const Chunk chunk = co_await socket.async_read();
    BOOST_TEST(chunk.to_string() == "1");
  }(accepted[1]));
}

BEHAVIOUR(B226_an_accept_times_out_and_the_next_gets_the_connection, all_wires) {
  Server server(world.io());
  world.listen(server);
  world.use_manual_clock();
  Log log;
  const auto note = [&log](error_code code, Socket socket) {
    log.push_back(code == Errc::timed_out ? "timed out" : code ? libnet::error_name(code) : "accepted");
    socket.destroy();
  };
  server.async_accept(libnet::cancel_after(5s, note));
  world.settle();
  world.advance(4s);
  BOOST_TEST(log.empty());
  world.advance(1s);
  expect(log, {"timed out"});
  const Visitor client = client_saying(world, server, "x");
  server.async_accept(note);
  world.run_until([&] { return log.size() == 2; });
  expect(log, {"timed out", "accepted"});
}

BEHAVIOUR(B253_accept_on_a_server_that_does_not_listen, all_wires) {
  Server server(world.io());
  Log log;
  const auto note = [&log](error_code code, const Socket&) {
    log.push_back(code == Errc::not_running ? "not running" : libnet::error_name(code));
  };
  server.async_accept(note);
  BOOST_TEST(log.empty());
  world.run();
  expect(log, {"not running"});
  world.listen(server);
  server.close();
  server.async_accept(note);
  world.run();
  expect(log, {"not running", "not running"});
}

BEHAVIOUR(B226_two_ways_to_accept_are_busy, all_wires) {
  Server server(world.io());
  world.listen(server);
  Log log;
  const auto note = [&log](error_code code, const Socket&) {
    log.push_back(code == Errc::busy ? "busy" : code ? libnet::error_name(code) : "accepted");
  };
  const auto handler = [](Socket) -> asio::awaitable<void> { co_return; };
  const auto listener = [&log](const Socket&) { log.emplace_back("connection"); };

  const libnet::ListenerId id = server.on(event::connection, listener);
  server.async_accept(note);
  BOOST_TEST((thrown_by([&] { server.serve(handler); }) == Errc::busy));
  world.settle();
  expect(log, {"busy"});
  server.off(id);

  server.async_accept(note);
  BOOST_TEST((thrown_by([&] { server.on(event::connection, listener); }) == Errc::busy));
  BOOST_TEST((thrown_by([&] { server.serve(handler); }) == Errc::busy));
  const Visitor client = client_saying(world, server, "x");
  world.run_until([&] { return log.size() == 2; });
  expect(log, {"busy", "accepted"});

  server.serve(handler);
  server.async_accept(note);
  BOOST_TEST((thrown_by([&] { server.on(event::connection, listener); }) == Errc::busy));
  BOOST_TEST((thrown_by([&] { server.serve(handler); }) == Errc::busy));
  world.settle();
  expect(log, {"busy", "accepted", "busy"});
}

BEHAVIOUR(B231_the_last_handle_of_an_unused_server_closes_it, all_wires) {
  std::optional<Server> server(world.io());
  world.listen(*server);
  const SocketAddress address = server->address().value();
  world.settle();
  BOOST_TEST(probe(world, address) == 0);
  Server copy = *server;
  server.reset();
  world.settle();
  BOOST_TEST(probe(world, address) == 0);
  copy = Server();
  world.run();  // comes to its end
  BOOST_TEST(probe(world, address) != 0);
}

BEHAVIOUR(B231_a_listener_keeps_the_server, all_wires) {
  SocketAddress address;
  int connections = 0;
  {
    Server server(world.io());
    server.on(event::connection, [&](const Socket& socket) {
      ++connections;
      socket.server()->close();
    });
    world.listen(server);
    address = server.address().value();
  }
  world.settle();
  BOOST_TEST(probe(world, address) == 0);
  world.run();
  BOOST_TEST(connections == 1);
  BOOST_TEST(probe(world, address) != 0);
}

BEHAVIOUR(B231_serve_keeps_the_server, all_wires) {
  SocketAddress address;
  {
    Server server(world.io());
    server.serve([](Socket socket) -> asio::awaitable<void> {
      const Chunk chunk = co_await socket.async_read();
      BOOST_TEST(chunk.to_string() == "x");
      socket.server()->close();
    });
    world.listen(server);
    address = server.address().value();
  }
  world.settle();
  Visitor client(world);
  BOOST_TEST(client.connect(address) == 0);
  client.send("x");
  client.close();
  world.run();
  BOOST_TEST(probe(world, address) != 0);
}

BEHAVIOUR(B231_a_waiting_accept_keeps_the_server, all_wires) {
  SocketAddress address;
  int accepted = 0;
  {
    Server server(world.io());
    world.listen(server);
    address = server.address().value();
    server.async_accept([&](error_code code, const Socket&) { accepted += code ? 100 : 1; });
  }
  world.settle();
  Visitor client(world);
  BOOST_TEST(client.connect(address) == 0);
  world.run_until([&] { return accepted == 1; });
  client.close();
  world.run();  // nothing keeps it any more
  BOOST_TEST(probe(world, address) != 0);
}

BEHAVIOUR(B232_the_last_handle_may_go_inside_a_listener, all_wires) {
  // Each kind of listener drops the last handle to its server, and with it what the listener captured.
  for (const std::string when : {"listening", "connection", "error", "close"}) {
    auto server = std::make_shared<Server>(world.io());
    int calls = 0;
    Server taken(world.io());
    const auto drop = [&calls, &server, when](const std::string& name) {
      if (name != when) return;
      ++calls;
      server.reset();
    };
    server->on(event::listening, [drop] { drop("listening"); });
    server->on(event::connection, [drop](const Socket&) { drop("connection"); });
    server->on(event::error, [drop](const Error&) { drop("error"); });
    server->on(event::close, [drop] { drop("close"); });
    std::string where;
    if (when == "error") {
      world.listen(taken);
      where = taken.address()->address();
      const int port = taken.address()->port();
      server->listen(world.is_unix() ? libnet::ListenOptions{.path = where}
                                     : libnet::ListenOptions{.host = where, .port = port});
    } else {
      world.listen(*server);
    }
    std::optional<Visitor> client;
    if (when == "connection") client.emplace(client_saying(world, *server, "x"));
    Server last;
    if (when == "listening" || when == "connection") last = *server;  // to close it afterwards
    if (when == "close") server->close();
    world.run_until([&] { return calls == 1; });
    last.close();
    last = Server();
    taken.close();
    client.reset();
    world.run();
    BOOST_TEST(calls == 1);
  }
}

BEHAVIOUR(B232_R40_a_server_may_be_destroyed_inside_connection, all_wires) {
  struct Program {
    explicit Program(asio::io_context& io) : server(io) {}
    Server server;
    std::string received;
  };
  auto program = std::make_unique<Program>(world.io());
  bool closed = false;
  program->server.on(event::connection, [&](Socket socket) {
    program->server.remove_all(event::connection);
    program.reset();  // the last handle of the server
    socket.on(event::data, [socket](const Chunk& chunk) mutable { socket.end(chunk); });
    socket.on(event::close, [&](bool had_error) { closed = !had_error; });
  });
  world.listen(program->server);
  Socket client(world.io());
  std::string answer;
  client.on(event::data, [&](const Chunk& chunk) { answer += chunk; });
  world.connect(client, program->server);
  client.write("still served");
  world.run();
  BOOST_TEST(answer == "still served");
  BOOST_TEST(closed);
}
