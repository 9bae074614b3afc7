#include "support/behaviour.hpp"

#include <sys/socket.h>

#include <algorithm>

#include "transport/memory_transport.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::error_code;
using libnet::Socket;
using libnet::SystemError;

// A connection that breaks while it is read: every byte first, then the error, never a clean end.

namespace {

constexpr unsigned shaped_wires = static_cast<unsigned>(Wire::memory) | static_cast<unsigned>(Wire::record);
constexpr unsigned breaking_wires = all_wires & ~static_cast<unsigned>(Wire::unix_path);  // those that can reset

Log without(Log log, const std::string& entry) {
  std::erase(log, entry);
  return log;
}

}  // namespace

BEHAVIOUR(B249_C8_bytes_then_the_reset_and_never_the_end, breaking_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  bool written = false;
  server.write("last words", [&] { written = true; });
  client.pause();
  world.run_until([&] { return written; });
  world.settle();
  server.reset();
  world.settle();
  BOOST_TEST(recorder.log().empty());  // the reset waits behind the bytes
  client.resume();
  world.run();
  const Log expected{"data(10)", "error(ECONNRESET)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  BOOST_TEST(recorder.received("client") == "last words");
}

BEHAVIOUR(B249_C8_bytes_then_the_reset_over_a_unix_path, static_cast<unsigned>(Wire::unix_path)) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.pause();
  client.write("never read");
  server.write("last words");
  world.settle();
  server.destroy();  // with bytes unread: a reset, here
  world.settle();
  BOOST_TEST(recorder.log().empty());
  client.resume();
  world.run();
  const Log expected{"data(10)", "error(ECONNRESET)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B249_C8_bytes_then_the_reset_awaited, breaking_wires) {
  auto [client, server] = world.pair();
  bool written = false;
  server.write("last words", [&] { written = true; });
  world.run_until([&] { return written; });
  world.settle();
  server.reset();
  world.settle();
  world.await([](Socket reader) -> asio::awaitable<void> {
    const Chunk chunk = co_await reader.async_read();
    BOOST_TEST(chunk == "last words");
    bool thrown = false;
    try {
      co_await reader.async_read();
    } catch (const SystemError& error) {
      thrown = true;
      BOOST_TEST(error.what() == "read ECONNRESET");
    }
    BOOST_TEST(thrown);
  }(client));
  world.run();
  BOOST_TEST(client.destroyed());
}

BEHAVIOUR(B249_C8_a_reset_ends_a_waiting_read_awaited, breaking_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  error_code result;
  client.async_read([&](const error_code& code, Chunk chunk) {
    BOOST_TEST(chunk.empty());
    result = code;
    recorder.note("client:read");
  });
  world.settle();
  server.reset();
  world.run();
  BOOST_TEST(result == boost::system::errc::connection_reset);
  const Log expected{"read", "error(ECONNRESET)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

// The reset is met by a write in the very turn in which the peer's last line arrives: the line comes first.
BEHAVIOUR(R5_C8_the_last_line_of_the_same_turn_comes_before_the_error, breaking_wires) {
  for (const bool awaited : {false, true}) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(client, "client", awaited ? Recorder::Data::ignore : Recorder::Data::record);
    std::string received;
    if (awaited) client.async_read([&](const error_code&, Chunk chunk) { received = chunk.to_string(); });
    world.settle();
    server.write("last line", [&, server, client]() mutable {
      server.reset();
      client.write("too late");
    });
    world.run();
    if (!awaited) received = recorder.received("client");
    BOOST_TEST(received == "last line");
    const Log events = recorder.of("client");
    BOOST_REQUIRE(events.size() >= 2U);
    BOOST_TEST(recorder.count("client:end") == 0U);
    BOOST_TEST(events.back() == "close(true)");
    BOOST_TEST((events[events.size() - 2] == "error(ECONNRESET)" || events[events.size() - 2] == "error(EPIPE)"));
  }
}

// As above, but over a Unix path, where a close with bytes unread breaks the connection.
BEHAVIOUR(R5_C8_the_last_line_of_the_same_turn_over_a_unix_path, static_cast<unsigned>(Wire::unix_path)) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.write("never read");
  world.settle();
  server.write("last line", [server, client]() mutable {
    server.destroy();
    client.write("too late");
  });
  world.run();
  const Log events = recorder.of("client");
  BOOST_REQUIRE(events.size() == 3U);
  BOOST_TEST(events[0] == "data(9)");
  BOOST_TEST(events[2] == "close(true)");
}

BEHAVIOUR(C8_who_consumes_slowly_is_not_cut, breaking_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  const std::string sent = random_bytes(40'000);
  bool written = false;
  server.write(sent, [&] { written = true; });
  client.pause();
  if (world.wire() == Wire::record) client.resume().pause();
  world.settle();
  server.reset();
  world.settle();
  int failed = 0;
  client.write("too late", [&](const error_code& code) { failed += code ? 1 : 0; });
  world.settle();
  BOOST_TEST(failed == 1);
  std::string received;
  for (int second = 0; second < 10 && !client.destroyed(); ++second) {
    std::array<char, 1000> memory{};
    std::size_t size = 0;
    client.async_read_some(asio::buffer(memory), [&](const error_code&, std::size_t n) { size = n; });
    world.settle();
    received.append(memory.data(), size);
    world.advance(1s);  // less than the linger time since the last read
  }
  BOOST_TEST(received.size() >= (world.wire() == Wire::record ? 8'000U : 10'000U));
  BOOST_TEST(sent.starts_with(received));
  client.resume();
  world.run();
  BOOST_TEST(recorder.of("client").back() == "close(true)");
}

BEHAVIOUR(B124_C8_an_injected_read_error_behind_bytes, shaped_wires) {
  for (const std::size_t size : {1UL, 10UL, 5'000UL}) {
    auto [client, server] = world.pair();
    auto& shape = world.memory_ends().client->shape();
    shape.limit_reads(3);
    const std::string sent = random_bytes(size);
    Recorder recorder;
    recorder.watch(client, "client");
    server.write(sent);
    world.run_until([&] { return recorder.received("client").size() == size; });
    shape.fail_read(1, {EIO, boost::system::system_category()});
    world.run_until([&] { return client.destroyed() && recorder.count("client:close(true)") == 1; });
    BOOST_TEST(shape.read_faults() == 1U);
    BOOST_TEST((recorder.received("client") == sent));
    const Log events = recorder.of("client");
    BOOST_TEST(events[events.size() - 2].starts_with("error("));
    BOOST_TEST(recorder.count("client:end") == 0U);
    server.destroy();
    world.run();
  }
}

BEHAVIOUR(C8_an_injected_error_at_each_read_of_a_stream, static_cast<unsigned>(Wire::memory)) {
  constexpr std::size_t size = 40;
  for (std::size_t nth = 2; nth <= size; ++nth) {
    for (const bool awaited : {false, true}) {
      auto [client, server] = world.pair();
      auto& shape = world.memory_ends().client->shape();
      shape.limit_reads(1);
      const std::string sent = random_bytes(size, nth);
      Recorder recorder;
      recorder.watch(client, "client", awaited ? Recorder::Data::ignore : Recorder::Data::record);
      std::string received;
      shape.fail_read(nth, {ECONNRESET, boost::system::system_category()});
      server.write(sent);
      if (awaited) {
        world.await([](Socket reader, std::string& bytes) -> asio::awaitable<void> {
          for (;;) {
            auto [code, chunk] = co_await reader.async_read(libnet::as_tuple);
            bytes += chunk;
            BOOST_TEST((!code || code == boost::system::errc::connection_reset));
            if (code || chunk.empty()) break;
          }
        }(client, received));
      }
      world.run_until([&] { return recorder.count("client:close(true)") == 1; });
      if (!awaited) received = recorder.received("client");
      BOOST_TEST(shape.read_faults() == 1U);
      BOOST_TEST(received == sent.substr(0, nth - 1));
      const Log expected{"error(ECONNRESET)", "close(true)"};
      BOOST_TEST(without(recorder.of("client"), "data(1)") == expected, per_element);
      server.destroy();
      world.run();
    }
  }
}

BEHAVIOUR(C8_an_injected_write_error_with_a_reader_and_nothing_to_read, shaped_wires) {
  for (const bool awaited : {false, true}) {
    auto [client, server] = world.pair();
    auto& shape = world.memory_ends().client->shape();
    Recorder recorder;
    recorder.watch(client, "client", awaited ? Recorder::Data::ignore : Recorder::Data::record);
    std::vector<error_code> reads;
    std::vector<error_code> writes;
    if (awaited) client.async_read([&](const error_code& code, Chunk) { reads.push_back(code); });
    world.settle();
    shape.fail_write(1, {EPIPE, boost::system::system_category()});
    client.write("lost", [&](const error_code& code) { writes.push_back(code); });
    world.run_until([&] { return recorder.count("client:close(true)") == 1; });
    BOOST_TEST(shape.write_faults() == 1U);
    BOOST_REQUIRE(writes.size() == 1U);
    BOOST_TEST(writes.front() == boost::system::errc::broken_pipe);
    if (awaited) {
      BOOST_REQUIRE(reads.size() == 1U);
      BOOST_TEST(reads.front() == boost::system::errc::broken_pipe);
    }
    const Log expected{"error(EPIPE)", "close(true)"};
    BOOST_TEST(recorder.of("client") == expected, per_element);
    server.destroy();
    world.run();
  }
}

BEHAVIOUR(R5_C8_an_injected_write_error_in_front_of_unread_bytes, shaped_wires) {
  for (const bool awaited : {false, true}) {
    auto [client, server] = world.pair();
    auto& shape = world.memory_ends().client->shape();
    shape.limit_reads(5);
    Recorder recorder;
    recorder.watch(client, "client", awaited ? Recorder::Data::ignore : Recorder::Data::record);
    client.pause();
    const std::string sent = random_bytes(500);
    server.write(sent);
    world.settle();
    shape.fail_write(1, {EPIPE, boost::system::system_category()});
    bool failed = false;
    client.write("lost", [&](const error_code& code) { failed = static_cast<bool>(code); });
    world.run_until([&] { return failed; });
    BOOST_TEST(shape.write_faults() == 1U);
    BOOST_TEST(recorder.log().empty());
    std::string received;
    if (awaited) {
      world.await([](Socket reader, std::string& bytes) -> asio::awaitable<void> {
        error_code code;
        while (!code) {
          auto [result, chunk] = co_await reader.async_read(libnet::as_tuple);
          bytes += chunk;
          code = result;
        }
        BOOST_TEST(code == boost::system::errc::broken_pipe);
      }(client, received));
    } else {
      client.resume();
    }
    world.run_until([&] { return recorder.count("client:close(true)") == 1; });
    if (!awaited) received = recorder.received("client");
    BOOST_TEST((received == sent));
    BOOST_TEST(recorder.count("client:end") == 0U);
    BOOST_TEST(recorder.count("client:error(EPIPE)") == 1U);
    server.destroy();
    world.run();
  }
}
