#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::cancel_after;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// B218: a time limit on any operation.

namespace {

constexpr std::size_t too_much = std::size_t{32} << 20;  // [bytes] more than any wire holds

struct Result {
  std::optional<error_code> code;
  std::size_t size = 0;
  std::string bytes;

  auto handler() {
    return [this](const error_code& ended, const auto&... results) {
      BOOST_TEST(!code.has_value(), "completed twice");
      code = ended;
      (note(results), ...);
    };
  }
  bool is(const error_code& expected) const { return code.has_value() && *code == expected; }
  bool waits() const { return !code.has_value(); }

 private:
  void note(std::size_t value) { size = value; }
  void note(Chunk chunk) { bytes = chunk.to_string(); }
  void note(bool) {}
  void note(const Socket&) {}
};

}  // namespace

BEHAVIOUR(B218_a_read, all_wires) {
  auto [client, server] = world.pair();
  world.use_manual_clock();
  Result late;
  server.async_read(cancel_after(10s, late.handler()));
  world.advance(9s);
  BOOST_TEST(late.waits());
  world.advance(2s);
  BOOST_TEST(late.is(Errc::timed_out));
  client.write("hello");
  Result next;
  server.async_read(cancel_after(10s, next.handler()));
  world.run_until([&] { return !next.waits(); });
  BOOST_TEST(next.is({}));
  BOOST_TEST(next.bytes == "hello");
  Result after;
  server.async_read(after.handler());
  world.advance(1h);  // the limit of the read before is gone
  BOOST_TEST(after.waits());
  client.write("!");
  world.run_until([&] { return !after.waits(); });
  BOOST_TEST(after.bytes == "!");
}

BEHAVIOUR(B218_zero_means_the_next_turn, all_wires) {
  auto [client, server] = world.pair();
  Result read;
  server.async_read(cancel_after(0s, read.handler()));
  BOOST_TEST(read.waits());
  world.settle();
  BOOST_TEST(read.is(Errc::timed_out));
  world.await([](Socket socket) -> asio::awaitable<void> {
    const auto [code, chunk] = co_await socket.async_read(cancel_after(0s, libnet::as_tuple));
    BOOST_TEST(code == Errc::timed_out);
    BOOST_CHECK_EXCEPTION(co_await socket.async_read(cancel_after(0s)), libnet::SystemError,
                          [](const libnet::SystemError& failure) { return failure.code() == Errc::timed_out; });
    co_await socket.async_write("in time", cancel_after(1h));
  }(server));
}

BEHAVIOUR(B218_the_first_of_slot_and_limit_decides, all_wires) {
  auto [client, server] = world.pair();
  world.use_manual_clock();
  asio::cancellation_signal signal;
  const auto start = [&](Result& result) {
    server.async_read(cancel_after(10s, asio::bind_cancellation_slot(signal.slot(), result.handler())));
    world.settle();
  };
  Result cancelled;
  start(cancelled);
  signal.emit(asio::cancellation_type::total);
  world.settle();
  BOOST_TEST(cancelled.is(asio::error::operation_aborted));
  world.advance(1h);
  Result timed_out;
  start(timed_out);
  world.advance(11s);
  signal.emit(asio::cancellation_type::terminal);
  world.settle();
  BOOST_TEST(timed_out.is(Errc::timed_out));
}

BEHAVIOUR(B218_a_partly_sent_write_fails_the_connection, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  world.use_manual_clock();
  Result partly;
  Result waiting;
  client.async_write(std::string(too_much, 'x'), cancel_after(10s, partly.handler()));
  client.async_write("behind it", waiting.handler());
  world.settle();
  BOOST_TEST((partly.waits() && waiting.waits()));
  world.advance(11s);
  BOOST_TEST(partly.is(Errc::timed_out));
  BOOST_TEST(waiting.is(Errc::timed_out));
  BOOST_TEST(waiting.size == 0U);
  BOOST_TEST((partly.size > 0U && partly.size < too_much));
  std::size_t arrived = 0;
  server.on(event::error, [](const Error&) {});
  server.on(event::data, [&arrived](Chunk chunk) { arrived += chunk.size(); });
  world.run_until([&] { return recorder.count("client:close(true)") == 1 && server.destroyed(); });
  BOOST_TEST(recorder.count("client:error(ERR_TIMED_OUT)") == 1U);
  BOOST_TEST(arrived == partly.size);
  world.advance(1h);
}

BEHAVIOUR(B218_a_write_that_has_not_started_is_taken_out, all_wires) {
  auto [client, server] = world.pair();
  world.use_manual_clock();
  Result first;
  Result second;
  Result third;
  client.async_write(std::string(too_much, 'x'), first.handler());
  client.async_write("second", cancel_after(10s, second.handler()));
  client.async_write("third", third.handler());
  world.settle();
  world.advance(11s);
  BOOST_TEST(second.is(Errc::timed_out));
  BOOST_TEST(second.size == 0U);
  BOOST_TEST((first.waits() && third.waits()));
  std::string last;
  std::size_t arrived = 0;
  server.on(event::data, [&](Chunk chunk) {
    arrived += chunk.size();
    last = chunk.to_string();
  });
  client.end();
  world.run_until([&] { return server.destroyed(); });
  BOOST_TEST(first.is({}));
  BOOST_TEST(third.is({}));
  BOOST_TEST(arrived == too_much + 5);
  BOOST_TEST(last.ends_with("third"));
}

BEHAVIOUR(B218_what_only_stops_waiting, all_wires) {
  auto [client, server] = world.pair({.linger_time = 2h});
  world.use_manual_clock();
  Result drain;
  Result end;
  Result close;
  Result wait;
  BOOST_TEST(!client.write(std::string(too_much, 'x')));
  client.async_drain(cancel_after(10s, drain.handler()));
  client.async_end("the end", cancel_after(10s, end.handler()));
  client.async_close(cancel_after(10s, close.handler()));
  client.async_wait(event::finish, cancel_after(10s, wait.handler()));
  world.settle();
  world.advance(11s);
  BOOST_TEST(drain.is(Errc::timed_out));
  BOOST_TEST(end.is(Errc::timed_out));
  BOOST_TEST(close.is(Errc::timed_out));
  BOOST_TEST(wait.is(Errc::timed_out));
  BOOST_TEST(!client.destroyed());
  std::size_t arrived = 0;
  bool ended = false;
  server.on(event::data, [&](Chunk chunk) { arrived += chunk.size(); });
  server.on(event::end, [&] { ended = true; });
  world.run_until([&] { return client.destroyed() && ended; });
  BOOST_TEST(arrived == too_much + 7);
}

BEHAVIOUR(B218_an_accept, all_wires) {
  Server server(world.io());
  world.listen(server);
  world.use_manual_clock();
  Result late;
  Result patient;
  server.async_accept(cancel_after(10s, late.handler()));
  server.async_accept(cancel_after(1h, patient.handler()));
  world.settle();
  world.advance(11s);
  BOOST_TEST(late.is(Errc::timed_out));
  BOOST_TEST(patient.waits());
  Socket client(world.io());
  world.connect(client, server);
  world.run_until([&] { return !patient.waits(); });
  BOOST_TEST(patient.is({}));
  Result close;
  server.async_close(cancel_after(10s, close.handler()));
  world.advance(1h);
  BOOST_TEST(!close.waits());
}

BEHAVIOUR(B218_a_server_close_and_its_waits, all_wires) {
  Server server(world.io());
  Socket kept;
  server.on(event::connection, [&kept](Socket socket) { kept = socket; });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  world.run_until([&] { return !kept.pending() && !client.connecting(); });
  world.use_manual_clock();
  Result close;
  Result wait;
  server.async_close(cancel_after(10s, close.handler()));
  server.async_wait(event::close, cancel_after(10s, wait.handler()));
  world.settle();
  world.advance(11s);
  BOOST_TEST(close.is(Errc::timed_out));
  BOOST_TEST(wait.is(Errc::timed_out));
  BOOST_TEST((kept.ready_state() == libnet::ReadyState::open));
  kept.destroy();
  world.settle();
  BOOST_TEST(server.connections() == 0U);
}

BEHAVIOUR(B218_no_time_at_all_for_a_connect, all_wires) {
  Server server(world.io());
  server.on(event::listening, [] {});
  world.listen(server);
  const auto options = world.connect_options(server);
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  Result connect;
  socket.async_connect(options, cancel_after(0s, connect.handler()));
  world.run_until([&] { return recorder.count("client:close(true)") == 1; });
  BOOST_TEST(connect.is(Errc::timed_out));
  BOOST_TEST((recorder.of("client") == std::vector<std::string>{"error(ERR_TIMED_OUT)", "close(true)"}));
}

// --- no time, and all the time in the world ------------------------------------------------------------------------

namespace {

/// Every operation of a socket that cannot end by itself: `limit` is up, so all of them do at the next turn.
template <class Limit>
void expect_all_of_a_socket_timed_out(World& world, Limit limit) {
  auto [client, server] = world.pair({.linger_time = 1h});
  client.write(std::string(too_much / 4, 'x'));  // so that what is written has to wait
  world.settle();
  std::array<Result, 9> results;
  std::size_t next = 0;
  const auto token = [&] { return cancel_after(limit, results.at(next++).handler()); };
  std::array<char, 10> memory{};
  server.pause();
  client.async_write("x", token());
  client.async_write_some(asio::buffer("x", 1), token());
  client.async_drain(token());
  client.async_end(token());
  client.async_wait(event::finish, token());
  client.async_read(token());
  world.settle();
  client.async_read_some(asio::buffer(memory), token());
  world.settle();
  client.async_pipe(server, cancel_after(limit, [&](error_code code, std::uint64_t) { results[next++].code = code; }));
  world.settle();
  client.async_close(token());
  world.settle();
  BOOST_TEST(next == results.size());
  for (std::size_t i = 0; i < next; ++i) BOOST_TEST(results[i].is(Errc::timed_out), "operation " << i);
  client.destroy();
  server.destroy();
  world.run();
}

template <class Limit>
void expect_all_of_a_server_timed_out(World& world, Limit limit) {
  Server server(world.io());
  Socket kept;
  Result listen;
  Result wait;
  Result accept;
  Result close;
  server.async_listen(world.listen_options(), cancel_after(limit, listen.handler()));
  world.settle();
  BOOST_TEST(listen.is(Errc::timed_out));
  BOOST_TEST(!server.listening());
  world.listen(server);
  Socket client(world.io());
  server.async_accept(cancel_after(limit, accept.handler()));
  world.settle();
  BOOST_TEST(accept.is(Errc::timed_out));
  server.once(event::connection, [&kept](Socket socket) { kept = socket; });
  world.connect(client, server);
  world.run_until([&] { return !kept.pending() && !client.connecting(); });
  server.async_wait(event::close, cancel_after(limit, wait.handler()));
  server.async_close(cancel_after(limit, close.handler()));
  world.settle();
  BOOST_TEST(wait.is(Errc::timed_out));
  BOOST_TEST(close.is(Errc::timed_out));
  kept.destroy();
  world.run();
}

template <class Limit>
void expect_connects_timed_out(World& world, Limit limit) {
  Server server(world.io());
  server.on(event::listening, [] {});
  world.listen(server);
  Socket socket(world.io());
  socket.on(event::error, [](const Error&) {});
  Result member;
  Result made;
  socket.async_connect(world.connect_options(server), cancel_after(limit, member.handler()));
  libnet::async_connect(world.io(), world.connect_options(server), {}, cancel_after(limit, made.handler()));
  world.settle();
  BOOST_TEST(member.is(Errc::timed_out));
  BOOST_TEST(made.is(Errc::timed_out));
  server.close();
  world.run();
}

/// Calls `check` with a limit that is up, in several units.
template <class Check>
void with_each_limit_that_is_up(Check check) {
  check(0s);
  check(-1ns);
  check(-5min);
  check(std::chrono::nanoseconds::min());
  check(std::chrono::hours::min());
  check(std::chrono::duration<double>(-0.5));
}

/// Calls `check` with the longest duration of several types, whole and in fractions, and with what is nearly as long.
template <class Check>
void with_each_limit_that_is_none(Check check) {
  check(std::chrono::nanoseconds::max());
  check(std::chrono::nanoseconds::max() - 1ns);
  check(std::chrono::microseconds::max());
  check(std::chrono::milliseconds::max());
  check(std::chrono::seconds::max());
  check(std::chrono::hours::max());
  check(std::chrono::years::max());
  check(std::chrono::duration<std::uint64_t>::max());
  check(std::chrono::duration<double>::max());
}

}  // namespace

BEHAVIOUR(B305_no_time_at_all_for_what_a_socket_does, all_wires) {
  with_each_limit_that_is_up([&](auto limit) { expect_all_of_a_socket_timed_out(world, limit); });
}

BEHAVIOUR(B305_no_time_at_all_for_what_a_server_does, all_wires) {
  with_each_limit_that_is_up([&](auto limit) { expect_all_of_a_server_timed_out(world, limit); });
}

BEHAVIOUR(B305_no_time_at_all_to_connect, all_wires) {
  with_each_limit_that_is_up([&](auto limit) { expect_connects_timed_out(world, limit); });
}

BEHAVIOUR(B305_a_deadline_that_has_passed_awaited, all_wires) {
  auto [client, server] = world.pair();
  world.await([](Socket socket) -> asio::awaitable<void> {
    const auto deadline = std::chrono::steady_clock::now() - 1s;
    const auto [code, chunk] =
        co_await socket.async_read(cancel_after(deadline - std::chrono::steady_clock::now(), libnet::as_tuple));
    BOOST_TEST(code == Errc::timed_out);
    BOOST_CHECK_EXCEPTION(co_await socket.async_read(cancel_after(-1h)), libnet::SystemError,
                          [](const libnet::SystemError& failure) { return failure.code() == Errc::timed_out; });
  }(server));
}

BEHAVIOUR(B272_the_longest_time_is_no_limit_of_an_operation, all_wires) {
  with_each_limit_that_is_none([&](auto limit) {
    auto [client, server] = world.pair();
    world.use_manual_clock();
    Result read;
    Result wait;
    server.async_read(cancel_after(limit, read.handler()));
    server.async_wait(event::close, cancel_after(limit, wait.handler()));
    world.settle();
    world.advance(24h * 365);
    BOOST_TEST(read.waits());
    client.write("hello");
    world.run_until([&] { return !read.waits(); });
    BOOST_TEST(read.bytes == "hello");
    BOOST_TEST(wait.waits());
    client.destroy();
    server.destroy();
    world.run();
  });
}

BEHAVIOUR(B272_the_longest_time_is_no_limit_of_an_operation_awaited, all_wires) {
  auto [client, server] = world.pair();
  world.await([](Socket from, Socket to) -> asio::awaitable<void> {
    co_await from.async_write("hello", cancel_after(std::chrono::hours::max()));
    const Chunk chunk = co_await to.async_read(cancel_after(std::chrono::nanoseconds::max()));
    BOOST_TEST(chunk.to_string() == "hello");
  }(client, server));
}
