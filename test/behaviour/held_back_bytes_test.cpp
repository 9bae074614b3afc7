#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "core/connection.hpp"
#include "reactor/loop.hpp"
#include "support/behaviour.hpp"
#include "support/holding_transport.hpp"
#include "support/writes.hpp"
#include "transport/memory_transport.hpp"

/// Over a transport that never hands on the last 1,000 bytes before it must.
namespace libnet::test {
namespace {

constexpr unsigned memory_wire = static_cast<unsigned>(Wire::memory);
constexpr std::size_t most_held = HoldingTransport::most_held;

/// A client that holds bytes back, and a server that does not.
struct HoldingPair {
  explicit HoldingPair(World& world, const SocketOptions& options = {}) {
    const auto loop = reactor::Loop::of(world.io().get_executor());
    auto [first, second] = transport::MemoryTransport::pair(loop, loop);
    wire = first.get();
    client = adopt(loop, options, std::make_unique<HoldingTransport>(std::move(first), counters));
    server = adopt(loop, {}, std::move(second));
    world.settle();
  }

  static Socket adopt(const std::shared_ptr<reactor::Loop>& loop, const SocketOptions& options,
                      std::unique_ptr<transport::Transport> transport) {
    auto* const connection = new core::Connection(loop, options);
    Socket socket = connection->handle();
    connection->adopt(std::move(transport));
    return socket;
  }

  HoldingTransport::Counters counters;
  transport::MemoryTransport* wire = nullptr;  // below the client
  Socket client;
  Socket server;
};

/// How many writes of this size have wholly left when so many were taken.
std::size_t left_of(std::size_t writes, std::size_t size) {
  const std::size_t bytes = writes * size;
  return (bytes - std::min(bytes, most_held)) / size;
}

}  // namespace

BEHAVIOUR(B286_a_write_is_complete_when_its_own_bytes_have_left, memory_wire) {
  for (const std::size_t size : {1U, 7U, 333U, 1000U, 1001U, 5000U}) {
    HoldingPair pair(world);
    WriteTally tally;
    std::string received;
    pair.server.on(event::data, [&](const Chunk& chunk) { received += chunk; });
    const std::string bytes = random_bytes(size);
    for (std::size_t written = 1; written <= 100; ++written) {
      pair.client.write(bytes, tally.next());
      world.settle();
      BOOST_TEST(tally.completions.size() == left_of(written, size));
      BOOST_TEST(received.size() == written * size - pair.client.buffered());
      BOOST_TEST(pair.client.buffered() == std::min(written * size, most_held));
    }
    pair.client.end();
    world.settle();
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all({}));
    BOOST_TEST(tally.bytes() == 100 * size);
    BOOST_TEST(received.size() == 100 * size);
  }
}

BEHAVIOUR(B286_a_write_is_complete_when_its_own_bytes_have_left_awaited, memory_wire) {
  HoldingPair pair(world);
  WriteTally tally;
  for (int i = 0; i < 5; ++i) world.spawn(write_and_note(pair.client, std::string(400, 'x'), &tally));
  pair.server.on(event::data, [](const Chunk&) {});
  world.settle();
  BOOST_TEST(tally.completions.size() == 2U);  // of 2,000 bytes the first 1,000 have left
  world.await([](Socket client) -> asio::awaitable<void> { co_await client.async_end(); }(pair.client));
  world.settle();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all({}));
  BOOST_TEST(tally.bytes() == 2000U);
}

BEHAVIOUR(B134_a_drain_does_not_wait_for_what_is_always_held, memory_wire) {
  HoldingPair pair(world, {.high_water_mark = 500});
  Recorder recorder;
  recorder.watch(pair.client, "client");
  pair.server.on(event::data, [](const Chunk&) {});
  BOOST_TEST(!pair.client.write(random_bytes(5'000)));
  world.settle();
  expect(recorder.of("client"), {"drain"});
  BOOST_TEST(pair.client.buffered() == most_held);
  pair.server.pause();
  BOOST_TEST(!pair.client.write(random_bytes(200'000)));  // more than fits
  world.settle();
  expect(recorder.of("client"), {"drain"});
  pair.server.resume();
  world.settle();
  expect(recorder.of("client"), {"drain", "drain"});
  pair.client.destroy();
  pair.server.destroy();
  world.run();
}

BEHAVIOUR(B222_a_drain_does_not_wait_for_what_is_always_held_awaited, memory_wire) {
  HoldingPair pair(world, {.high_water_mark = 500});
  pair.server.on(event::data, [](const Chunk&) {});
  world.await([](Socket client) -> asio::awaitable<void> {
    BOOST_TEST(!client.write(random_bytes(5'000)));
    co_await client.async_drain();
    BOOST_TEST(client.buffered() == most_held);
  }(pair.client));
  pair.client.destroy();
  pair.server.destroy();
  world.run();
}

BEHAVIOUR(B286_the_end_releases_what_was_held, memory_wire) {
  HoldingPair pair(world);
  Recorder recorder;
  recorder.watch(pair.client, "client");
  recorder.watch(pair.server, "server");
  WriteTally tally;
  pair.client.write("held", tally.next());
  world.settle();
  BOOST_TEST(tally.completions.empty());
  pair.client.end("too");
  world.settle();
  BOOST_TEST(recorder.received("server") == "heldtoo");
  BOOST_TEST(tally.bytes() == 4U);
  expect(recorder.of("client"), {"finish", "end", "close(false)"});
}

/// The end waits for its room, and 'finish' for the end.
BEHAVIOUR(B286_the_end_is_sent_when_what_was_held_has_left, memory_wire) {
  HoldingPair pair(world);
  Recorder recorder;
  recorder.watch(pair.client, "client");
  recorder.watch(pair.server, "server");
  pair.client.write(std::string(500, 'x'));
  world.settle();
  pair.wire->shape().hold_writable();
  bool drained = false;
  pair.client.end();
  world.spawn([](Socket client, bool* done) -> asio::awaitable<void> {
    co_await client.async_drain();
    *done = true;
  }(pair.client, &drained));
  world.settle();
  BOOST_TEST(recorder.count("client:finish") == 0U);
  BOOST_TEST(!drained);
  pair.wire->shape().release_writable();
  world.settle();
  BOOST_TEST(drained);
  BOOST_TEST(recorder.count("client:finish") == 1U);
  BOOST_TEST(recorder.received("server").size() == 500U);
}

BEHAVIOUR(B286_a_failure_counts_what_has_truly_left, memory_wire) {
  HoldingPair pair(world);
  pair.client.on(event::error, [](const Error&) {});
  WriteTally tally;
  for (int i = 0; i < 4; ++i) pair.client.write(std::string(600, 'x'), tally.next());
  world.settle();
  BOOST_TEST(tally.completions.size() == 2U);  // 1,400 of 2,400 bytes have left
  pair.client.destroy();
  world.settle();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.completions.at(2).code == asio::error::operation_aborted);
  BOOST_TEST(tally.completions.at(2).bytes == 200U);
  BOOST_TEST(tally.completions.at(3).bytes == 0U);
}

BEHAVIOUR(B286_an_error_counts_what_has_truly_left, memory_wire) {
  HoldingPair pair(world);
  error_code heard;
  pair.client.on(event::error, [&](const Error& error) { heard = error.code(); });
  WriteTally tally;
  for (int i = 0; i < 3; ++i) pair.client.write(std::string(600, 'x'), tally.next());
  world.settle();
  const error_code reset(ECONNRESET, boost::system::system_category());
  pair.wire->shape().fail_write(1, reset);
  pair.client.write("more", tally.next());
  world.settle();
  BOOST_TEST(pair.wire->shape().write_faults() == 1U);
  BOOST_TEST(heard == reset);
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.completions.at(0).code == error_code());
  BOOST_TEST(tally.completions.at(1).code == reset);
  BOOST_TEST(tally.completions.at(1).bytes == 200U);
  BOOST_TEST(tally.completions.at(3).bytes == 0U);
}

/// What is held for ever is no reason to ask again.
BEHAVIOUR(B286_a_socket_rests_while_bytes_are_held, memory_wire) {
  HoldingPair pair(world);
  std::string received;
  pair.server.on(event::data, [&](const Chunk& chunk) { received += chunk; });
  pair.client.on(event::data, [](const Chunk&) {});
  for (int i = 0; i < 100; ++i) {
    pair.client.write(std::string(50, 'x'));
    world.settle();
  }
  BOOST_TEST(pair.counters.calls <= 300U);
  const std::size_t before = pair.counters.calls;
  for (int i = 0; i < 100; ++i) {
    pair.server.write("x");
    world.settle();
  }
  BOOST_TEST(pair.counters.calls - before <= 200U);
  const std::size_t at_rest = pair.counters.calls;
  for (int i = 0; i < 100; ++i) world.settle();
  BOOST_TEST(pair.counters.calls == at_rest);
}

/// What is held counts, and 'drain' comes at the low-water mark.
BEHAVIOUR(B286_what_is_held_counts_as_buffered, memory_wire) {
  HoldingPair pair(world, {.high_water_mark = 1500, .low_water_mark = most_held});
  Recorder recorder;
  recorder.watch(pair.client, "client");
  pair.server.on(event::data, [](const Chunk&) {});
  pair.wire->shape().hold_writable();
  BOOST_TEST(pair.client.write(std::string(1400, 'x')));
  BOOST_TEST(!pair.client.write(std::string(100, 'x')));
  world.settle();
  BOOST_TEST(pair.client.buffered() == 1500U);
  BOOST_TEST(recorder.count("client:drain") == 0U);
  pair.wire->shape().release_writable();
  world.settle();
  BOOST_TEST(pair.client.buffered() == most_held);
  BOOST_TEST(recorder.count("client:drain") == 1U);
}

}  // namespace libnet::test
