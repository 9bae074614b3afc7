#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::ConnectOptions;
using libnet::Errc;
using libnet::Server;
using libnet::Socket;
using libnet::SystemError;

// One socket object, many connections.

BEHAVIOUR(B77_the_same_socket_connects_again_from_close, all_wires) {
  constexpr int rounds = 51;
  Server server(world.io());
  server.on(event::connection, [](Socket socket) { socket.end("hello"); });
  world.listen(server);
  const ConnectOptions options = world.connect_options(server);
  Socket client(world.io());
  Log round;
  int finished = 0;
  client.on(event::connect, [&, client] {
    round.emplace_back("connect");
    BOOST_TEST(client.bytes_read() == 0U);
    BOOST_TEST(client.bytes_written() == 0U);
    BOOST_TEST(client.readable());
    BOOST_TEST(client.writable());
    BOOST_TEST(!client.destroyed());
  });
  client.on(event::data, [&, client](Chunk chunk) mutable {
    round.push_back("data " + chunk.to_string());
    client.write("123456");
    BOOST_TEST(client.bytes_written() == 6U);
  });
  client.on(event::end, [&] { round.emplace_back("end"); });
  client.on(event::error, [&](const libnet::Error& error) { round.push_back(error.message()); });
  client.on(event::close, [&, client](bool had_error) mutable {
    round.emplace_back(had_error ? "close(true)" : "close(false)");
    const Log expected{"connect", "data hello", "end", "close(false)"};
    BOOST_TEST(round == expected, per_element);
    BOOST_TEST(client.bytes_read() == 5U);
    BOOST_TEST(client.pending());
    round.clear();
    if (++finished < rounds) {
      client.connect(options);
      BOOST_TEST(client.connecting());
      BOOST_TEST(client.bytes_read() == 0U);
    } else {
      server.close();
    }
  });
  client.connect(options);
  world.run();
  BOOST_TEST(finished == rounds);
  BOOST_TEST(client.listener_count(event::connect) == 0U);  // dropped with the last 'close'
}

BEHAVIOUR(B77_B130_the_same_socket_connects_again_awaited, all_wires) {
  Server server(world.io());
  server.serve([](Socket socket) -> asio::awaitable<void> {
    while (const Chunk chunk = co_await socket.async_read()) co_await socket.async_write(chunk);
  });
  world.listen(server);
  world.await([](Socket client, ConnectOptions options) -> asio::awaitable<void> {
    for (int round = 0; round < 51; ++round) {
      co_await client.async_connect(options);
      const std::string text = "round " + std::to_string(round);
      co_await client.async_write(text);
      BOOST_TEST(client.bytes_written() == text.size());
      std::string echo;
      while (echo.size() < text.size()) echo += co_await client.async_read();
      BOOST_TEST(echo == text);
      co_await client.async_end();
      const Chunk last = co_await client.async_read();
      BOOST_TEST(last.empty());
      co_await client.async_close();
      BOOST_TEST(client.destroyed());
    }
  }(Socket(world.io()), world.connect_options(server)));
  server.close();
  world.run();
}

BEHAVIOUR(B77_a_destroyed_and_a_failed_socket_connect_again, all_wires) {
  Server server(world.io());
  int connections = 0;
  server.on(event::connection, [&](Socket socket) {
    ++connections;
    socket.end();
  });
  world.listen(server);
  const ConnectOptions good = world.connect_options(server);
  const ConnectOptions refused = world.refusing_options();
  Socket client(world.io());
  Log log;
  client.on(event::connect, [&, client]() mutable {
    log.emplace_back("connect");
    BOOST_TEST(!client.error());
    if (log.size() == 1) client.destroy();
  });
  client.on(event::error, [&](const libnet::Error&) { log.emplace_back("error"); });
  client.on(event::close, [&, client](bool had_error) mutable {
    log.emplace_back(had_error ? "close(true)" : "close(false)");
    if (log.size() == 2) client.connect(refused);
    if (log.size() == 4) {
      client.connect(good);
      BOOST_TEST(!client.error());  // a new connect clears it
    }
    if (log.size() == 6) server.close();
  });
  client.connect(good);
  world.run();
  const Log expected{"connect", "close(false)", "error", "close(true)", "connect", "close(false)"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B78_reconnecting_to_a_refused_port, all_wires) {
  const ConnectOptions options = world.refusing_options();
  Socket client(world.io());
  int errors = 0;
  int closes = 0;
  client.on(event::error, [&](const libnet::Error&) {
    ++errors;
    BOOST_TEST(errors == closes + 1);
  });
  client.on(event::close, [&, client](bool had_error) mutable {
    BOOST_TEST(had_error);
    if (++closes < 21) client.connect(options);
  });
  client.connect(options);
  world.run();
  BOOST_TEST(errors == 21);
  BOOST_TEST(closes == 21);
}

BEHAVIOUR(B253_connect_while_connecting_or_connected, all_wires) {
  Server server(world.io());
  Socket accepted;
  server.on(event::connection, [&](Socket socket) { accepted = std::move(socket); });
  world.listen(server);
  const ConnectOptions options = world.connect_options(server);
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  client.connect(options);
  const auto is_right = [](const SystemError& error) { return error.code() == Errc::already_connected; };
  BOOST_CHECK_EXCEPTION(client.connect(options), SystemError, is_right);
  world.run_until([&] { return !accepted.pending() && recorder.count("client:ready") == 1; });
  BOOST_CHECK_EXCEPTION(client.connect(options), SystemError, is_right);
  world.await([](Socket socket, ConnectOptions where) -> asio::awaitable<void> {
    auto [code] = co_await socket.async_connect(where, libnet::as_tuple);
    BOOST_TEST(code == Errc::already_connected);
  }(client, options));
  accepted.end("undisturbed");
  server.close();
  world.run();
  const Log expected{"connect", "ready", "data(11)", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}
