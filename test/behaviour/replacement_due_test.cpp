#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
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
constexpr unsigned plain_wires = real_wires | memory_wire;
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

BEHAVIOUR(a_socket_that_cannot_write_refuses_a_replacement, plain_wires) {
  const auto nothing = [](TransportPointer&, std::string&) {};
  const Socket fresh(world.io());
  BOOST_TEST(replace(fresh, nothing) == error_code(Errc::closed));
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  client.end();
  BOOST_TEST(replace(client, nothing) == error_code(Errc::write_after_end));
  client.destroy();
  BOOST_TEST(replace(client, nothing) == error_code(Errc::destroyed));
}

/// Put back by the program, then held by the decoder; what the replacement leaves of it comes first.
BEHAVIOUR(a_replacement_gets_what_nobody_read, memory_wire) {
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  Socket server = pair.server;
  server.set_encoding(Encoding::utf8);
  std::string received;
  std::string unread_before;
  server.on(event::data, [&](const Chunk& chunk) {
    received += chunk;
    if (chunk != "abc") return;
    server.unshift("bc");
    replace(server, [&](TransportPointer&, std::string& unread) { unread_before = std::exchange(unread, "left"); });
  });
  client.write("abc\xC3");
  world.settle();
  client.write("\xC3\xA4z");
  world.settle();
  BOOST_TEST(unread_before == "bc\xC3");
  BOOST_TEST(received == "abcleft\xC3\xA4z");
}

BEHAVIOUR(what_a_replacement_leaves_is_read_first_awaited, memory_wire) {
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  Socket server = pair.server;
  client.write("behind");
  replace(server, [](TransportPointer&, std::string& unread) { unread = "left"; });
  std::string received;
  world.await([](Socket socket, std::string& all) -> asio::awaitable<void> {
    while (all.size() < 10) all += co_await socket.async_read();
  }(server, received));
  BOOST_TEST(received == "leftbehind");
}

/// What comes while the replacement is due is for the new transport.
BEHAVIOUR(nothing_is_read_while_a_replacement_is_due, memory_wire) {
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  Socket server = pair.server;
  std::string read;
  std::string unread_before;
  client.on(event::data, [&](const Chunk& chunk) { read += chunk; });
  world.memory_ends().client->shape().hold_writable();
  client.write("old");
  replace(client, [&](TransportPointer&, std::string& unread) { unread_before = std::exchange(unread, {}); });
  client.unshift("put back");
  server.write("for the new transport");
  world.settle();
  BOOST_TEST(read.empty());
  world.memory_ends().client->shape().release_writable();
  world.settle();
  BOOST_TEST(unread_before == "put back");
  BOOST_TEST(read == "for the new transport");
}

BEHAVIOUR(a_replacement_that_throws_fails_the_connection, memory_wire) {
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  Recorder recorder;
  recorder.watch(client, "client");
  WriteTally tally;
  error_code heard;
  client.on(event::error, [&](const Error& error) { heard = error.code(); });
  client.write("old", tally.next());
  replace(client, [](TransportPointer&, std::string&) { throw SystemError(Error(Errc::invalid_argument, "replace")); });
  client.write("new", tally.next());
  world.settle();
  BOOST_TEST(heard == error_code(Errc::invalid_argument));
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.completions.at(0).code == error_code());
  BOOST_TEST(tally.completions.at(1).code == error_code(Errc::invalid_argument));
  BOOST_TEST(tally.completions.at(1).bytes == 0U);
  BOOST_TEST(last_event(recorder) == "close(true)");
}

BEHAVIOUR(a_replacement_without_memory_fails_the_connection, memory_wire) {
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  WriteTally tally;
  error_code heard;
  client.on(event::error, [&](const Error& error) { heard = error.code(); });
  replace(client, [](TransportPointer&, std::string&) { throw std::bad_alloc(); });
  client.write("new", tally.next());
  world.settle();
  BOOST_TEST(heard == error_code(Errc::listener_threw));
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(Errc::listener_threw));
  BOOST_TEST(client.destroyed());
}

BEHAVIOUR(a_replacement_is_made_later_than_the_call, plain_wires) {
  const World::Pair pair = world.pair();
  bool replaced = false;
  const error_code code = replace(pair.client, [&](TransportPointer&, std::string&) { replaced = true; });
  BOOST_TEST(code == error_code());
  BOOST_TEST(!replaced);
  world.settle();
  BOOST_TEST(replaced);
}

BEHAVIOUR(a_replacement_asked_for_while_connecting_is_made_when_connected, real_wires) {
  Server server(world.io());
  Socket accepted;
  std::string received;
  server.on(event::connection, [&](Socket socket) {
    accepted = std::move(socket);
    accepted.on(event::data, [&](const Chunk& chunk) { received += chunk; });
  });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  WriteTally tally;
  client.write("old", tally.next());
  bool replaced = false;
  BOOST_TEST(replace(client, [&](TransportPointer& transport, std::string& unread) {
               replaced = true;
               enter_records(client)(transport, unread);
             }) == error_code());
  client.write("new", tally.next());
  world.run_until([&] { return received.size() == 3 + header + 3; });
  BOOST_TEST(replaced);
  BOOST_TEST(received.substr(0, 3) == "old");
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all({}));
  client.destroy();
  accepted.destroy();
  server.close();
  world.settle();
}

BEHAVIOUR(transports_are_replaced_one_after_another, plain_wires) {
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  std::string received;
  Socket server = pair.server;
  server.on(event::data, [&](const Chunk& chunk) { received += chunk; });
  for (int i = 0; i < 3; ++i) {
    BOOST_TEST(replace(client, enter_records(client)) == error_code());
    client.write("x");
    world.run_until([&] { return received.size() == static_cast<std::size_t>(i + 1) * (header + 1) + i; });
    BOOST_TEST(replace(client, leave_records()) == error_code());
    client.write("y");
    world.run_until([&] { return received.size() == static_cast<std::size_t>(i + 1) * (header + 2); });
    BOOST_TEST(received.back() == 'y');
  }
}

/// Whether the transport holds back is asked again, each time: a write over records is complete when its record has left.
BEHAVIOUR(what_has_left_is_counted_by_the_transport_of_the_moment, memory_wire) {
  const World::Pair pair = world.pair();
  transport::MemoryTransport::Shape& wire = world.memory_ends().client->shape();
  Socket client = pair.client;
  Socket server = pair.server;
  server.on(event::data, [](const Chunk&) {});
  WriteTally tally;
  for (std::size_t round = 0; round < 3; ++round) {
    client.write("plain", tally.next());
    replace(client, enter_records(client));
    world.settle();
    BOOST_TEST(tally.completions.size() == 3 * round + 1);
    wire.hold_writable();
    client.write("in a record", tally.next());
    world.settle();
    BOOST_TEST(tally.completions.size() == 3 * round + 1);
    BOOST_TEST(client.buffered() != 0U);
    wire.release_writable();
    world.settle();
    BOOST_TEST(tally.completions.size() == 3 * round + 2);
    BOOST_TEST(client.buffered() == 0U);
    replace(client, leave_records());
    client.write("plain again", tally.next());
    world.settle();
    BOOST_TEST(tally.completions.size() == 3 * round + 3);
  }
  BOOST_TEST(tally.all({}));
  BOOST_TEST(tally.bytes() == client.bytes_written());
}

/// The last record that is taken has room for its beginning only: it is not sent, and its transport not given up, before the
/// peer reads.
BEHAVIOUR(a_transport_that_holds_bytes_is_not_replaced, memory_wire) {
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  Socket server = pair.server;
  std::string received;
  server.on(event::data, [&](const Chunk& chunk) { received += chunk; });
  client.write("plain");
  replace(client, enter_records(client));
  world.settle();
  received.clear();
  server.pause();
  WriteTally tally;
  constexpr std::size_t piece = 1000;
  constexpr std::size_t fits = transport::MemoryTransport::default_capacity / (piece + header);
  std::size_t replaced = 0;
  for (std::size_t i = 0; i <= fits; ++i) client.write(std::string(piece, 'x'), tally.next());
  replace(client, [&](TransportPointer& transport, std::string& unread) {
    ++replaced;
    leave_records()(transport, unread);
  });
  client.write("plain", tally.next());
  world.settle();
  const std::size_t held = (fits + 1) * (piece + header) - transport::MemoryTransport::default_capacity;
  BOOST_TEST(client.buffered() == held + 5);
  BOOST_TEST(tally.completions.size() == fits);
  BOOST_TEST(replaced == 0U);
  server.resume();
  world.settle();
  BOOST_TEST(replaced == 1U);
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all({}));
  BOOST_TEST(received.size() == (fits + 1) * (piece + header) + 5);
  BOOST_TEST(received.ends_with("plain"));
}

BEHAVIOUR(nothing_is_spliced_while_a_replacement_is_due, real_wires) {
  const World::Pair pair = world.pair();
  const Connection& client = Connection::of(pair.client);
  BOOST_TEST(client.can_splice());
  replace(pair.client, enter_records(pair.client));
  BOOST_TEST(!client.can_splice());
  world.settle();
  BOOST_TEST(!client.can_splice());
  replace(pair.client, leave_records());
  BOOST_TEST(!client.can_splice());
  world.settle();
  BOOST_TEST(client.can_splice());
}

}  // namespace libnet::test
