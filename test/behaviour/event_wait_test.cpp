#include <optional>
#include <string>
#include <vector>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// B225: async_wait makes a promise of any event.

namespace {

/// What a waiting operation ended with, once it has.
struct Result {
  std::optional<error_code> code;
  std::string note;

  auto handler() {
    return [this](const error_code& ended, auto... arguments) {
      BOOST_TEST(!code.has_value(), "completed twice");
      code = ended;
      note = describe(arguments...);
    };
  }
  static std::string describe() { return ""; }
  static std::string describe(bool value) { return value ? "true" : "false"; }
  static std::string describe(const Error& error) { return error.name(); }
  static std::string describe(const Socket&, const std::exception_ptr& thrown) { return thrown ? "thrown" : "nothing"; }
};

void expect(World& world, const Result& result, const error_code& code, const std::string& note = "") {
  world.run_until([&] { return result.code.has_value(); });
  BOOST_TEST(*result.code == code);
  BOOST_TEST(result.note == note);
}

}  // namespace

BEHAVIOUR(B225_what_has_happened_completes_at_once, all_wires) {
  auto [client, server] = world.pair();
  Result connect;
  client.async_wait(event::connect, connect.handler());
  expect(world, connect, {});
  Result ready;
  client.async_wait(event::ready, ready.handler());
  expect(world, ready, {});
  client.end();
  world.run();
  Result end;
  client.async_wait(event::end, end.handler());
  expect(world, end, {});
  Result finish;
  server.async_wait(event::finish, finish.handler());
  expect(world, finish, {});
  Result close;
  server.async_wait(event::close, close.handler());
  expect(world, close, {}, "false");
}

BEHAVIOUR(B225_the_next_emission, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 1});
  world.use_manual_clock();
  Result finish;
  Result end;
  Result close;
  client.async_wait(event::finish, finish.handler());
  server.async_wait(event::end, end.handler());
  server.async_wait(event::close, close.handler());
  for (int i = 0; i < 2; ++i) {
    Result drain;
    client.async_wait(event::drain, drain.handler());
    world.settle();
    client.cork();
    BOOST_TEST(!client.write("xy"));
    client.uncork();
    expect(world, drain, {});
    Result idle;
    client.set_timeout(10s);
    client.async_wait(event::timeout, idle.handler());
    world.settle();
    BOOST_TEST(!idle.code.has_value());
    world.advance(11s);
    BOOST_TEST(idle.code.has_value());
  }
  client.set_timeout(0s);
  server.resume();
  client.end();
  expect(world, finish, {});
  expect(world, end, {});
  expect(world, close, {}, "false");
}

BEHAVIOUR(B225_an_error_and_the_close_after_it, all_wires) {
  auto [client, server] = world.pair();
  Result error;
  Result close;
  Result drain;
  Result end;
  client.async_wait(event::error, error.handler());
  client.async_wait(event::close, close.handler());
  client.async_wait(event::drain, drain.handler());
  client.async_wait(event::end, end.handler());
  client.destroy(Error(Errc::timed_out, "test"));
  expect(world, error, {}, "ERR_TIMED_OUT");
  expect(world, close, {}, "true");
  expect(world, drain, Errc::timed_out);
  expect(world, end, Errc::timed_out);
}

BEHAVIOUR(B225_destroyed_before, all_wires) {
  auto [client, server] = world.pair();
  Result error;
  Result finish;
  Result timeout;
  client.async_wait(event::error, error.handler());
  client.async_wait(event::finish, finish.handler());
  client.async_wait(event::timeout, timeout.handler());
  client.destroy();
  expect(world, error, asio::error::operation_aborted);
  expect(world, finish, asio::error::operation_aborted);
  expect(world, timeout, asio::error::operation_aborted);
  Result late;
  client.async_wait(event::drain, late.handler());
  expect(world, late, Errc::destroyed);
}

BEHAVIOUR(B225_closed_by_itself_before, all_wires) {
  auto [client, server] = world.pair();
  Result error;
  Result drain;
  client.async_wait(event::error, error.handler());
  client.async_wait(event::drain, drain.handler());
  client.end();
  server.end();
  expect(world, error, Errc::closed);
  expect(world, drain, Errc::closed);
  Result late;
  client.async_wait(event::timeout, late.handler());
  expect(world, late, Errc::closed);
}

BEHAVIOUR(B225_fresh_socket, all_wires) {
  Socket socket(world.io());
  Result connect;
  Result close;
  socket.async_wait(event::connect, connect.handler());
  socket.async_wait(event::close, close.handler());
  world.settle();
  BOOST_TEST(!connect.code.has_value());
  socket.destroy();
  expect(world, close, {}, "false");
  expect(world, connect, asio::error::operation_aborted);
}

BEHAVIOUR(B225_connecting, all_wires) {
  Server server(world.io());
  server.on(event::listening, [] {});
  Result listening;
  server.async_wait(event::listening, listening.handler());
  world.listen(server);
  Socket socket(world.io());
  Result connect;
  Result ready;
  socket.async_wait(event::connect, connect.handler());
  socket.async_wait(event::ready, ready.handler());
  world.connect(socket, server);
  expect(world, listening, {});
  expect(world, connect, {});
  expect(world, ready, {});

  Socket refused(world.io());
  Result never;
  Result error;
  refused.async_wait(event::connect, never.handler());
  refused.async_wait(event::error, error.handler());
  refused.connect(world.refusing_options());
  world.run_until([&] { return never.code.has_value(); });
  BOOST_TEST(never.code->failed());
  BOOST_TEST(*never.code == refused.error().code());
  BOOST_TEST(error.note == refused.error().name());
}

BEHAVIOUR(B225_connect_of_an_accepted_socket, all_wires) {
  Server server(world.io());
  Result connect;
  Result ready;
  Socket accepted;
  server.on(event::connection, [&](Socket socket) {
    socket.async_wait(event::connect, connect.handler());
    socket.async_wait(event::ready, ready.handler());
    accepted = socket;
  });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  expect(world, connect, {});
  expect(world, ready, {});
}

BEHAVIOUR(B225_a_socket_that_connects_again, all_wires) {
  Server server(world.io());
  server.on(event::connection, [](Socket socket) { socket.end(); });
  world.listen(server);
  Socket client(world.io());
  for (int round = 0; round < 3; ++round) {
    world.connect(client, server);
    Result connect;
    Result close;
    client.async_wait(event::connect, connect.handler());
    client.async_wait(event::close, close.handler());
    world.settle();
    expect(world, connect, {});
    if (!close.code) expect(world, close, {}, "false");
  }
}

BEHAVIOUR(B225_server_events, all_wires) {
  Server server(world.io());
  world.listen(server);
  world.settle();
  Result listening;
  server.async_wait(event::listening, listening.handler());
  expect(world, listening, {});
  Result close;
  Result error;
  Result handler_error;
  server.async_wait(event::close, close.handler());
  server.async_wait(event::error, error.handler());
  server.async_wait(event::handler_error, handler_error.handler());
  server.close();
  expect(world, close, {});
  expect(world, error, Errc::closed);
  expect(world, handler_error, Errc::closed, "nothing");
  Result again;
  server.async_wait(event::close, again.handler());
  expect(world, again, {});
}

BEHAVIOUR(B225_listening_that_fails, all_wires) {
  Server first(world.io());
  world.listen(first);
  const auto taken = world.connect_options(first);
  Server second(world.io());
  Result error;
  second.async_wait(event::error, error.handler());
  second.listen({.host = taken.host, .port = taken.port, .path = taken.path});
  expect(world, error, {}, "EADDRINUSE");
}

BEHAVIOUR(B225_closed_before_listening, all_wires) {
  Server server(world.io());
  Result listening;
  server.async_wait(event::listening, listening.handler());
  world.listen(server);
  server.close();
  expect(world, listening, Errc::closed);
}

BEHAVIOUR(B225_awaited, all_wires) {
  auto [client, server] = world.pair();
  world.await([](Socket socket, Socket peer) -> asio::awaitable<void> {
    co_await socket.async_wait(event::connect);
    peer.end();
    co_await socket.async_wait(event::end);
    co_await socket.async_wait(event::finish);
    const bool had_error = co_await socket.async_wait(event::close);
    BOOST_TEST(!had_error);
    const auto [code] = co_await socket.async_wait(event::drain, libnet::as_tuple);
    BOOST_TEST(code == Errc::closed);
    peer.destroy();
    const auto [late] = co_await peer.async_wait(event::timeout, libnet::as_tuple);
    // It may have closed by itself before.
    BOOST_TEST((late == Errc::destroyed || late == asio::error::operation_aborted || late == Errc::closed));
  }(client, server));
}
