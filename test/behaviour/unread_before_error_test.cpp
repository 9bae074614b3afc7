#include "support/behaviour.hpp"

#include <boost/asio/executor_work_guard.hpp>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Socket;

// Contract 8: what can still be read comes before an error, and an error never becomes a clean end.

namespace {

constexpr unsigned stream_wires = all_wires & ~static_cast<unsigned>(Wire::unix_path);  // those that can reset

// Where a write can fail while bytes are unread; records acknowledge, so there who does not read cannot write.
constexpr unsigned plain_wires = all_wires & ~static_cast<unsigned>(Wire::record);

bool is_broken(const error_code& code) {
  return code == asio::error::connection_reset || code == asio::error::broken_pipe;
}

/// The peer sends its last line and goes, while megabytes that it will never take are queued for it.
struct Abandoned {
  explicit Abandoned(World& world) {
    auto pair = world.pair();
    socket = pair.client;
    socket.pause();
    pair.server.write("last line");
    pair.server.pause();
    const auto count = [this](const error_code& code) {
      if (is_broken(code)) ++failed_writes;
    };
    socket.write(random_bytes(8'000'000), count);
    socket.write("behind it", count);
    world.settle();
    BOOST_TEST(failed_writes == 0);
    pair.server.destroy();
    world.run_until([this] { return failed_writes == 2; });
    world.settle();
  }

  Socket socket;
  int failed_writes = 0;
};

}  // namespace

BEHAVIOUR(C8_a_reset_behind_unread_bytes_waits_until_they_are_consumed, stream_wires) {
  for (const bool paused : {true, false}) {
    world.use_manual_clock();
    auto [client, server] = world.pair();
    if (paused) server.pause();
    Recorder recorder;
    recorder.watch(server, "server", Recorder::Data::ignore);
    client.write("bytes");
    world.settle();
    client.reset();
    world.settle();
    world.advance(1h);
    BOOST_TEST(recorder.log().empty());
    BOOST_TEST(!server.destroyed());
    server.on(event::data, [&](const Chunk& chunk) { recorder.note("server:" + chunk.to_string()); });
    server.resume();
    world.run();
    const Log expected{"bytes", "error(ECONNRESET)", "close(true)"};
    BOOST_TEST(recorder.of("server") == expected, per_element);
  }
}

BEHAVIOUR(C8_bytes_then_the_reset_awaited, stream_wires) {
  auto [client, server] = world.pair();
  const std::string data = random_bytes(3000);
  client.write(data);
  world.settle();
  client.reset();
  world.await([](Socket socket, const std::string& expected) -> asio::awaitable<void> {
    std::string got;
    while (got.size() < expected.size()) {
      const Chunk chunk = co_await socket.async_read();
      BOOST_REQUIRE(!chunk.empty());
      got += chunk;
    }
    BOOST_TEST((got == expected));
    const auto [code, nothing] = co_await socket.async_read(libnet::as_tuple);
    BOOST_TEST(code == asio::error::connection_reset);
    co_await socket.async_close();
    const auto [later, still_nothing] = co_await socket.async_read(libnet::as_tuple);
    BOOST_TEST(later == Errc::closed);  // not an empty chunk: it was no clean end
  }(server, data));
  world.run();
}

BEHAVIOUR(C8_a_reset_with_nothing_unread_is_reported_at_once, stream_wires) {
  for (const bool paused : {true, false}) {
    auto [client, server] = world.pair();
    Recorder recorder;
    if (paused) server.pause();
    recorder.watch(server, "server", Recorder::Data::ignore);
    client.reset();
    const auto work = asio::make_work_guard(world.io());  // a paused socket does not count
    world.run_until([&] { return recorder.log().size() == 2; });
    const Log expected{"error(ECONNRESET)", "close(true)"};
    BOOST_TEST(recorder.of("server") == expected, per_element);
  }
}

BEHAVIOUR(C8_R5_failed_writes_complete_at_once_and_the_last_line_is_read, plain_wires) {
  Abandoned abandoned(world);
  Recorder recorder;
  recorder.watch(abandoned.socket, "socket");
  BOOST_TEST(!abandoned.socket.destroyed());
  BOOST_TEST(!abandoned.socket.writable());
  abandoned.socket.resume();
  world.run();
  BOOST_TEST(recorder.received("socket") == "last line");
  const Log log = recorder.of("socket");
  BOOST_REQUIRE(log.size() == 3U);
  BOOST_TEST(log[0] == "data(9)");
  BOOST_TEST(log[1].starts_with("error(E"));
  BOOST_TEST(log[2] == "close(true)");
}

BEHAVIOUR(C8_R5_the_last_line_is_read_awaited, plain_wires) {
  Abandoned abandoned(world);
  world.await([](Socket socket) -> asio::awaitable<void> {
    const Chunk line = co_await socket.async_read();
    BOOST_TEST(line.to_string() == "last line");
    const auto [code, nothing] = co_await socket.async_read(libnet::as_tuple);
    BOOST_TEST(is_broken(code));
    BOOST_TEST(nothing.empty());
  }(abandoned.socket));
  world.run();
}

BEHAVIOUR(C8_it_waits_for_the_linger_time_when_nobody_consumes, plain_wires) {
  world.use_manual_clock();
  Abandoned abandoned(world);
  Recorder recorder;
  recorder.watch(abandoned.socket, "socket");  // paused: does not consume
  world.advance(1999ms);
  BOOST_TEST(recorder.log().empty());
  world.advance(2ms);
  const Log log = recorder.of("socket");
  BOOST_REQUIRE(log.size() == 2U);
  BOOST_TEST(log[0].starts_with("error(E"));
  BOOST_TEST(log[1] == "close(true)");
  world.run();
}

BEHAVIOUR(C8_new_operations_on_a_failing_connection_get_its_error, plain_wires) {
  Abandoned abandoned(world);
  Socket socket = abandoned.socket;
  socket.on(event::error, [](const Error&) {});
  int failed = 0;
  const auto count = [&](const error_code& code, auto&&...) {
    if (is_broken(code)) ++failed;
  };
  BOOST_TEST(!socket.write("x", count));
  socket.end("x", count);
  socket.async_drain(count);
  world.settle();
  BOOST_TEST(failed == 3);
  BOOST_TEST(!socket.destroyed());
  socket.destroy();
  BOOST_TEST(socket.destroyed());
  world.run();
}

BEHAVIOUR(C8_a_write_that_fails_after_the_peer_s_end_closes_the_connection, stream_wires) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(server, "server");
  client.end("question");
  world.run_until([&] { return recorder.count("server:end") == 1; });
  client.reset();
  world.settle();
  server.write(random_bytes(100'000));
  server.write(random_bytes(100'000));
  world.run();
  const Log log = recorder.of("server");
  BOOST_REQUIRE(log.size() == 4U);
  BOOST_TEST(log[1] == "end");
  BOOST_TEST(log[2].starts_with("error(E"));
  BOOST_TEST(log[3] == "close(true)");
}
