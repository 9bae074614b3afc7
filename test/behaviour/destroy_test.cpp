#include "support/behaviour.hpp"

#include <stdexcept>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SystemError;

// destroy(), reset(), and what every kind of end has in common.

namespace {

constexpr unsigned one_wire = static_cast<unsigned>(Wire::memory);                      // for what needs no peer
constexpr unsigned stream_wires = all_wires & ~static_cast<unsigned>(Wire::unix_path);  // those that can reset

const Error cause(Errc::invalid_argument, "test");

}  // namespace

BEHAVIOUR(B162_destroy_on_a_fresh_socket_gives_close, one_wire) {
  Recorder recorder;
  Socket socket(world.io());
  recorder.watch(socket, "socket");
  socket.destroy();
  BOOST_TEST(recorder.log().empty());
  BOOST_TEST(socket.destroyed());
  world.run();
  const Log expected{"close(false)"};
  BOOST_TEST(recorder.of("socket") == expected, per_element);
}

BEHAVIOUR(B163_repeated_destroy_is_ignored, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  server.on(event::error, [](const Error&) {});
  client.on(event::error, [socket = client](const Error&) mutable { socket.destroy(Error(Errc::busy, "again")); });
  client.on(event::close, [socket = client](bool) mutable { socket.destroy(); });
  client.destroy(cause);
  client.destroy();
  client.destroy(Error(Errc::busy, "second"));
  world.run();
  const Log expected{"error(ERR_INVALID_ARGUMENT)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  BOOST_TEST((client.error().code() == Errc::invalid_argument));
}

BEHAVIOUR(B164_destroy_right_after_connect, all_wires) {
  Server server(world.io());
  server.on(event::connection, [](Socket socket) { socket.on(event::error, [](const Error&) {}); });
  world.listen(server);
  Recorder recorder;
  Socket client(world.io());
  recorder.watch(client, "client");
  bool connected = false;
  client.connect(world.connect_options(server), [&] { connected = true; });
  client.destroy();
  BOOST_TEST(!client.connecting());
  world.run_until([&] { return !recorder.log().empty(); });
  world.settle();
  const Log expected{"close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  BOOST_TEST(!connected);
  server.close();
  world.run();
}

BEHAVIOUR(B164_destroy_while_a_coroutine_connects_awaited, all_wires) {
  Server server(world.io());
  server.on(event::connection, [](Socket socket) { socket.on(event::error, [](const Error&) {}); });
  world.listen(server);
  Recorder recorder;
  Socket client(world.io());
  recorder.watch(client, "client");
  bool aborted = false;
  world.spawn([](Socket socket, libnet::ConnectOptions where, bool& done) -> asio::awaitable<void> {
    const auto [code] = co_await socket.async_connect(where, libnet::as_tuple);
    BOOST_TEST(code == asio::error::operation_aborted);
    done = true;
  }(client, world.connect_options(server), aborted));
  world.run_until([&] { return client.connecting(); });
  client.destroy();
  world.run_until([&] { return aborted; });
  server.close();
  world.run();
  const Log expected{"close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B165_destroy_with_nothing_unread_is_an_end_for_the_peer, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  server.write("hello");
  world.run_until([&] { return recorder.received("client") == "hello"; });
  client.destroy();
  world.run();
  const Log expected_client{"data(5)", "close(false)"};
  const Log expected_server{"end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected_client, per_element);
  BOOST_TEST(recorder.of("server") == expected_server, per_element);
}

BEHAVIOUR(B165_destroy_is_an_end_for_a_reader_awaited, all_wires) {
  auto [client, server] = world.pair();
  client.destroy();
  world.await([](Socket peer) -> asio::awaitable<void> {
    const Chunk chunk = co_await peer.async_read();
    BOOST_TEST(chunk.empty());
  }(server));
  server.destroy();
  world.run();
}

BEHAVIOUR(B166_destroy_with_an_error_emits_that_very_error, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  std::vector<Error> heard;
  client.on(event::error, [&](const Error& error) { heard.push_back(error); });
  const auto exception = std::make_exception_ptr(std::runtime_error("why"));
  client.destroy(Error(Errc::handler_threw, libnet::ErrorInfo{.operation = "think", .exception = &exception}));
  BOOST_TEST(heard.empty());
  world.run();
  BOOST_REQUIRE(heard.size() == 1U);
  BOOST_TEST((heard[0].code() == Errc::handler_threw));
  BOOST_TEST(heard[0].operation() == "think");
  BOOST_TEST((heard[0].exception() == exception));
  BOOST_TEST(recorder.of("client").back() == "close(true)");
  BOOST_TEST((client.error().exception() == exception));
}

BEHAVIOUR(B167_error_comes_later_and_once, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.end();
  client.write("after the end");
  client.write("and again");
  client.destroy(cause);
  BOOST_TEST(recorder.log().empty());
  world.run();
  const Log expected{"error(ERR_WRITE_AFTER_END)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B168_R7_reset_is_an_error_for_the_peer_only, stream_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  Error heard;
  server.on(event::error, [&](const Error& error) { heard = error; });
  client.reset();
  BOOST_TEST(client.destroyed());
  world.run();
  const Log expected_client{"close(false)"};
  const Log expected_server{"error(ECONNRESET)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected_client, per_element);
  BOOST_TEST(recorder.of("server") == expected_server, per_element);
  BOOST_TEST(heard.operation() == "read");
  BOOST_TEST(heard.message().starts_with("read ECONNRESET"));
}

BEHAVIOUR(B168_reset_reaches_a_reader_awaited, stream_wires) {
  auto [client, server] = world.pair();
  world.spawn([](Socket socket) -> asio::awaitable<void> {
    const auto [code, chunk] = co_await socket.async_read(libnet::as_tuple);
    BOOST_TEST(code == asio::error::operation_aborted);  // in flight when its own side was reset
  }(client));
  world.spawn([](Socket socket) -> asio::awaitable<void> {
    try {
      co_await socket.async_read();
      BOOST_ERROR("the reset was not noticed");
    } catch (const SystemError& error) {
      BOOST_TEST((error.code() == asio::error::connection_reset));
      BOOST_TEST(std::string(error.what()).starts_with("read ECONNRESET"));
    }
  }(server));
  world.settle();
  client.reset();
  world.run();
}

BEHAVIOUR(B168_R7_reset_of_a_unix_socket_throws_and_changes_nothing, static_cast<unsigned>(Wire::unix_path)) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  try {
    client.reset();
    BOOST_ERROR("no exception");
  } catch (const SystemError& error) {
    BOOST_TEST((error.code() == Errc::invalid_handle));
  }
  client.end("fine");
  world.run();
  BOOST_TEST(recorder.received("server") == "fine");
  BOOST_TEST(recorder.of("server").back() == "close(false)");
}

BEHAVIOUR(B169_reset_while_connecting_waits_for_the_connection, ip_wires) {
  Recorder recorder;
  Server server(world.io());
  server.on(event::connection, [&](Socket socket) { recorder.watch(socket, "accepted"); });
  world.listen(server);
  Socket client(world.io());
  recorder.watch(client, "client");
  world.connect(client, server);
  client.reset();
  BOOST_TEST(client.connecting());
  world.run_until([&] { return recorder.count("accepted:close(true)") + recorder.count("client:close(false)") == 2; });
  const Log expected_client{"close(false)"};
  const Log expected_accepted{"connect", "ready", "error(ECONNRESET)", "close(true)"};  // B244
  BOOST_TEST(recorder.of("client") == expected_client, per_element);
  BOOST_TEST(recorder.of("accepted") == expected_accepted, per_element);
  server.close();
  world.run();
}

BEHAVIOUR(B169_destroy_before_that_cancels_the_reset_silently, ip_wires) {
  Server server(world.io());
  world.listen(server);
  Recorder recorder;
  Socket client(world.io());
  recorder.watch(client, "client");
  world.connect(client, server);
  client.reset();
  client.destroy();
  world.run_until([&] { return !recorder.log().empty(); });
  server.close();
  world.run();
  const Log expected{"close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B170_reset_of_an_unconnected_socket, one_wire) {
  Recorder recorder;
  Socket socket(world.io());
  recorder.watch(socket, "socket");
  socket.reset();
  BOOST_TEST(recorder.log().empty());
  world.run();
  const Log expected{"error(ERR_CLOSED)", "close(true)"};
  BOOST_TEST(recorder.of("socket") == expected, per_element);
}

BEHAVIOUR(B171_reset_and_destroy_again_are_harmless, stream_wires) {
  auto [client, server] = world.pair();
  server.on(event::error, [](const Error&) {});
  Recorder recorder;
  recorder.watch(client, "client");
  client.reset().reset().destroy();
  client.on(event::close, [socket = client](bool) mutable { socket.reset().destroy(cause); });
  world.run();
  const Log expected{"close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B172_resetting_accepted_sockets_lets_the_server_close, ip_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  int accepted = 0;
  server.on(event::connection, [&](Socket socket) {
    socket.reset();
    if (++accepted == 2) server.close();
  });
  world.listen(server);
  Socket first(world.io());
  Socket second(world.io());
  for (Socket* client : {&first, &second}) {
    recorder.watch(*client, "client");
    world.connect(*client, server);
  }
  world.run();
  const Log expected{"listening", "close"};
  BOOST_TEST(recorder.of("server") == expected, per_element);
  BOOST_TEST(recorder.count("client:close(true)") == 2U);
  BOOST_TEST(recorder.count("client:error(ECONNRESET)") == 2U);
}

BEHAVIOUR(C2_one_close_that_is_last_and_at_most_one_error_before_it, all_wires) {
  // Each way to bring a connection to its end, alone and together with each other way.
  using Way = void (*)(Socket&);
  const std::vector<Way> ways{
      [](Socket& socket) { socket.end(); },
      [](Socket& socket) { socket.end("x"); },
      [](Socket& socket) { socket.destroy(); },
      [](Socket& socket) { socket.destroy(cause); },
      [](Socket& socket) { socket.destroy_soon(); },
      [](Socket& socket) { socket.pause().write("unread"); },
      [](Socket& socket) { socket.end().write("after the end"); },
      [](Socket& socket) {
        socket.on(event::end, [] { throw std::runtime_error("listener"); });
        socket.end();
      },
      [](Socket& socket) {
        try {
          socket.reset();
        } catch (const SystemError&) {
          socket.destroy();
        }
      },
  };
  for (const Way first : ways) {
    for (const Way second : ways) {
      for (const bool same_side : {true, false}) {
        auto [client, server] = world.pair();
        Recorder recorder;
        recorder.watch(client, "client");
        recorder.watch(server, "server");
        first(client);
        second(same_side ? client : server);
        world.settle();
        server.resume().end();
        client.resume().end();
        world.run();
        for (const std::string name : {"client", "server"}) {
          const Log log = recorder.of(name);
          BOOST_REQUIRE(!log.empty());
          const auto closes =
              std::count_if(log.begin(), log.end(), [](const auto& e) { return e.starts_with("close"); });
          const auto errors =
              std::count_if(log.begin(), log.end(), [](const auto& e) { return e.starts_with("error"); });
          BOOST_TEST(closes == 1);
          BOOST_TEST(log.back() == (errors == 0 ? "close(false)" : "close(true)"));
          BOOST_TEST(errors <= 1);
          BOOST_TEST(recorder.count(name + ":end") <= 1U);
          BOOST_TEST(recorder.count(name + ":finish") <= 1U);
        }
      }
    }
  }
}

BEHAVIOUR(R3_no_data_after_destroy_returns, all_wires) {
  auto [client, server] = world.pair();
  int chunks = 0;
  server.on(event::error, [](const Error&) {});
  client.on(event::data, [&, socket = client](Chunk) mutable {
    ++chunks;
    socket.destroy();
  });
  server.write(random_bytes(500'000));
  world.run();
  BOOST_TEST(chunks == 1);
}

BEHAVIOUR(B256_error_keeps_its_detail_until_the_next_connect, all_wires) {
  const libnet::ConnectOptions nowhere = world.refusing_options();
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  client.connect(nowhere);
  world.run();
  const Error error = client.error();
  const bool is_unix = world.is_unix();
  BOOST_TEST(error.name() == (is_unix ? "ENOENT" : "ECONNREFUSED"));
  BOOST_TEST(error.operation() == "connect");
  BOOST_REQUIRE(error.remote_address().has_value());
  BOOST_TEST(error.remote_address()->address() == (is_unix ? nowhere.path : nowhere.host));
  if (!is_unix) BOOST_TEST(error.remote_address()->port() == *nowhere.port);

  Server server(world.io());
  server.on(event::connection, [](const Socket&) {});
  world.listen(server);
  world.connect(client, server);
  BOOST_TEST(!client.error());
  recorder.watch(client, "again");
  world.run_until([&] { return recorder.count("again:connect") == 1; });
  BOOST_TEST(!client.error());
  client.destroy();
  server.close();
  world.run();
  BOOST_TEST(recorder.of("again").back() == "close(false)");
}

BEHAVIOUR(B256_read_errors_tell_operation_and_addresses, ip_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  const auto local = server.local_address();
  const auto remote = server.remote_address();
  client.reset();
  world.run();
  const Error error = server.error();
  BOOST_TEST((error.code() == asio::error::connection_reset));
  BOOST_TEST(error.operation() == "read");
  BOOST_TEST((error.local_address() == local));
  BOOST_TEST((error.remote_address() == remote));
}

BEHAVIOUR(R3_after_destroy_only_close_comes, all_wires) {
  // Destroyed by the handler that runs just before the event that was due next.
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  recorder.watch(server, "server", Recorder::Data::ignore);
  server.async_read([socket = server](const error_code&, const Chunk& chunk) mutable {
    BOOST_TEST(chunk.empty());
    socket.destroy();  // instead of 'end'
  });
  client.end([socket = client]() mutable { socket.destroy(); });  // instead of 'finish'
  world.run();
  const Log expected{"close(false)"};
  BOOST_TEST(recorder.of("server") == expected, per_element);
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(R3_a_socket_destroyed_in_connection_does_not_connect, all_wires) {
  Server server(world.io());
  Recorder recorder;
  server.on(event::connection, [&](Socket socket) {
    recorder.watch(socket, "accepted");
    socket.destroy();
  });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  world.run_until([&] { return recorder.count("accepted:close(false)") == 1; });
  server.close();
  client.destroy();
  world.run();
  const Log expected{"close(false)"};
  BOOST_TEST(recorder.of("accepted") == expected, per_element);
}
