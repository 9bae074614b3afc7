#include "support/behaviour.hpp"
#include "support/writes.hpp"
#include "transport/memory_transport.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Socket;

// Contract 7 for writes: what has not started is taken out, what is partly sent fails the connection or goes on.

namespace {

using asio::cancellation_type;
constexpr auto any_types = {cancellation_type::total, cancellation_type::partial, cancellation_type::terminal};

asio::awaitable<void> write_slotted(Socket socket, std::string data, asio::cancellation_slot slot, WriteTally* tally) {
  auto note = tally->next();
  auto [code, bytes] = co_await socket.async_write(data, asio::bind_cancellation_slot(slot, libnet::as_tuple));
  note(code, bytes);
}

}  // namespace

BEHAVIOUR(B217_C7_R11_cancelled_before_it_started, all_wires) {
  for (const cancellation_type type : any_types) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(client, "client");
    server.pause();
    WriteTally others;
    WriteTally cancelled;
    asio::cancellation_signal signal;
    const std::string blocking = random_bytes(more_than_fits(world));
    client.write(blocking, others.next());
    world.settle();
    client.write("before", others.next());
    const std::string data(30'000, '#');
    client.async_write(data, asio::bind_cancellation_slot(signal.slot(), cancelled.next()));
    client.async_write("after", others.next());
    const std::size_t queued = client.buffered();
    signal.emit(type);
    BOOST_TEST(cancelled.completions.empty());
    BOOST_TEST(client.buffered() == queued - data.size());
    world.settle();
    BOOST_TEST(cancelled.each_once_in_order());
    BOOST_TEST(cancelled.all(asio::error::operation_aborted));
    BOOST_TEST(cancelled.bytes() == 0U);
    std::string received;
    server.on(event::data, [&](Chunk chunk) { received += chunk; });
    server.resume();
    client.end();
    world.run();
    BOOST_TEST((received == blocking + "beforeafter"));
    BOOST_TEST(others.each_once_in_order());
    BOOST_TEST(others.all({}));
    BOOST_TEST(recorder.count("client:close(false)") == 1U);
    BOOST_TEST(recorder.count("client:error(ECANCELED)") == 0U);
  }
}

BEHAVIOUR(B217_C7_cancelled_before_it_started_awaited, all_wires) {
  for (const cancellation_type type : any_types) {
    auto [client, server] = world.pair();
    server.pause();
    WriteTally others;
    WriteTally cancelled;
    asio::cancellation_signal signal;
    world.spawn(write_and_note(client, std::string(more_than_fits(world), 'x'), &others));
    world.spawn(write_slotted(client, "never", signal.slot(), &cancelled));
    world.spawn(write_and_note(client, "after", &others));
    world.settle();
    signal.emit(type);
    world.settle();
    BOOST_TEST(cancelled.each_once_in_order());
    BOOST_TEST(cancelled.all(asio::error::operation_aborted));
    std::string received;
    server.on(event::data, [&](Chunk chunk) { received += chunk; });
    server.resume();
    client.end();
    world.run();
    BOOST_TEST((received == std::string(more_than_fits(world), 'x') + "after"));
    BOOST_TEST(others.all({}));
    BOOST_TEST(others.each_once_in_order());
  }
}

BEHAVIOUR(B217_C7_cancelled_while_connecting_or_corked, all_wires) {
  libnet::Server server(world.io());
  std::string received;
  server.on(event::connection, [&, server](Socket socket) mutable {
    socket.on(event::data, [&](Chunk chunk) { received += chunk; });
    server.close();
  });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  WriteTally kept;
  WriteTally cancelled;
  asio::cancellation_signal signal;
  client.write("a", kept.next());
  client.async_write("#", asio::bind_cancellation_slot(signal.slot(), cancelled.next()));
  client.write("b", kept.next());
  signal.emit(cancellation_type::terminal);
  BOOST_TEST(client.buffered() == 2U);
  BOOST_TEST(client.bytes_written() == 3U);  // what was taken out stays counted
  world.run_until([&] { return received == "ab"; });
  {
    const auto corked = client.corked();
    client.write("c", kept.next());
    client.async_write("#", asio::bind_cancellation_slot(signal.slot(), cancelled.next()));
    client.write("d", kept.next());
    signal.emit(cancellation_type::total);
  }
  client.end();
  world.run();
  BOOST_TEST(received == "abcd");
  BOOST_TEST(cancelled.each_once_in_order());
  BOOST_TEST(cancelled.all(asio::error::operation_aborted));
  BOOST_TEST(kept.all({}));
  BOOST_TEST(kept.each_once_in_order());
}

BEHAVIOUR(B217_C7_total_is_ignored_when_partly_sent, all_wires) {
  auto [client, server] = world.pair();
  server.pause();
  WriteTally tally;
  asio::cancellation_signal signal;
  const std::string data = random_bytes(more_than_fits(world));
  client.async_write(data, asio::bind_cancellation_slot(signal.slot(), tally.next()));
  client.write("after", tally.next());
  world.settle();
  signal.emit(cancellation_type::total);
  world.settle();
  BOOST_TEST(tally.completions.empty());
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  server.resume();
  client.end();
  world.run();
  BOOST_TEST((received == data + "after"));
  BOOST_TEST(tally.all({}));
  BOOST_TEST(tally.each_once_in_order());
}

BEHAVIOUR(B217_C7_R11_partial_and_terminal_fail_the_connection_with_the_true_count, all_wires) {
  for (const cancellation_type type : {cancellation_type::partial, cancellation_type::terminal}) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(client, "client");
    server.pause();
    WriteTally tally;
    asio::cancellation_signal signal;
    const std::string data = random_bytes(more_than_fits(world));
    client.async_write(data, asio::bind_cancellation_slot(signal.slot(), tally.next()));
    client.write("queued behind it", tally.next());
    world.settle();
    signal.emit(type);
    BOOST_TEST(tally.completions.empty());
    std::string received;
    server.on(event::data, [&](Chunk chunk) { received += chunk; });
    server.on(event::error, [](const Error&) {});
    server.resume();
    world.run();
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all(asio::error::operation_aborted));
    BOOST_TEST(recorder.log() == (Log{"client:error(ECANCELED)", "client:close(true)"}), per_element);
    const std::size_t sent = tally.completions[0].bytes;
    BOOST_TEST(sent > 0U);
    BOOST_TEST(sent < data.size());
    BOOST_TEST(data.starts_with(received));
    // Records: what is encoded counts as sent, at most one record of it is still held.
    const std::size_t held = world.wire() == Wire::record ? 1000 : 0;
    BOOST_TEST(received.size() <= sent);
    BOOST_TEST(sent - received.size() <= held);
  }
}

BEHAVIOUR(B217_C7_a_write_that_is_all_sent_is_not_torn, tcp_wires | 4 | 8) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  WriteTally tally;
  asio::cancellation_signal signal;
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  const std::string data = random_bytes(32 * 1024);
  client.async_write(data, asio::bind_cancellation_slot(signal.slot(), tally.next()));
  BOOST_TEST(client.buffered() == 0U);  // the kernel took it at once
  signal.emit(cancellation_type::terminal);
  client.async_write("after", tally.next());
  world.run_until([&] { return received.size() == data.size() + 5; });
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all({}));
  client.end();
  world.run();
  BOOST_TEST(recorder.log() == (Log{"client:finish", "client:end", "client:close(false)"}), per_element);
}

BEHAVIOUR(C7_time_is_up_before_it_started, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  server.pause();
  world.use_manual_clock();
  WriteTally others;
  WriteTally late;
  client.write(std::string(more_than_fits(world), 'x'), others.next());
  client.async_write("late", libnet::cancel_after(1s, late.next()));
  client.write("after", others.next());
  world.advance(999ms);
  BOOST_TEST(late.completions.empty());
  world.advance(1ms);
  BOOST_TEST(late.each_once_in_order());
  BOOST_TEST(late.all(Errc::timed_out));
  BOOST_TEST(late.bytes() == 0U);
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  server.resume();
  client.end();
  world.run();
  BOOST_TEST(received.size() == more_than_fits(world) + 5);
  BOOST_TEST(others.all({}));
  BOOST_TEST(recorder.count("client:close(false)") == 1U);
}

BEHAVIOUR(C7_time_is_up_when_partly_sent_awaited, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  server.pause();
  world.use_manual_clock();
  world.spawn([](Socket socket, Recorder* log, std::size_t size) -> asio::awaitable<void> {
    const std::string data(size, 'x');
    try {
      co_await socket.async_write(data, libnet::cancel_after(1s));
      BOOST_ERROR("no exception");
    } catch (const libnet::SystemError& failure) {
      BOOST_TEST(failure.code() == Errc::timed_out);
      BOOST_TEST(failure.bytes_transferred() > 0U);
      BOOST_TEST(failure.bytes_transferred() < data.size());
      log->note("thrown");
    }
  }(client, &recorder, more_than_fits(world)));
  world.settle();
  world.advance(1s);
  server.resume();
  world.run();
  BOOST_TEST(recorder.log() == (Log{"thrown", "client:error(ERR_TIMED_OUT)", "client:close(true)"}), per_element);
}

BEHAVIOUR(C7_cancelling_makes_room, 8) {
  auto [client, server] = world.pair({.high_water_mark = 10'000, .low_water_mark = 9'000});
  Recorder recorder;
  recorder.watch(client, "client");
  world.memory_ends().client->shape().hold_writable();
  WriteTally kept;
  WriteTally cancelled;
  asio::cancellation_signal signal;
  BOOST_TEST(client.write(std::string(5000, 'x'), kept.next()));
  const std::string data(50'000, '#');
  client.async_write(data, asio::bind_cancellation_slot(signal.slot(), cancelled.next()));
  BOOST_TEST(client.need_drain());
  world.settle();
  BOOST_TEST(recorder.log().empty());
  signal.emit(cancellation_type::total);
  world.settle();
  BOOST_TEST(recorder.log() == Log{"client:drain"}, per_element);
  world.memory_ends().client->shape().release_writable();
  server.on(event::data, [](Chunk) {});
  client.end();
  world.run();
  BOOST_TEST(kept.all({}));
  BOOST_TEST(cancelled.all(asio::error::operation_aborted));
}
