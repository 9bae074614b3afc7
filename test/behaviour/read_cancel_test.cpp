#include "support/behaviour.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <array>
#include <optional>

#include "transport/memory_transport.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::error_code;
using libnet::Socket;

// Contract 7 for reads: cancelling one, or letting it time out, loses no byte.

namespace {

constexpr unsigned shaped_wires = static_cast<unsigned>(Wire::memory) | static_cast<unsigned>(Wire::record);

constexpr asio::cancellation_type all_types[] = {asio::cancellation_type::terminal, asio::cancellation_type::partial,
                                                 asio::cancellation_type::total};

/// A read by callback with a slot, of either kind.
struct CancellableRead {
  void start(Socket socket, bool some) {
    ++started;
    if (some) {
      socket.async_read_some(asio::buffer(memory),
                             asio::bind_cancellation_slot(signal.slot(), [this](const error_code& code, std::size_t n) {
                               result = code;
                               bytes.append(memory.data(), n);
                             }));
    } else {
      socket.async_read(asio::bind_cancellation_slot(signal.slot(), [this](const error_code& code, Chunk chunk) {
        result = code;
        bytes += chunk;
      }));
    }
  }

  asio::cancellation_signal signal;
  std::array<char, 64> memory{};
  std::optional<error_code> result;
  std::string bytes;
  int started = 0;
};

void finish(World& world, World::Pair& pair) {
  pair.client.destroy();
  pair.server.destroy();
  world.run();
}

asio::awaitable<std::string> read_string(Socket socket) {
  const Chunk chunk = co_await socket.async_read();
  co_return chunk.to_string();
}

}  // namespace

BEHAVIOUR(B216_C7_a_waiting_read_is_cancelled_by_any_type, all_wires) {
  auto pair = world.pair();
  for (const auto type : all_types) {
    for (const bool some : {false, true}) {
      CancellableRead cancelled;
      cancelled.start(pair.client, some);
      world.settle();
      BOOST_TEST(!cancelled.result.has_value());
      cancelled.signal.emit(asio::cancellation_type::none);
      world.settle();
      BOOST_TEST(!cancelled.result.has_value());
      cancelled.signal.emit(type);
      BOOST_TEST(!cancelled.result.has_value());  // not inside the call
      world.run_until([&] { return cancelled.result.has_value(); });
      BOOST_TEST(*cancelled.result == asio::error::operation_aborted);
      BOOST_TEST(cancelled.bytes.empty());
      cancelled.signal.emit(type);  // too late, and harmless

      pair.server.write("every byte");
      CancellableRead next;
      next.start(pair.client, some);
      world.run_until([&] { return next.result.has_value(); });
      BOOST_TEST(next.bytes == "every byte");
    }
  }
  BOOST_TEST(!pair.client.destroyed());
  finish(world, pair);
}

BEHAVIOUR(B216_C7_cancelled_in_the_turn_of_the_call_although_bytes_wait, all_wires) {
  auto pair = world.pair();
  for (const auto type : all_types) {
    for (const bool some : {false, true}) {
      bool written = false;
      pair.server.write("every byte", [&] { written = true; });
      world.run_until([&] { return written; });
      world.settle();
      CancellableRead cancelled;
      cancelled.start(pair.client, some);
      cancelled.signal.emit(type);
      world.run_until([&] { return cancelled.result.has_value(); });
      BOOST_TEST(*cancelled.result == asio::error::operation_aborted);
      BOOST_TEST(cancelled.bytes.empty());
      CancellableRead next;
      next.start(pair.client, some);
      world.run_until([&] { return next.result.has_value(); });
      BOOST_TEST(next.bytes == "every byte");
    }
  }
  BOOST_TEST(pair.client.bytes_read() == 60U);
  finish(world, pair);
}

BEHAVIOUR(C7_a_read_cancelled_by_the_completion_that_comes_with_it, all_wires) {
  // Both ends write and read in the same steps: a completion cancels the read of the same socket.
  auto pair = world.pair();
  pair.server.resume();  // takes what comes
  std::string received;
  int cancelled = 0;
  for (int round = 0; round < 50; ++round) {
    CancellableRead read;
    read.start(pair.client, round % 2 == 0);
    pair.server.write("0123456789");
    if (round % 3 == 0) world.settle();
    bool written = false;
    pair.client.write("x", [&] {
      read.signal.emit(asio::cancellation_type::terminal);
      written = true;
    });
    world.run_until([&] { return read.result.has_value() && written; });
    cancelled += *read.result == asio::error::operation_aborted ? 1 : 0;
    received += read.bytes;
  }
  while (received.size() < 500) {
    CancellableRead read;
    read.start(pair.client, false);
    world.run_until([&] { return read.result.has_value(); });
    received += read.bytes;
  }
  std::string expected;
  for (int round = 0; round < 50; ++round) expected += "0123456789";
  BOOST_TEST(received == expected);
  BOOST_TEST(cancelled > 0);
  finish(world, pair);
}

BEHAVIOUR(C7_a_read_that_times_out_loses_nothing_awaited, all_wires) {
  auto pair = world.pair();
  world.use_manual_clock();
  int timeouts = 0;
  std::string received;
  world.spawn([](Socket reader, int& timed_out, std::string& bytes) -> asio::awaitable<void> {
    for (int i = 0; i < 3; ++i) {
      auto [code, chunk] = co_await reader.async_read(libnet::cancel_after(10ms, libnet::as_tuple));
      BOOST_TEST(code == Errc::timed_out);
      BOOST_TEST(chunk.empty());
      ++timed_out;
      std::array<char, 10> memory{};
      auto [some_code, size] =
          co_await reader.async_read_some(asio::buffer(memory), libnet::cancel_after(10ms, libnet::as_tuple));
      BOOST_TEST(some_code == Errc::timed_out);
      BOOST_TEST(size == 0U);
      ++timed_out;
    }
    bytes = co_await read_string(reader);
  }(pair.client, timeouts, received));
  world.settle();
  for (int i = 0; i < 6; ++i) {
    BOOST_TEST(timeouts == i);
    world.advance(9ms);
    BOOST_TEST(timeouts == i);
    world.advance(1ms);
  }
  BOOST_TEST(timeouts == 6);
  pair.server.write("every byte");
  world.run_until([&] { return !received.empty(); });
  BOOST_TEST(received == "every byte");
  world.advance(1h);
  BOOST_TEST(!pair.client.destroyed());
  finish(world, pair);
}

BEHAVIOUR(C7_the_losing_read_of_a_race_loses_nothing_awaited, all_wires) {
  using namespace asio::experimental::awaitable_operators;
  auto pair = world.pair();
  pair.server.write("every byte");
  world.settle();
  world.await([](Socket reader) -> asio::awaitable<void> {
    // Whichever read is first ends the other: that one loses nothing.
    auto race = [](Socket socket) -> asio::awaitable<void> { co_await socket.async_wait(event::timeout); };
    Socket other = reader;
    auto winner = co_await (read_string(reader) || race(other));
    BOOST_TEST(winner.index() == 0U);
    BOOST_TEST(std::get<0>(winner) == "every byte");
  }(pair.client));
  world.await([](Socket reader, Socket writer) -> asio::awaitable<void> {
    auto pause = [](Socket socket) -> asio::awaitable<void> {
      co_await socket.async_drain();
      co_await socket.async_drain();
    };
    Socket other = writer;
    auto loser = co_await (read_string(reader) || pause(other));
    BOOST_TEST(loser.index() == 1U);
    writer.write("again");
    BOOST_TEST(co_await read_string(reader) == "again");
  }(pair.client, pair.server));
  finish(world, pair);
}

BEHAVIOUR(C7_destroy_ends_a_waiting_read, all_wires) {
  auto pair = world.pair();
  for (const bool some : {false, true}) {
    auto [client, server] = world.pair();
    CancellableRead read;
    read.start(client, some);
    world.settle();
    client.destroy();
    BOOST_TEST(!read.result.has_value());
    world.run_until([&] { return read.result.has_value(); });
    BOOST_TEST(*read.result == asio::error::operation_aborted);
    server.destroy();
  }
  finish(world, pair);
}

BEHAVIOUR(C7_held_readiness_and_one_byte_reads, shaped_wires) {
  auto pair = world.pair();
  auto& shape = world.memory_ends().client->shape();
  const std::string sent = random_bytes(30'000);
  shape.hold_readable();
  pair.server.write(sent);
  world.settle();
  std::string received;
  int cancelled = 0;
  for (int round = 0; received.size() < sent.size(); ++round) {
    CancellableRead read;
    read.start(pair.client, round % 2 == 0);
    if (round % 3 == 0) {
      shape.limit_reads(1 + static_cast<std::size_t>(round) % 7);
      if (round % 2 == 0) world.settle();
      shape.release_readable();
      if (round % 4 != 0) read.signal.emit(asio::cancellation_type::total);
    } else {
      shape.hold_readable();
      world.settle();
      read.signal.emit(asio::cancellation_type::total);
    }
    world.run_until([&] { return read.result.has_value(); });
    if (*read.result) ++cancelled;
    received += read.bytes;
  }
  BOOST_TEST((received == sent));
  BOOST_TEST(cancelled > 10);
  finish(world, pair);
}
