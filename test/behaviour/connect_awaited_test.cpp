#include <optional>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::ConnectOptions;
using libnet::Errc;
using libnet::error_code;
using libnet::Lookup;
using libnet::LookupAnswer;
using libnet::LookupOptions;
using libnet::ReadyState;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;
using libnet::SystemError;

// What connect_test.cpp, connect_fail_test.cpp, reconnect_test.cpp and destroy_test.cpp say of listeners, for connects that
// are awaited.

namespace {

/// Connects, and notes the code.
asio::awaitable<void> connect_and_note(Socket socket, ConnectOptions options, std::optional<error_code>& outcome) {
  const auto [code] = co_await socket.async_connect(options, libnet::as_tuple);
  outcome = code;
}

template <class Tag>
asio::awaitable<void> note_event(Socket socket, Tag tag, std::string name, Log& log) {
  co_await socket.async_wait(tag);
  log.push_back(std::move(name));
}

/// What a failed connect throws.
asio::awaitable<SystemError> failure_of(Socket socket, ConnectOptions options) {
  try {
    co_await socket.async_connect(options);
  } catch (const SystemError& failure) {
    co_return failure;
  }
  BOOST_ERROR("connected");
  co_return SystemError(libnet::Error());
}

}  // namespace

BEHAVIOUR(B61_B62_B63_states_of_an_awaited_connect_awaited, all_wires) {
  Server server(world.io());
  world.listen(server);
  Socket socket(world.io());
  std::optional<error_code> outcome;
  BOOST_TEST(socket.pending());
  world.spawn(connect_and_note(socket, world.connect_options(server), outcome));
  world.run_until([&] { return socket.connecting(); });
  BOOST_TEST(!outcome.has_value());
  BOOST_TEST(socket.pending());
  BOOST_TEST((socket.ready_state() == ReadyState::opening));
  socket.end();
  BOOST_TEST((socket.ready_state() == ReadyState::opening));
  world.run_until([&] { return outcome.has_value(); });
  BOOST_TEST(!*outcome);
  BOOST_TEST(!socket.connecting());
  BOOST_TEST(!socket.pending());
  socket.destroy();
  world.await([](Socket closing) -> asio::awaitable<void> { co_await closing.async_close(); }(socket));
  BOOST_TEST(socket.pending());

  Socket refused(world.io());
  std::optional<error_code> refusal;
  world.spawn(connect_and_note(refused, world.refusing_options(), refusal));
  world.run_until([&] { return refusal.has_value(); });
  BOOST_TEST(static_cast<bool>(*refusal));
  BOOST_TEST(!refused.connecting());
  BOOST_TEST(refused.pending());
}

BEHAVIOUR(B65_connect_is_directly_followed_by_ready_awaited, all_wires) {
  Server server(world.io());
  world.listen(server);
  Socket socket(world.io());
  Log log;
  world.spawn(note_event(socket, event::connect, "connect", log));
  world.spawn(note_event(socket, event::ready, "ready", log));
  world.settle();
  std::optional<error_code> outcome;
  world.spawn(connect_and_note(socket, world.connect_options(server), outcome));
  world.run_until([&] { return outcome.has_value() && log.size() == 2; });
  const Log expected{"connect", "ready"};
  BOOST_TEST(log == expected, per_element);
  socket.destroy();
}

BEHAVIOUR(B66_the_default_host_is_localhost_awaited, ip_wires) {
  Server server(world.io());
  world.listen(server);
  world.await([](Socket socket, int port, bool is_ipv4) -> asio::awaitable<void> {
    const auto [code] = co_await socket.async_connect({.port = port}, libnet::as_tuple);
    if (is_ipv4) BOOST_TEST(!code);
    if (code)
      BOOST_TEST((code == asio::error::connection_refused));  // "localhost" need not have the family of this wire
  }(Socket(world.io()), server.address()->port(), world.wire() != Wire::tcp6));
}

BEHAVIOUR(B70_port_0_is_an_error_awaited, ip_wires) {
  const std::string host(world.refusing_options().host);
  Socket socket(world.io());
  world.await([](Socket client, const std::string& where) -> asio::awaitable<void> {
    const SystemError failure = co_await failure_of(client, {.host = where, .port = 0});
    BOOST_TEST(std::string(failure.what()).starts_with("connect E"));
  }(socket, host));
  BOOST_TEST(socket.pending());
}

BEHAVIOUR(B72_a_refusal_of_a_bound_socket_names_both_ends_awaited, ip_wires) {
  const ConnectOptions refusing = world.refusing_options();
  const ConnectOptions own = world.unused_options();
  world.await([](asio::io_context& io, ConnectOptions where, ConnectOptions from) -> asio::awaitable<void> {
    where.local_address = from.host;
    where.local_port = from.port;
    const SystemError failure = co_await failure_of(Socket(io), where);
    const std::string local = std::string(from.host) + ":" + std::to_string(*from.port);
    BOOST_TEST(std::string(failure.what()).ends_with(" - Local (" + local + ")"));
    BOOST_TEST(failure.error().local_address()->port() == *from.port);
  }(world.io(), refusing, own));
}

BEHAVIOUR(B73_a_local_port_that_is_listened_on_awaited, ip_wires) {
  Server taken(world.io());
  world.listen(taken);
  Server target(world.io());
  world.listen(target);
  world.await([](asio::io_context& io, ConnectOptions where, ConnectOptions from) -> asio::awaitable<void> {
    where.local_address = from.host;
    where.local_port = from.port;
    const SystemError failure = co_await failure_of(Socket(io), where);
    BOOST_TEST((failure.code() == asio::error::address_in_use));
  }(world.io(), world.connect_options(target), world.connect_options(taken)));
}

BEHAVIOUR(B78_reconnecting_to_a_refused_port_awaited, all_wires) {
  Socket socket(world.io());
  Recorder recorder;
  world.await([](Socket client, ConnectOptions nowhere, Recorder& log) -> asio::awaitable<void> {
    for (int attempt = 0; attempt < 21; ++attempt) {
      log.watch(client, "client");  // listeners go with each 'close'
      const auto [code] = co_await client.async_connect(nowhere, libnet::as_tuple);
      BOOST_TEST(static_cast<bool>(code));
      co_await client.async_wait(event::close);
    }
  }(socket, world.refusing_options(), recorder));
  BOOST_TEST(recorder.count("client:close(true)") == 21u);
  BOOST_TEST(recorder.log().size() == 42u);
}

BEHAVIOUR(B79_B80_B81_B82_B83_addresses_of_both_ends_awaited, ip_wires) {
  Server server(world.io());
  world.listen(server);
  const SocketAddress listening = *server.address();
  Socket client(world.io());
  std::optional<error_code> outcome;
  world.spawn(connect_and_note(client, world.connect_options(server), outcome));
  world.run_until([&] { return client.connecting(); });
  BOOST_TEST(!client.remote_address().has_value());
  world.await([](Server from, Socket& near, SocketAddress address) -> asio::awaitable<void> {
    const Socket accepted = co_await from.async_accept();
    co_await near.async_wait(event::ready);
    BOOST_TEST((near.remote_address() == address));
    BOOST_TEST((accepted.local_address() == address));
    BOOST_TEST((accepted.remote_address() == near.local_address()));
    BOOST_TEST(accepted.remote_address()->port() != address.port());
    BOOST_TEST(accepted.remote_address()->address() == address.address());
    BOOST_TEST(near.remote_address()->family_name() == address.family_name());
    near.destroy();
    co_await near.async_wait(event::close);
    BOOST_TEST((near.remote_address() == address));
  }(server, client, listening));
}

BEHAVIOUR(B85_end_and_then_a_failing_lookup_awaited, ip_wires) {
  std::optional<LookupAnswer> kept;
  const Lookup lookup = [&](std::string_view, const LookupOptions&, const LookupAnswer& answer) { kept = answer; };
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  std::optional<error_code> outcome;
  world.spawn(connect_and_note(socket, {.host = "name.test", .port = 80, .lookup = &lookup}, outcome));
  world.run_until([&] { return kept.has_value(); });
  error_code end_code;
  world.spawn([](Socket ending, error_code& result) -> asio::awaitable<void> {
    const auto [code] = co_await ending.async_end(libnet::as_tuple);
    result = code;
  }(socket, end_code));
  world.settle();
  (*kept)(error_code(asio::error::host_not_found));
  world.run();
  BOOST_TEST((outcome == asio::error::host_not_found));
  BOOST_TEST((end_code == asio::error::host_not_found));
  const Log expected{"error(ENOTFOUND)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B169_B172_resets_awaited, ip_wires) {
  Server server(world.io());
  world.listen(server);
  const ConnectOptions where = world.connect_options(server);
  Socket client(world.io());
  std::optional<error_code> outcome;
  world.spawn(connect_and_note(client, where, outcome));
  world.run_until([&] { return client.connecting(); });
  client.reset();
  BOOST_TEST(client.connecting());  // it waits for the connection
  world.await([](Server from) -> asio::awaitable<void> {
    Socket accepted = co_await from.async_accept();
    const auto [code, chunk] = co_await accepted.async_read(libnet::as_tuple);
    BOOST_TEST((code == asio::error::connection_reset));
  }(server));
  Socket second(world.io());
  std::optional<error_code> destroyed;
  world.spawn(connect_and_note(second, where, destroyed));
  world.run_until([&] { return second.connecting(); });
  second.reset();
  second.destroy();
  world.run_until([&] { return outcome.has_value() && destroyed.has_value(); });
  BOOST_TEST((*destroyed == asio::error::operation_aborted));
  BOOST_TEST(!second.error());
  world.await([](World& here, Server from) -> asio::awaitable<void> {
    Socket third = co_await libnet::async_connect(here.io(), here.connect_options(from));
    for (Socket socket : from.sockets()) socket.reset();
    co_await from.async_close();
    BOOST_TEST(!from.listening());
    third.destroy();
  }(world, server));
}

BEHAVIOUR(B256_error_keeps_its_detail_until_the_next_connect_awaited, all_wires) {
  Server server(world.io());
  world.listen(server);
  world.await([](Socket client, ConnectOptions nowhere, ConnectOptions somewhere) -> asio::awaitable<void> {
    const SystemError failure = co_await failure_of(client, nowhere);
    co_await client.async_wait(event::close);
    BOOST_TEST((client.error().code() == failure.code()));
    BOOST_TEST(client.error().operation() == "connect");
    BOOST_TEST(client.error().message() == std::string(failure.what()));
    BOOST_TEST(client.error().remote_address().has_value());
    co_await client.async_connect(somewhere);
    BOOST_TEST(!client.error());
  }(Socket(world.io()), world.refusing_options(), world.connect_options(server)));
}
