#include <cerrno>
#include <memory>

#include "support/behaviour.hpp"
#include "support/visitor.hpp"

using namespace libnet::test;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Family;
using libnet::ListenOptions;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// listen() and close() of a server: addresses, when what is told, and listening again.

namespace {

constexpr unsigned any_wire = static_cast<unsigned>(Wire::tcp4) |
                              static_cast<unsigned>(Wire::memory);  // for cases that choose their address themselves

/// To listen where `server` does. Views point into `address`.
ListenOptions same_place(const SocketAddress& address, std::string& kept) {
  kept = address.address();
  if (address.family() == Family::unix_path) return {.path = kept};
  return {.host = kept, .port = address.port()};
}

/// A server that can be reached: a client gets through to it.
void expect_connectable(World& world, Server server) {
  Socket client(world.io());
  bool connected = false;
  client.on(event::connect, [&] { connected = true; });
  world.connect(client, server);
  world.run_until([&] { return connected; });
  client.destroy();
}

}  // namespace

BEHAVIOUR(B1_the_system_picks_a_port, ip_wires) {
  Server server(world.io());
  const std::string host = world.listen_options().host.data();
  server.listen({.host = host});
  BOOST_TEST(server.address().value().port() > 100);
  Server second(world.io());
  second.listen(0, host);
  BOOST_TEST(second.address().value().port() > 100);
  Server third(world.io());
  third.listen();
  BOOST_TEST(third.address().value().port() > 100);
  BOOST_TEST(second.address().value().port() != server.address().value().port());
}

BEHAVIOUR(B1_the_system_picks_a_port_awaited, ip_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string host(here.listen_options().host);
    Server server(here.io());
    co_await server.async_listen({.host = host});
    BOOST_TEST(server.address().value().port() > 100);
    const Server made = co_await libnet::async_listen(here.io(), {.host = host, .port = 0});
    BOOST_TEST(made.address().value().port() > 100);
    BOOST_TEST(made.listening());
  }(world));
}

BEHAVIOUR(B2_without_host_all_addresses_of_both_families, any_wire) {
  Server server(world.io());
  server.listen();
  const SocketAddress address = server.address().value();
  if (probe(world, SocketAddress::ip("::1", address.port())) == EADDRNOTAVAIL) {
    BOOST_TEST(address.address() == "0.0.0.0");
    BOOST_TEST(address.family_name() == "IPv4");
  } else {
    BOOST_TEST(address.address() == "::");
    BOOST_TEST(address.family_name() == "IPv6");
    BOOST_TEST(probe(world, SocketAddress::ip("::1", address.port())) == 0);
  }
  BOOST_TEST(probe(world, SocketAddress::ip("127.0.0.1", address.port())) == 0);
}

BEHAVIOUR(B3_address_is_what_was_asked_for, any_wire) {
  Server four(world.io());
  four.listen(0, "127.0.0.1");
  BOOST_TEST(four.address().value().address() == "127.0.0.1");
  BOOST_TEST(four.address().value().family_name() == "IPv4");
  Server six(world.io());
  six.listen(0, "::1");
  BOOST_TEST(six.address().value().address() == "::1");
  BOOST_TEST(six.address().value().family_name() == "IPv6");
  const int port = six.address().value().port();
  six.close();
  world.settle();
  six.listen(port, "::1");
  BOOST_TEST(six.address().value().port() == port);
  BOOST_TEST(six.listening());
}

BEHAVIOUR(B4_clients_may_connect_before_the_loop_runs, all_wires) {
  Server server(world.io());
  int connections = 0;
  server.on(event::connection, [&](const Socket&) { ++connections; });
  world.listen(server);
  BOOST_TEST(server.address().has_value());
  BOOST_TEST(server.listening());
  Visitor client(world);
  BOOST_TEST(client.connect(server.address().value()) == 0);
  BOOST_TEST(connections == 0);
  world.run_until([&] { return connections == 1; });
}

BEHAVIOUR(B5_listening_comes_later_and_once, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.listen(world.listen_options(), [&] { recorder.note("server:callback"); });
  expect(recorder.log(), {});
  world.settle();
  expect(recorder.log(), {"server:listening", "server:callback"});
  BOOST_TEST(server.listener_count(event::listening) == 1u);
  server.close();
  world.run();
  expect(recorder.log(), {"server:listening", "server:callback", "server:close"});
}

BEHAVIOUR(B5_listening_comes_later_and_once_awaited, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  int completions = 0;
  server.async_listen(world.listen_options(), [&](error_code code) {
    BOOST_TEST(!code);
    BOOST_TEST(server.listening());
    ++completions;
  });
  BOOST_TEST(completions == 0);
  world.settle();
  BOOST_TEST(completions == 1);
  expect(recorder.of("server"), {"listening"});
}

BEHAVIOUR(B6_listening_tells_the_state, all_wires) {
  Server server(world.io());
  BOOST_TEST(!server.listening());
  bool in_callback = false;
  bool in_close = true;
  server.listen(world.listen_options(), [&] {
    in_callback = server.listening();
    server.close([&] { in_close = server.listening(); });
  });
  world.run();
  BOOST_TEST(in_callback);
  BOOST_TEST(!in_close);
  BOOST_TEST(!server.listening());
}

BEHAVIOUR(B7_close_and_get_connections_take_what_the_caller_likes, all_wires) {
  Server server(world.io());
  int calls = 0;
  world.listen(server);
  server.get_connections([&] { ++calls; });
  server.get_connections([&](error_code) { ++calls; });
  server.get_connections([&](error_code code, std::size_t count) { calls += !code && count == 0 ? 1 : 100; });
  server.close([&](error_code code) { calls += code ? 100 : 1; });
  BOOST_TEST(calls == 0);
  world.run();
  BOOST_TEST(calls == 4);
  world.await([](World& here, Server again) -> asio::awaitable<void> {
    co_await again.async_listen(here.listen_options());
    BOOST_TEST(co_await again.async_get_connections() == 0u);
    co_await again.async_close();
    BOOST_TEST(!again.listening());
  }(world, server));
  world.listen(server);
  server.close();
  world.run();
}

BEHAVIOUR(B8_close_right_after_listen, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.listen(world.listen_options(), [&] { recorder.note("server:callback"); });
  server.close();
  world.run();
  expect(recorder.of("server"), {"close"});
}

BEHAVIOUR(B8_close_right_after_listen_awaited, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.async_listen(world.listen_options(),
                      [&](error_code code) { recorder.note("server:" + libnet::error_name(code)); });
  server.close();
  world.run();
  expect(recorder.of("server"), {"ECANCELED", "close"});
}

BEHAVIOUR(B10_a_taken_address_is_an_error_event, all_wires) {
  Server first(world.io());
  world.listen(first);
  const SocketAddress address = first.address().value();
  std::string kept;
  Server second(world.io());
  Recorder recorder;
  recorder.watch(second, "second");
  Error seen;
  second.on(event::error, [&](const Error& error) { seen = error; });
  second.listen(same_place(address, kept), [&] { recorder.note("second:callback"); });
  BOOST_TEST(!second.listening());
  expect(recorder.log(), {});
  world.settle();
  expect(recorder.log(), {"second:error(EADDRINUSE)"});
  BOOST_TEST((seen.code() == boost::system::errc::address_in_use));
  BOOST_TEST(seen.operation() == "listen");
  BOOST_TEST((seen.local_address() == address));
  const std::string where = address.address() + (world.is_tcp() ? ":" + std::to_string(address.port()) : "");
  BOOST_TEST(seen.message() == "listen EADDRINUSE: address already in use " + where);
  BOOST_TEST((second.error().code() == seen.code()));
  expect_connectable(world, first);
}

BEHAVIOUR(B10_a_taken_address_is_an_error_awaited, all_wires) {
  Server first(world.io());
  world.listen(first);
  Server second(world.io());
  Recorder recorder;
  recorder.watch(second, "second");
  world.await([](Server taken, Server refused) -> asio::awaitable<void> {
    std::string kept;
    std::string what;
    try {
      co_await refused.async_listen(same_place(taken.address().value(), kept));
    } catch (const libnet::SystemError& error) {
      what = error.what();
      BOOST_TEST((error.error().local_address() == taken.address()));
    }
    BOOST_TEST(what.starts_with("listen EADDRINUSE: address already in use " + kept));
    const auto [code] = co_await refused.async_listen(same_place(taken.address().value(), kept), libnet::as_tuple);
    BOOST_TEST((code == boost::system::errc::address_in_use));
  }(first, second));
  world.settle();
  expect(recorder.of("second"), {"error(EADDRINUSE)", "error(EADDRINUSE)"});
}

BEHAVIOUR(B11_listen_again_after_it_failed, all_wires) {
  Server first(world.io());
  world.listen(first);
  std::string kept;
  Server second(world.io());
  Recorder recorder;
  second.once(event::error, [&](const Error&) {
    recorder.note("second:again");
    world.listen(second);
  });
  recorder.watch(second, "second");
  second.listen(same_place(first.address().value(), kept), [&] { recorder.note("second:callback"); });
  world.settle();
  expect(recorder.of("second"), {"again", "error(EADDRINUSE)", "listening"});
  expect_connectable(world, second);
  second.close();
  world.settle();
  second.listen(same_place(first.address().value(), kept));
  world.settle();
  BOOST_TEST(!second.listening());
  world.listen(second);
  world.settle();
  expect_connectable(world, second);
}

BEHAVIOUR(B11_listen_again_before_the_failure_was_told, all_wires) {
  Server first(world.io());
  world.listen(first);
  std::string kept;
  Server second(world.io());
  Recorder recorder;
  recorder.watch(second, "second");
  second.listen(same_place(first.address().value(), kept));
  world.listen(second);
  world.settle();
  expect(recorder.of("second"), {"error(EADDRINUSE)", "listening"});
  expect_connectable(world, second);
}

BEHAVIOUR(B11_listen_again_before_the_failure_was_told_awaited, all_wires) {
  Server first(world.io());
  world.listen(first);
  std::string kept;
  Server second(world.io());
  Log log;
  const auto told = [&log](error_code code) { log.push_back(code ? libnet::error_name(code) : "listening"); };
  second.async_listen(same_place(first.address().value(), kept), told);
  second.async_listen(world.listen_options(), told);
  world.settle();
  expect(log, {"EADDRINUSE", "listening"});
}

BEHAVIOUR(B12_listen_while_listening_throws, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.listen(server);
  const auto address = server.address();
  BOOST_TEST((thrown_by([&] { world.listen(server); }) == Errc::already_listening));
  world.settle();
  BOOST_TEST((thrown_by([&] { server.listen(world.listen_options(), [] { BOOST_ERROR("called"); }); }) ==
              Errc::already_listening));
  world.settle();
  expect(recorder.of("server"), {"listening"});
  BOOST_TEST((server.address() == address));
  expect_connectable(world, server);
}

BEHAVIOUR(B12_listen_while_listening_is_refused_awaited, all_wires) {
  Server server(world.io());
  Log log;
  server.async_listen(world.listen_options(), [&](error_code code) { log.push_back("1" + code.message()); });
  server.async_listen(world.listen_options(), [&](error_code code) {
    log.push_back(code == Errc::already_listening ? "2refused" : "2" + code.message());
  });
  world.settle();
  std::sort(log.begin(), log.end());
  expect(log, {"1" + error_code().message(), "2refused"});
  BOOST_TEST(server.listening());
  expect_connectable(world, server);
}
