#include <sys/socket.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/strand.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::error_code;
using libnet::Socket;

// What one socket receives is passed on to another one.

namespace {

/// source.client -> source.server | sink.client -> sink.server: the pipe stands in the middle.
struct Line {
  explicit Line(World& world, const libnet::SocketOptions& options = {.allow_half_open = true})
      : source(world.pair(options, {.allow_half_open = true})), sink(world.pair(options, {.allow_half_open = true})) {}

  Socket& begin() { return source.client; }
  Socket& in() { return source.server; }
  Socket& out() { return sink.client; }
  Socket& end() { return sink.server; }

  void destroy_all() {
    for (Socket* socket : {&begin(), &in(), &out(), &end()}) socket->destroy();
  }

  World::Pair source;
  World::Pair sink;
};

/// How a pipe ended.
struct Outcome {
  auto note() {
    return [this](const error_code& result, std::uint64_t count) {
      code = result;
      bytes = count;
      ++times;
    };
  }
  bool known() const { return times != 0; }

  error_code code;
  std::uint64_t bytes = 0;
  int times = 0;
};

/// Else the kernel may take as much as the machine lets it grow to: more than 16 MB on some.
void keep_receive_buffer_small(const Socket& socket) {
  const int size = 64 * 1024;
  ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);  // what is in memory has none
}

std::string& collect(Socket socket, std::string& into) {
  socket.on(event::data, [&into](const Chunk& chunk) { into += chunk; });
  socket.on(event::end, [] {});
  return into;
}

asio::awaitable<std::string> read_all(Socket socket) {
  std::string all;
  while (const Chunk chunk = co_await socket.async_read()) all += chunk;
  co_return all;
}

}  // namespace

BEHAVIOUR(R32_a_pipe_passes_on_everything_and_then_the_end, all_wires) {
  Line line(world);
  const std::string data = random_bytes(3'000'000);
  std::string received;
  bool ended = false;
  Outcome outcome;
  line.end().on(event::data, [&](const Chunk& chunk) { received += chunk; });
  line.end().on(event::end, [&] { ended = true; });
  line.begin().end(data);
  const Socket returned = line.in().pipe(line.out(), outcome.note());
  BOOST_TEST((returned == line.out()));
  BOOST_TEST(!outcome.known());  // not inside the call
  world.run_until([&] { return outcome.known() && ended; });
  BOOST_TEST(!outcome.code);
  BOOST_TEST(outcome.bytes == data.size());
  BOOST_TEST(outcome.times == 1);
  BOOST_TEST((received == data));
  BOOST_TEST(!line.out().writable());
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_pipe_passes_on_everything_and_then_the_end_awaited, all_wires) {
  Line line(world);
  const std::string data = random_bytes(3'000'000);
  std::string received;
  world.spawn([](Socket socket, std::string bytes) -> asio::awaitable<void> {
    co_await socket.async_write(bytes);
    co_await socket.async_end();
  }(line.begin(), data));
  world.spawn([](Socket socket, std::string& into) -> asio::awaitable<void> { into = co_await read_all(socket); }(
                                                       line.end(), received));
  world.await([](Socket in, Socket out, std::size_t size) -> asio::awaitable<void> {
    const std::uint64_t bytes = co_await in.async_pipe(out);
    BOOST_TEST(bytes == size);
  }(line.in(), line.out(), data.size()));
  world.run_until([&] { return received.size() == data.size(); });
  BOOST_TEST((received == data));
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_pipe_to_a_slow_sink_stays_under_twice_the_mark, all_wires) {
  Line line(world, {.high_water_mark = 64 * 1024});
  keep_receive_buffer_small(line.in());
  keep_receive_buffer_small(line.end());
  line.begin().on(event::error, [](const libnet::Error&) {});
  line.begin().on(event::drain, [begin = line.begin()]() mutable {
    while (begin.bytes_written() < 16'000'000 && begin.write(std::string(50'000, 'x'))) {
    }
  });
  while (line.begin().write(std::string(50'000, 'x'))) {
  }
  line.in().pipe(line.out());
  for (int i = 0; i < 20; ++i) {
    world.settle();
    BOOST_TEST(line.out().buffered() < 2 * 64 * 1024U);
  }
  BOOST_TEST(line.begin().buffered() != 0U);  // held back, all the way
  const std::uint64_t before = line.in().bytes_read();
  world.settle();
  BOOST_TEST(line.in().bytes_read() == before);
  std::size_t received = 0;
  line.end().on(event::data, [&](const Chunk& chunk) {
    received += chunk.size();
    BOOST_REQUIRE(line.out().buffered() < 2 * 64 * 1024U);
  });
  world.run_until([&] { return received >= 16'000'000; });
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_socket_piped_into_itself_is_an_echo, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  const std::string data = random_bytes(2'000'000);
  std::string received;
  Outcome outcome;
  collect(client, received);
  client.end(data);
  server.pipe(server, outcome.note());
  world.run();
  BOOST_TEST((received == data));
  BOOST_TEST(!outcome.code);
  BOOST_TEST(outcome.bytes == data.size());
  BOOST_TEST(server.destroyed());
}

BEHAVIOUR(R32_pipes_both_ways_are_a_relay_that_needs_no_handles, all_wires) {
  Line line(world);
  const std::string request = random_bytes(1'500'000, 1);
  const std::string answer = random_bytes(1'200'000, 2);
  std::string got_request;
  std::string got_answer;
  collect(line.begin(), got_answer);
  collect(line.end(), got_request);
  line.in().pipe(line.out());
  line.out().pipe(line.in());
  line.in() = Socket();
  line.out() = Socket();
  line.begin().end(request);
  line.end().end(answer);
  world.run();
  BOOST_TEST((got_request == request));
  BOOST_TEST((got_answer == answer));
}

BEHAVIOUR(R32_a_pipe_need_not_end_its_destination, all_wires) {
  Line line(world);
  std::string received;
  collect(line.end(), received);
  line.begin().end("first, ");
  Outcome outcome;
  line.in().pipe(line.out(), {.end = false}, outcome.note());
  world.run_until([&] { return outcome.known(); });
  BOOST_TEST(!outcome.code);
  BOOST_TEST(line.out().buffered() == 0U);
  BOOST_TEST(line.out().writable());
  line.out().end("second");
  world.run_until([&] { return received.size() == 13; });
  BOOST_TEST(received == "first, second");
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_messages_written_beside_a_pipe_stay_whole, all_wires) {
  Line line(world);
  std::string received;
  collect(line.end(), received);
  line.in().pipe(line.out(), {.end = false});
  line.begin().write(std::string(4'000'000, '.'));
  constexpr std::size_t message = 500;
  int written = 0;
  while (written < 200) {
    line.out().write(std::string(message, static_cast<char>('A' + written++ % 26)));
    world.settle();
  }
  world.run_until([&] { return received.size() == 4'000'000 + 200 * message; });
  std::string order;
  for (std::size_t at = 0; at < received.size();) {
    const std::size_t next = std::min(received.find_first_not_of(received[at], at), received.size());
    if (received[at] != '.') {
      BOOST_TEST((next - at) % message == 0U);
      order.append((next - at) / message, received[at]);
    }
    at = next;
  }
  std::string expected;
  for (int i = 0; i < 200; ++i) expected += static_cast<char>('A' + i % 26);
  BOOST_TEST(order == expected);
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_pipe_asks_for_no_drain, all_wires) {
  Line line(world, {.allow_half_open = true, .high_water_mark = 1000});
  Recorder recorder;
  recorder.watch(line.out(), "out", Recorder::Data::ignore);
  std::string received;
  collect(line.end(), received);
  line.in().pipe(line.out());
  line.begin().end(std::string(1'000'000, 'x'));
  world.run_until([&] { return received.size() == 1'000'000 && recorder.count("out:finish") == 1; });
  BOOST_TEST(recorder.count("out:drain") == 0U);
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_bytes_that_were_put_back_pass_first, all_wires) {
  Line line(world);
  std::string received;
  collect(line.end(), received);
  line.in().unshift("<");
  line.in().pipe(line.out());
  line.begin().end("body");
  world.run_until([&] { return received.size() == 5; });
  BOOST_TEST(received == "<body");
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_pipe_is_the_only_reader, all_wires) {
  Line line(world);
  line.in().pipe(line.out());
  const auto again = [&] { line.in().pipe(line.out()); };
  BOOST_TEST((thrown_by(again) == Errc::busy));
  const auto listen = [&] { line.in().on(event::data, [](const Chunk&) {}); };
  BOOST_TEST((thrown_by(listen) == Errc::busy));
  world.await([](Socket in, Socket out) -> asio::awaitable<void> {
    const auto [read_code, chunk] = co_await in.async_read(libnet::as_tuple);
    BOOST_TEST((read_code == Errc::busy));
    const auto [pipe_code, bytes] = co_await in.async_pipe(out, libnet::as_tuple);
    BOOST_TEST((pipe_code == Errc::busy));
  }(line.in(), line.out()));
  std::string received;
  collect(line.end(), received);
  line.begin().write("undisturbed");
  world.run_until([&] { return received == "undisturbed"; });
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_pipe_is_cancelled_and_loses_no_byte, all_wires) {
  Line line(world);
  asio::cancellation_signal signal;
  Outcome outcome;
  line.in().async_pipe(line.out(), asio::bind_cancellation_slot(signal.slot(), outcome.note()));
  const std::string data = random_bytes(6'000'000);
  line.begin().end(data);
  world.run_until([&] { return line.in().bytes_read() > 500'000 || line.out().bytes_written() > 0; });
  signal.emit(asio::cancellation_type::total);
  BOOST_TEST(!outcome.known());
  world.run_until([&] { return outcome.known(); });
  BOOST_TEST((outcome.code == asio::error::operation_aborted));
  BOOST_TEST(outcome.bytes == line.out().bytes_written());
  std::string passed;
  collect(line.end(), passed);
  line.out().end();
  std::string rest;
  collect(line.in(), rest);
  world.run_until([&] { return passed.size() + rest.size() == data.size(); });
  BOOST_TEST(passed.size() == outcome.bytes);
  BOOST_TEST((passed + rest == data));
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_pipe_has_a_time_limit_awaited, all_wires) {
  Line line(world);
  world.await([](Socket in, Socket out) -> asio::awaitable<void> {
    const auto [code, bytes] = co_await in.async_pipe(out, libnet::cancel_after(1ms, libnet::as_tuple));
    BOOST_TEST((code == Errc::timed_out));
    BOOST_TEST(bytes == 0U);
  }(line.in(), line.out()));
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_unpipe_gives_the_reading_back, all_wires) {
  Line line(world);
  Outcome outcome;
  line.in().pipe(line.out(), outcome.note());
  line.in().unpipe();
  line.in().unpipe();
  std::string received;
  collect(line.in(), received);
  line.begin().write("mine again");
  world.run_until([&] { return received == "mine again"; });
  BOOST_TEST((outcome.code == asio::error::operation_aborted));
  BOOST_TEST(outcome.times == 1);
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_an_error_of_the_source_ends_the_pipe_but_not_its_destination, ip_wires) {
  Line line(world);
  std::string received;
  collect(line.end(), received);
  Outcome outcome;
  line.in().pipe(line.out(), outcome.note());
  line.begin().write("last words");
  world.run_until([&] { return received == "last words"; });
  line.begin().reset();
  world.run_until([&] { return outcome.known(); });
  BOOST_TEST((outcome.code == boost::system::errc::connection_reset));
  BOOST_TEST(outcome.bytes == 10U);
  BOOST_TEST(line.out().writable());
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_the_death_of_the_destination_ends_the_pipe_and_leaves_the_rest_unread, all_wires) {
  for (const bool by_peer : {false, true}) {
    Line line(world);
    line.out().on(event::error, [](const libnet::Error&) {});
    Outcome outcome;
    line.in().pipe(line.out(), outcome.note());
    line.begin().write("one");
    std::string received;
    collect(line.end(), received);
    world.run_until([&] { return received == "one"; });
    if (by_peer && !world.is_tcp()) {
      line.out().destroy(libnet::Error(Errc::timed_out, "test"));
    } else {
      by_peer ? line.end().reset() : line.out().destroy();
    }
    world.run_until([&] { return outcome.known(); });
    const error_code expected = by_peer ? line.out().error().code() : error_code(asio::error::operation_aborted);
    BOOST_TEST((outcome.code == expected));
    BOOST_TEST(outcome.code.failed());
    std::string rest;
    collect(line.in(), rest);
    line.begin().write("two");
    world.run_until([&] { return rest == "two"; });
    line.destroy_all();
    world.run();
  }
}

// The kernel would send SIGPIPE, which ends a process that does not expect it.
BEHAVIOUR(R32_a_destination_that_goes_away_in_the_middle_of_bulk_costs_only_the_pipe, all_wires) {
  Line line(world);
  line.out().on(event::error, [](const libnet::Error&) {});
  line.begin().on(event::error, [](const libnet::Error&) {});
  Outcome outcome;
  line.in().pipe(line.out(), outcome.note());
  line.begin().write(std::string(40'000'000, 'x'));
  std::size_t received = 0;
  line.end().on(event::data, [&](const Chunk& chunk) {
    received += chunk.size();
    if (received > 3'000'000) line.end().destroy();
  });
  world.run_until([&] { return outcome.known(); });
  BOOST_TEST(outcome.code.failed());
  BOOST_TEST(outcome.bytes < 40'000'000U);
  BOOST_TEST(!line.in().destroyed());
  line.destroy_all();
  world.run();
}

// A bulk stream passes a pipe of the kernel; its two descriptors are given back when the bulk is over.
BEHAVIOUR(R32_R80_bulk_is_not_copied_and_what_that_takes_is_given_back, real_wires) {
  Line line(world);
  const std::size_t idle = open_descriptors();
  std::size_t most = 0;
  std::size_t received = 0;
  line.end().on(event::data, [&](const Chunk& chunk) {
    received += chunk.size();
    most = std::max(most, open_descriptors());
  });
  line.in().pipe(line.out());
  line.begin().write(std::string(8'000'000, 'x'));
  world.run_until([&] { return received == 8'000'000; });
  BOOST_TEST(most == idle + 2);
  line.begin().write("a word");
  world.run_until([&] { return received == 8'000'006; });
  BOOST_TEST(open_descriptors() == idle);
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_an_unheard_error_of_a_piped_socket_is_its_own, all_wires) {
  Line line(world);
  Recorder recorder;
  recorder.watch(line.in(), "in", Recorder::Data::ignore);
  line.in().pipe(line.out());
  line.in().destroy(libnet::Error(Errc::timed_out, "test"));
  world.run_until([&] { return recorder.count("in:close(true)") == 1; });
  const Log log = recorder.of("in");
  const auto is_error = [](const std::string& entry) { return entry.starts_with("error("); };
  BOOST_TEST(std::count_if(log.begin(), log.end(), is_error) == 1);
  BOOST_TEST(line.out().writable());
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_what_cannot_be_piped, all_wires) {
  Line line(world);
  Socket fresh(world.io());
  Socket elsewhere(asio::make_strand(world.io()));
  const auto to_elsewhere = [&] { line.in().pipe(elsewhere); };
  BOOST_TEST((thrown_by(to_elsewhere) == Errc::invalid_argument));
  BOOST_TEST((thrown_by([&] { line.in().pipe(Socket()); }) == Errc::invalid_argument));
  Outcome to_fresh;
  line.in().pipe(fresh, to_fresh.note());
  world.run_until([&] { return to_fresh.known(); });
  BOOST_TEST((to_fresh.code == Errc::closed));
  Outcome from_fresh;
  fresh.pipe(line.out(), from_fresh.note());
  world.run_until([&] { return from_fresh.known(); });
  BOOST_TEST((from_fresh.code == Errc::closed));
  line.out().destroy();
  Outcome to_destroyed;
  line.in().pipe(line.out(), to_destroyed.note());
  world.run_until([&] { return to_destroyed.known(); });
  BOOST_TEST((to_destroyed.code == Errc::destroyed));
  BOOST_TEST(line.in().readable());
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_source_that_has_ended_ends_the_destination, all_wires) {
  Line line(world);
  line.begin().end();
  std::string nothing;
  bool ended = false;
  collect(line.in(), nothing);
  world.run_until([&] { return !line.in().readable(); });
  line.in().remove_all(event::data);
  line.end().on(event::end, [&] { ended = true; });
  Outcome outcome;
  line.in().pipe(line.out(), outcome.note());
  world.run_until([&] { return outcome.known() && ended; });
  BOOST_TEST(!outcome.code);
  BOOST_TEST(outcome.bytes == 0U);
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_pipe_may_lead_to_a_socket_that_connects_still, all_wires) {
  auto source = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  libnet::Server server(world.io(), {.socket = {.allow_half_open = true}});
  std::string received;
  server.on(event::connection, [&](Socket socket) { collect(std::move(socket), received); });
  world.listen(server);
  Socket out(world.io(), {.allow_half_open = true});
  world.connect(out, server);
  source.client.end("early");
  Outcome outcome;
  source.server.pipe(out, outcome.note());
  world.run_until([&] { return outcome.known() && received == "early"; });
  BOOST_TEST(!outcome.code);
  for (Socket* socket : {&source.client, &source.server, &out}) socket->destroy();
  for (Socket& socket : server.sockets()) socket.destroy();
  server.close();
  world.run();
}

BEHAVIOUR(R32_B234_a_context_that_ends_with_pipes_in_flight_leaks_nothing, all_wires) {
  Line line(world);
  const auto never = [](const error_code&) { BOOST_ERROR("a callback ran"); };
  line.in().pipe(line.out(), never);
  line.out().pipe(line.in(), never);
  line.end().pipe(line.end(), never);
  line.begin().write(std::string(3'000'000, 'x'));
  line.in() = Socket();
  const Socket out = std::exchange(line.out(), Socket());
  world.run_until([&] { return out.bytes_written() != 0; });
  BOOST_TEST(line.end().bytes_written() <= line.end().bytes_read());
}

// --- the source of a pipe that waits for room ------------------------------------------------------------------------

namespace {

/// A destination whose peer does not read, with bytes queued.
void stall(World& world, Line& line) {
  line.begin().write(std::string(30'000'000, 'x'));
  std::uint64_t moved = 1;
  while (moved != line.in().bytes_read() || line.out().bytes_written() == 0) {
    moved = line.in().bytes_read();
    world.settle();
  }
}

}  // namespace

BEHAVIOUR(R32_a_source_that_is_reset_while_its_pipe_waits_says_so, ip_wires) {
  Line line(world);
  Outcome outcome;
  line.in().pipe(line.out(), {.end = false}, outcome.note());
  line.out().cork();
  line.begin().write("held back");
  world.run_until([&] { return line.in().bytes_read() == 9; });
  line.begin().reset();
  world.run_until([&] { return outcome.known(); });
  BOOST_TEST((outcome.code == boost::system::errc::connection_reset));
  BOOST_TEST(line.out().writable());
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_source_that_ended_while_its_pipe_waited_closes_when_the_pipe_is_gone, all_wires) {
  for (const bool unpiped : {false, true}) {
    auto source = world.pair();  // not half-open
    auto sink = world.pair();
    Recorder recorder;
    Outcome outcome;
    source.server.pipe(sink.client, outcome.note());
    sink.client.cork();
    source.client.end("held back");
    world.run_until([&] { return source.server.bytes_read() == 9; });
    world.settle();
    source.server.on(event::end, [&] { recorder.note("end"); });
    source.server.on(event::close, [&](bool had_error) { recorder.note(had_error ? "close(true)" : "close(false)"); });
    if (unpiped) source.server.unpipe();
    sink.client.destroy();
    sink.server.destroy();
    world.run();
    const Log expected{"end", "close(false)"};
    BOOST_TEST(recorder.log() == expected, per_element);
    BOOST_TEST((outcome.code == asio::error::operation_aborted));
  }
}

BEHAVIOUR(R32_a_failing_source_does_not_wait_for_ever_for_its_pipe, ip_wires) {
  Line line(world, {.allow_half_open = true, .linger_time = 50ms});
  line.in().on(event::error, [](const libnet::Error&) {});
  Outcome outcome;
  line.in().pipe(line.out(), outcome.note());
  stall(world, line);
  line.in().end();
  line.in().write("after the end");  // fails the connection; unread input is held
  world.run_until([&] { return outcome.known(); });
  BOOST_TEST((outcome.code == Errc::write_after_end));
  line.destroy_all();
  world.run();
}

BEHAVIOUR(R32_a_pipe_from_an_ended_source_can_be_cut_off, all_wires) {
  for (const int how : {0, 1, 2}) {
    Line line(world);
    line.begin().end();
    line.in().on(event::end, [] {});
    world.run_until([&] { return !line.in().readable(); });
    line.out().cork();
    line.out().write("held back");
    std::optional<error_code> result;
    line.in().async_pipe(
        line.out(), {.end = false},
        libnet::cancel_after(how == 0 ? 1ms : 1h, [&](const error_code& code, std::uint64_t) { result = code; }));
    if (how == 1) line.in().unpipe();
    if (how == 2) line.in().destroy();
    world.run_until([&] { return result.has_value(); });
    const error_code aborted = asio::error::operation_aborted;
    BOOST_TEST((*result == (how == 0 ? error_code(Errc::timed_out) : aborted)));
    line.destroy_all();
    world.run();
  }
}

BEHAVIOUR(R32_a_paused_source_flows_into_its_pipe_and_closes, all_wires) {
  auto source = world.pair();
  auto sink = world.pair();
  source.server.pause();
  std::string received;
  collect(sink.server, received);
  source.client.end("through");
  source.server.pipe(sink.client);
  world.run();
  BOOST_TEST(received == "through");
  BOOST_TEST(source.server.destroyed());
}

// The kernel's splice stops at urgent data and does not get past it.
BEHAVIOUR(R32_urgent_data_in_the_middle_of_bulk_stops_nothing, tcp_wires) {
  for (const bool ends : {false, true}) {
    Line line(world);
    std::size_t received = 0;
    line.end().on(event::data, [&](const Chunk& chunk) { received += chunk.size(); });
    line.in().pipe(line.out());
    constexpr std::size_t half = 4'000'000;
    bool sent = false;
    line.begin().write(std::string(half, 'a'), [&](const error_code&) { sent = true; });
    world.run_until([&] { return sent; });
    BOOST_REQUIRE(::send(line.begin().native_handle(), "!", 1, MSG_OOB) == 1);
    line.begin().write(std::string(half, 'b'));
    if (ends) line.begin().end();
    world.run_until([&] { return received >= 2 * half; });
    BOOST_TEST(received == 2 * half);  // the urgent byte is out of band
    line.destroy_all();
    world.run();
  }
}

BEHAVIOUR(R32_what_a_pipe_of_the_kernel_holds_is_nobodys_write, real_wires) {
  Line line(world, {.allow_half_open = true, .high_water_mark = 1000, .max_buffered = 2000});
  line.in().pipe(line.out());
  stall(world, line);
  BOOST_TEST(line.out().buffered() == 0U);
  bool failed = false;
  BOOST_TEST(line.out().write("beside", [&](const error_code& code) { failed = code == Errc::overflow; }));
  world.settle();
  BOOST_TEST(!failed);
  BOOST_TEST(line.out().buffered() == 6U);
  line.destroy_all();
  world.run();
}
