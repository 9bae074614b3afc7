#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <new>
#include <string>
#include <utility>

#include "core/connection.hpp"
#include "support/behaviour.hpp"
#include "support/replacements.hpp"
#include "support/writes.hpp"
#include "transport/memory_transport.hpp"

/// When another transport takes over, what it gets, and what becomes of a socket whose replacement fails.
namespace libnet::test {
namespace {

using core::Connection;

constexpr unsigned memory_wire = static_cast<unsigned>(Wire::memory);
constexpr unsigned plain_wires = real_wires | memory_wire;
constexpr std::size_t header = 3;  // of a record

std::string last_event(const Recorder& recorder) {
  const Log events = recorder.of("client");
  return events.empty() ? "" : events.back();
}

}  // namespace

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
  BOOST_TEST(heard == boost::system::errc::not_enough_memory);
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(boost::system::errc::make_error_code(boost::system::errc::not_enough_memory)));
  BOOST_TEST(client.destroyed());
}

BEHAVIOUR(a_replacement_that_throws_sends_no_end, memory_wire) {
  const World::Pair pair = world.pair();
  Socket client = pair.client;
  Recorder recorder;
  recorder.watch(client, "client");
  replace(client, [](TransportPointer&, std::string&) { throw SystemError(Error(Errc::invalid_argument, "replace")); });
  client.end();
  world.settle();
  expect(recorder.of("client"), {"error(ERR_INVALID_ARGUMENT)", "close(true)"});
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
  for (std::size_t i = 0; i < 3; ++i) {
    BOOST_TEST(replace(client, enter_records(client)) == error_code());
    client.write("x");
    world.run_until([&] { return received.size() == (i + 1) * (header + 1) + i; });
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
