#include <memory>

#include "support/behaviour.hpp"
#include "support/visitor.hpp"

using namespace libnet::test;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Family;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// How a server closes, and listens again.

namespace {

/// What a client finds where nobody listens any more: a closed Unix server has taken its file away.
int nobody_there(const World& world) { return world.is_unix() ? ENOENT : ECONNREFUSED; }

/// A client and the socket that the server got for it.
struct Connected {
  Socket client;
  Socket accepted;
};

Connected connect_to(World& world, Server server) {
  Connected made{Socket(world.io()), Socket()};
  bool accepted = false;
  const auto listener = server.scoped(server.on(event::connection, [&](Socket socket) {
    made.accepted = std::move(socket);
    accepted = true;
  }));
  world.connect(made.client, server);
  world.run_until([&] { return accepted && !made.client.connecting(); });
  return made;
}

}  // namespace

BEHAVIOUR(B13_listen_right_after_close, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.listen(server);
  Connected first = connect_to(world, server);
  const SocketAddress old = server.address().value();
  server.close([&](error_code code) { recorder.note(code ? "server:refused" : "server:callback"); });
  server.listen(world.listen_options(), [&] { recorder.note("server:again"); });
  BOOST_TEST(server.listening());
  BOOST_TEST(probe(world, old) == nobody_there(world));
  Connected second = connect_to(world, server);
  expect(recorder.of("server"), {"listening", "listening", "again"});  // the first generation has a connection still
  first.client.destroy();
  first.accepted.destroy();
  world.run_until([&] { return recorder.count("server:callback") == 1; });
  expect(recorder.of("server"), {"listening", "listening", "again", "close", "callback"});
  BOOST_TEST(server.listening());
  BOOST_TEST(server.connections() == 1u);
  second.client.destroy();
  second.accepted.destroy();
  server.close([&](error_code code) { recorder.note(code ? "server:refused" : "server:second callback"); });
  world.run();
  expect(recorder.of("server"), {"listening", "listening", "again", "close", "callback", "close", "second callback"});
}

BEHAVIOUR(B13_listen_right_after_close_awaited, all_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen(here.listen_options());
    int closed = 0;
    const auto note_closed = [&closed](error_code code) { closed += code ? 100 : 1; };
    server.async_close(note_closed);
    co_await server.async_listen(here.listen_options());
    BOOST_TEST(server.listening());
    co_await server.async_close();
    BOOST_TEST(closed == 1);
  }(world));
}

BEHAVIOUR(B14_listen_again_from_the_close_listener, all_wires) {
  Server server(world.io());
  Log log;
  server.on(event::connection, [](const Socket&) {});
  int rounds = 0;
  server.on(event::close, [&] {
    log.push_back("close");
    if (++rounds == 1) {
      server.listen(world.listen_options(), [&] {
        log.push_back("second");
        server.close();
      });
    }
  });
  server.listen(world.listen_options(), [&] {
    log.push_back("first");
    server.close();
  });
  world.run();
  expect(log, {"first", "close", "second", "close"});
  BOOST_TEST(server.listener_count(event::listening) == 0u);
}

BEHAVIOUR(B14_listen_again_from_the_close_callback, all_wires) {
  Server server(world.io());
  Recorder recorder;
  int connections = 0;
  recorder.watch(server, "server");
  server.on(event::connection, [&](const Socket&) { ++connections; });
  world.listen(server);
  server.close([&] { world.listen(server); });
  world.settle();
  expect(recorder.of("server"), {"close", "listening"});
  Socket client(world.io());
  world.connect(client, server);
  world.run_until([&] { return connections == 1; });  // the listeners are still there
}

BEHAVIOUR(B14_listen_again_after_the_awaited_close, all_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    Recorder recorder;
    recorder.watch(server, "server");
    for (int round = 0; round < 3; ++round) {
      co_await server.async_listen(here.listen_options());
      co_await server.async_close();
      BOOST_TEST(!server.listening());
    }
    expect(recorder.of("server"), {"listening", "close", "listening", "close", "listening", "close"});
  }(world));
}

BEHAVIOUR(B29_close_of_a_server_that_does_not_listen, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.close([&](error_code code) { recorder.note(code == Errc::not_running ? "server:not running" : "server:?"); });
  BOOST_TEST(!server.address().has_value());
  expect(recorder.log(), {});
  world.run();
  expect(recorder.of("server"), {"close", "not running"});
}

BEHAVIOUR(B29_close_of_a_server_that_does_not_listen_awaited, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.await([](Server idle) -> asio::awaitable<void> {
    const auto [code] = co_await idle.async_close(libnet::as_tuple);
    BOOST_TEST((code == Errc::not_running));
    BOOST_TEST(!idle.address().has_value());
  }(server));
  world.run();
  expect(recorder.of("server"), {"close"});
}

BEHAVIOUR(B29_the_retry_of_nodes_documentation, all_wires) {
  Server taken(world.io());
  world.listen(taken);
  const SocketAddress address = taken.address().value();
  const std::string where = address.address();
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  const auto listen = [&] {
    if (world.is_unix()) {
      server.listen(where);
    } else {
      server.listen(address.port(), where);
    }
  };
  int retries = 0;
  server.on(event::error, [&](const Error& error) {
    BOOST_TEST((error.code() == boost::system::errc::address_in_use));
    if (++retries > 3) return;
    taken.close();
    server.close();
    listen();
  });
  listen();
  world.settle();
  expect(recorder.of("server"), {"error(EADDRINUSE)", "listening"});
  BOOST_TEST((server.address() == address));
}

BEHAVIOUR(B52_close_lets_open_connections_go_on, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.listen(server);
  Connected first = connect_to(world, server);
  Connected second = connect_to(world, server);
  const SocketAddress address = server.address().value();
  recorder.watch(first.accepted, "first");
  recorder.watch(second.accepted, "second");
  server.close([&] { recorder.note("server:callback"); });
  BOOST_TEST(probe(world, address) == nobody_there(world));
  first.client.write("still here");
  world.run_until([&] { return recorder.received("first") == "still here"; });
  first.client.end();
  world.run_until([&] { return recorder.count("first:close(false)") == 1; });
  expect(recorder.of("server"), {"listening"});
  second.client.end();
  world.run();
  expect(recorder.of("server"), {"listening", "close", "callback"});
}

BEHAVIOUR(B52_close_waits_for_open_connections_awaited, all_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen(here.listen_options());
    Socket client = co_await libnet::async_connect(here.io(), here.connect_options(server));
    Socket accepted = co_await server.async_accept();
    bool closed = false;
    const auto note_closed = [&closed](error_code code) { closed = !code; };
    server.async_close(note_closed);
    co_await client.async_write("question");
    const libnet::Chunk question = co_await accepted.async_read();
    BOOST_TEST(question.to_string() == "question");
    BOOST_TEST(!closed);
    co_await client.async_end();
    co_await accepted.async_close();
    BOOST_TEST(closed);
  }(world));
}

BEHAVIOUR(B53_close_inside_connection, all_wires) {
  Server server(world.io());
  Recorder recorder;
  Socket accepted;
  server.on(event::connection, [&](Socket socket) {
    server.close();
    accepted = socket;
    recorder.watch(socket, "accepted");
    socket.on(event::data, [socket](libnet::Chunk chunk) mutable { socket.write(chunk.to_string() + "!"); });
  });
  recorder.watch(server, "server");
  world.listen(server);
  Socket client(world.io());
  recorder.watch(client, "client");
  world.connect(client, server);
  client.on(event::connect, [&] { client.write("hello"); });
  client.on(event::data, [&](const libnet::Chunk&) { client.end(); });
  world.run();
  BOOST_TEST(recorder.received("accepted") == "hello");
  BOOST_TEST(recorder.received("client") == "hello!");
  expect(recorder.of("server"), {"listening", "close"});
}

BEHAVIOUR(B54_close_right_after_a_connect, all_wires) {
  Server server(world.io());
  server.on(event::connection, [](const Socket&) { BOOST_ERROR("accepted"); });
  world.listen(server);
  world.settle();
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  world.connect(client, server);
  server.close();
  world.run();
  expect(recorder.of("client"), {world.is_unix() ? "error(ENOENT)" : "error(ECONNREFUSED)", "close(true)"});
}

BEHAVIOUR(B55_close_twice, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.listen(server);
  world.settle();
  server.close([&](error_code code) { recorder.note(code ? "server:first refused" : "server:first"); });
  server.close([&](error_code code) {
    recorder.note(code == Errc::not_running ? "server:second not running" : "server:second?");
  });
  server.close();
  world.run();
  expect(recorder.of("server"), {"listening", "close", "first", "second not running"});
}

BEHAVIOUR(B58_close_of_the_server_precedes_that_of_its_last_socket, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.listen(server);
  Connected connected = connect_to(world, server);
  recorder.watch(connected.accepted, "accepted");
  server.close();
  world.settle();
  connected.accepted.destroy();
  world.run_until([&] { return recorder.count("accepted:close(false)") == 1; });
  expect(recorder.log(), {"server:listening", "server:close", "accepted:close(false)"});
}

BEHAVIOUR(B58_close_of_the_server_precedes_that_of_its_last_socket_in_a_listener, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.listen(server);
  Connected connected = connect_to(world, server);
  recorder.watch(connected.accepted, "accepted");
  connected.accepted.on(event::data, [&](const libnet::Chunk&) { connected.accepted.destroy(); });
  server.close();
  connected.client.write("x");
  world.run_until([&] { return recorder.count("accepted:close(false)") == 1; });
  expect(recorder.log(), {"server:listening", "accepted:data(1)", "server:close", "accepted:close(false)"});
}

BEHAVIOUR(R44_the_port_can_be_bound_again_at_once, all_wires) {
  Server server(world.io());
  server.on(event::connection, [](const Socket&) {});
  world.listen(server);
  const SocketAddress address = server.address().value();
  const std::string where = address.address();
  for (int round = 0; round < 20; ++round) {
    Socket client(world.io());
    world.connect(client, server);
    if (round % 2 == 0) world.run_until([&] { return !client.connecting(); });  // sometimes with a client under way
    server.close();
    Server next(world.io());
    next.on(event::error, [](const Error& error) { BOOST_ERROR(error.message()); });
    if (world.is_unix()) {
      next.listen(where);
    } else {
      next.listen(address.port(), where);
    }
    BOOST_TEST(next.listening());
    next.on(event::connection, [](const Socket&) {});
    server = next;
    client.destroy();
  }
}

BEHAVIOUR(R44_the_port_can_be_bound_again_at_once_with_an_accept_pending, all_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen(here.listen_options());
    const SocketAddress address = server.address().value();
    const std::string where = address.address();
    int aborted = 0;
    const auto count_aborted = [&aborted](error_code code, const Socket&) {
      if (code == asio::error::operation_aborted) ++aborted;
    };
    for (int round = 0; round < 20; ++round) {
      server.async_accept(count_aborted);
      co_await server.async_close();
      BOOST_TEST(aborted == round + 1);
      const libnet::ListenOptions by_path{.path = where};
      const libnet::ListenOptions by_port{.host = where, .port = address.port()};
      co_await server.async_listen(here.is_unix() ? by_path : by_port);
      BOOST_TEST((server.address() == address));
    }
  }(world));
}
