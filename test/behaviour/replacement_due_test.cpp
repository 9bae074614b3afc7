#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "core/connection.hpp"
#include "support/behaviour.hpp"
#include "support/replacements.hpp"
#include "support/writes.hpp"
#include "transport/memory_transport.hpp"

/// What a socket does from the call that asks for another transport to the moment at which that takes over.
namespace libnet::test {
namespace {

using core::Connection;
using transport::Progress;

constexpr unsigned memory_wire = static_cast<unsigned>(Wire::memory);
constexpr std::size_t header = 3;  // of a record

Progress progress_of(const Socket& socket) { return Connection::of(socket).progress(); }

std::string last_event(const Recorder& recorder) {
  const Log events = recorder.of("client");
  return events.empty() ? "" : events.back();
}

/// A pair in memory whose client writes 100 bytes that find no room, asks for records, and writes 60 bytes behind that.
struct Due {
  /// The replacement, which notes that it was made, and is counted while it lives.
  auto count() {
    return [this, alive = alive](TransportPointer& transport, std::string& unread) {
      enter_records(client)(transport, unread);
      ++replaced;
    };
  }

  explicit Due(World& world, const SocketOptions& options = {}) : pair(world.pair(options)), ends(world.memory_ends()) {
    recorder.watch(client, "client");
    server.on(event::data, [this](const Chunk& chunk) { received += chunk; });
    wire().hold_writable();
    client.write(old_bytes, tally.next());
    BOOST_TEST(replace(client, count()) == error_code());
    client.write(new_bytes, tally.next());
  }

  transport::MemoryTransport::Shape& wire() { return ends.client->shape(); }

  /// Nothing was replaced, and nothing of the replacement is left.
  void expect_dropped() {
    BOOST_TEST(replaced == 0U);
    BOOST_TEST(alive.use_count() == 1);
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(client.buffered() == 0U);
  }

  World::Pair pair;
  Socket& client = pair.client;
  Socket& server = pair.server;
  World::Ends ends;
  Recorder recorder;
  WriteTally tally;
  std::string old_bytes = random_bytes(100, 1);
  std::string new_bytes = random_bytes(60, 2);
  std::string received;
  std::size_t replaced = 0;
  std::shared_ptr<int> alive = std::make_shared<int>();
};

}  // namespace

BEHAVIOUR(what_was_written_before_leaves_first_and_what_comes_later_in_the_new_form, memory_wire) {
  Due due(world);
  world.settle();
  BOOST_TEST(due.tally.completions.empty());
  BOOST_TEST((progress_of(due.client) == Progress::draining));
  BOOST_TEST(due.client.buffered() == 160U);
  BOOST_TEST(due.client.bytes_written() == 160U);
  BOOST_TEST(replace(due.client, due.count()) == error_code(Errc::busy));
  due.wire().limit_writes(7);
  due.wire().release_writable();
  world.settle();
  BOOST_TEST(due.replaced == 1U);
  BOOST_TEST(due.tally.each_once_in_order());
  BOOST_TEST(due.tally.all({}));
  BOOST_TEST(due.tally.bytes() == 160U);
  BOOST_TEST(due.client.buffered() == 0U);
  BOOST_TEST(due.received.size() == 100 + header + 60);
  BOOST_TEST(due.received.substr(0, 100) == due.old_bytes);
  BOOST_TEST(due.received.substr(100 + header) != due.new_bytes);
}

/// One byte of what was written before is enough to keep the new transport, and the later bytes, waiting.
BEHAVIOUR(nothing_is_replaced_before_the_last_byte_has_left, memory_wire) {
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  Socket server = pair.server;
  std::size_t replaced = 0;
  WriteTally tally;
  const std::size_t room = transport::MemoryTransport::default_capacity;
  client.write(std::string(room + 1, 'x'), tally.next());
  replace(client, [&](TransportPointer& transport, std::string& unread) {
    ++replaced;
    enter_records(client)(transport, unread);
  });
  client.write("new", tally.next());
  world.settle();
  BOOST_TEST(client.buffered() == 4U);
  BOOST_TEST(replaced == 0U);
  BOOST_TEST(tally.completions.empty());
  std::size_t received = 0;
  server.on(event::data, [&](const Chunk& chunk) { received += chunk.size(); });
  world.settle();
  BOOST_TEST(replaced == 1U);
  BOOST_TEST(received == room + 1 + header + 3);
  BOOST_TEST(tally.each_once_in_order());
}

BEHAVIOUR(what_waits_behind_the_barrier_counts_for_the_marks, memory_wire) {
  Due due(world, {.high_water_mark = 170, .low_water_mark = 0, .max_buffered = 200});
  BOOST_TEST(!due.client.write(std::string(50, 'x'), due.tally.next()));
  BOOST_TEST(due.client.need_drain());
  error_code refused;
  due.client.write("y", [&](error_code code) { refused = code; });
  world.settle();
  BOOST_TEST(refused == error_code(Errc::overflow));
  BOOST_TEST(due.client.buffered() == 210U);
  BOOST_TEST(due.recorder.count("client:drain") == 0U);
  due.wire().release_writable();
  world.settle();
  BOOST_TEST(due.recorder.count("client:drain") == 1U);
  BOOST_TEST(due.tally.bytes() == 210U);
}

BEHAVIOUR(an_end_behind_the_barrier_goes_through_the_new_transport, memory_wire) {
  Due due(world);
  due.client.end("bye");
  BOOST_TEST(replace(due.client, due.count()) == error_code(Errc::busy));
  world.settle();
  BOOST_TEST(due.recorder.count("client:finish") == 0U);
  due.wire().release_writable();
  world.settle();
  BOOST_TEST(due.received.size() == 100 + header + 63 + header);  // the last header is the end
  BOOST_TEST(due.recorder.count("client:finish") == 1U);
  BOOST_TEST(due.tally.each_once_in_order());
}

BEHAVIOUR(corked_bytes_keep_their_side_of_the_barrier, memory_wire) {
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  Socket server = pair.server;
  std::string received;
  server.on(event::data, [&](const Chunk& chunk) { received += chunk; });
  client.cork();
  client.write("old");
  bool replaced = false;
  replace(client, [&](TransportPointer& transport, std::string& unread) {
    replaced = true;
    enter_records(client)(transport, unread);
  });
  client.write("new");
  world.settle();
  BOOST_TEST(received.empty());
  BOOST_TEST(!replaced);
  client.uncork();
  world.settle();
  BOOST_TEST(replaced);
  BOOST_TEST(received.size() == 3 + header + 3);
  BOOST_TEST(received.substr(0, 3) == "old");
}

BEHAVIOUR(a_write_behind_the_barrier_can_be_cancelled, memory_wire) {
  Due due(world);
  asio::cancellation_signal signal;
  auto note = due.tally.next();
  due.client.async_write("cancelled", asio::bind_cancellation_slot(signal.slot(), note));
  signal.emit(asio::cancellation_type::total);
  world.settle();
  BOOST_TEST(due.client.buffered() == 160U);
  due.wire().release_writable();
  world.settle();
  BOOST_TEST(due.replaced == 1U);
  BOOST_TEST(due.tally.completions.size() == 3U);
  BOOST_TEST(due.tally.completions.at(0).code == asio::error::operation_aborted);
  BOOST_TEST(due.received.size() == 100 + header + 60);
}

BEHAVIOUR(destroy_drops_a_replacement_that_is_due, memory_wire) {
  Due due(world);
  due.client.destroy();
  world.settle();
  due.expect_dropped();
  BOOST_TEST(due.tally.all(asio::error::operation_aborted));
  BOOST_TEST(due.tally.bytes() == 0U);
  BOOST_TEST(replace(due.client, due.count()) == error_code(Errc::destroyed));
}

BEHAVIOUR(reset_drops_a_replacement_that_is_due, memory_wire) {
  Due due(world);
  due.client.reset();
  world.settle();
  due.expect_dropped();
  expect(due.recorder.of("client"), {"close(false)"});
}

BEHAVIOUR(a_failed_write_drops_a_replacement_that_is_due, memory_wire) {
  Due due(world);
  const error_code broken(EIO, boost::system::system_category());
  world.settle();
  due.wire().fail_write(1, broken);
  world.settle();
  BOOST_TEST(due.wire().write_faults() == 1U);
  due.expect_dropped();
  BOOST_TEST(due.tally.all(broken));
  BOOST_TEST(last_event(due.recorder) == "close(true)");
}

BEHAVIOUR(a_reset_of_the_peer_drops_a_replacement_that_is_due, memory_wire) {
  Due due(world);
  world.settle();
  due.server.reset();
  world.settle();
  due.expect_dropped();
  BOOST_TEST(due.tally.all(error_code(ECONNRESET, boost::system::system_category())));
  BOOST_TEST(last_event(due.recorder) == "close(true)");
}

BEHAVIOUR(the_linger_time_ends_a_replacement_that_is_due, memory_wire) {
  world.use_manual_clock();
  Due due(world, {.linger_time = 3s});
  due.client.destroy_soon();
  world.settle();
  BOOST_TEST(due.replaced == 0U);
  world.advance(3s);
  due.expect_dropped();
  BOOST_TEST(due.tally.all(Errc::timed_out));
  BOOST_TEST(last_event(due.recorder) == "close(true)");
}

BEHAVIOUR(a_socket_that_lingers_still_replaces_its_transport, memory_wire) {
  Due due(world);
  due.client.destroy_soon();
  world.settle();
  due.wire().release_writable();
  world.settle();
  BOOST_TEST(due.replaced == 1U);
  BOOST_TEST(due.tally.each_once_in_order());
  BOOST_TEST(due.tally.all({}));
  BOOST_TEST(due.received.size() == 100 + header + 60 + header);
}

BEHAVIOUR(the_end_of_the_context_drops_a_replacement_that_is_due, memory_wire) {
  auto inner = std::make_unique<World>(Setting{Wire::memory, world.reactor()});
  Due due(*inner);
  inner->settle();
  BOOST_TEST(due.alive.use_count() == 2);
  inner.reset();
  BOOST_TEST(due.replaced == 0U);
  BOOST_TEST(due.alive.use_count() == 1);
}

}  // namespace libnet::test
