#include "support/behaviour.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketOptions;

// What happens to a socket that nobody holds any more, and to one that is told to close when all is sent.

namespace {

constexpr unsigned one_wire = static_cast<unsigned>(Wire::memory);  // for what needs no peer

/// The three ways to say "send what is queued, then close".
enum class Leave : std::uint8_t { destroy_soon, async_close, last_handle };
constexpr auto leaves = {Leave::destroy_soon, Leave::async_close, Leave::last_handle};

asio::awaitable<void> leave(Socket socket, Leave how) {
  if (how == Leave::destroy_soon) socket.destroy_soon();
  if (how == Leave::async_close) co_await socket.async_close();
}

asio::awaitable<void> answer_and_leave(Socket socket, const std::string& answer, Leave how) {
  co_await socket.async_read();
  co_await socket.async_write(answer);
  co_await leave(std::move(socket), how);
}

/// Writes for ever, as much as there is room for.
void send_for_ever(Socket socket) {
  socket.on(event::error, [](const Error&) {});
  socket.on(event::drain, [socket]() mutable {
    while (!socket.destroyed() && socket.write(std::string(32'000, 'x'))) {
    }
  });
  while (socket.write(std::string(32'000, 'x'))) {
  }
}

}  // namespace

BEHAVIOUR(B231_queued_bytes_arrive_after_the_last_handle_went, all_wires) {
  const std::string data = random_bytes(3'000'000);
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  client.write(data);
  client = Socket();
  world.run();
  BOOST_TEST((recorder.received("server") == data));
  const Log log = recorder.of("server");
  BOOST_REQUIRE(log.size() > 3U);
  const Log expected{"end", "finish", "close(false)"};
  BOOST_TEST(Log(log.end() - 3, log.end()) == expected, per_element);
}

BEHAVIOUR(B231_with_listeners_the_socket_lives_until_close, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client = Socket();
  world.settle();
  BOOST_TEST(recorder.log().empty());
  server.write("still there?");
  world.run_until([&] { return recorder.received("client") == "still there?"; });
  server.end();
  world.run();
  const Log expected{"data(12)", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B231_when_the_last_listener_goes_after_the_last_handle_it_lingers, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  client.write("last words");
  client.once(event::data, [](Chunk) {});
  client = Socket();
  world.run_until([&] { return recorder.received("server") == "last words"; });
  BOOST_TEST(recorder.count("server:end") == 0U);
  server.write("go");
  world.run();
  BOOST_TEST(recorder.of("server").back() == "close(false)");
  BOOST_TEST(recorder.count("server:end") == 1U);
}

BEHAVIOUR(B231_never_connected_it_just_closes, one_wire) {
  const auto make_and_leave = [&] {
    {
      Socket fresh(world.io());
      Socket ended(world.io());
      ended.end();
    }
    world.run();
    return open_descriptors();
  };
  const std::size_t before = make_and_leave();  // with what the loop itself opens
  BOOST_TEST(make_and_leave() == before);
}

BEHAVIOUR(B231_never_connected_it_closes_under_those_who_wait, one_wire) {
  for (const bool listens : {false, true}) {
    std::vector<error_code> results;
    const auto note = [&](const error_code& result, const auto&...) { results.push_back(result); };
    int closed = 0;
    {
      Socket socket(world.io());
      if (listens) socket.on(event::close, [&](bool) { ++closed; });
      socket.async_wait(event::connect, note);
      socket.async_wait(event::drain, note);
      socket.async_wait(event::close, [&](const error_code& result, bool) { results.push_back(result); });
    }
    world.run();  // returns: nobody can connect it any more
    BOOST_TEST(results.size() == 3U);
    for (const error_code& result : results) {
      const bool closes = &result == &results.back();
      BOOST_TEST(result == (closes ? error_code() : error_code(asio::error::operation_aborted)));
    }
    BOOST_TEST(closed == (listens ? 1 : 0));
  }
}

BEHAVIOUR(B231_while_connecting_it_gives_up, all_wires) {
  Server server(world.io());
  Recorder recorder;
  server.on(event::connection, [&](Socket socket) { recorder.watch(socket, "accepted"); });
  world.listen(server);
  {
    Socket client(world.io());
    world.connect(client, server);
  }
  world.settle();
  server.close();
  world.run();
  // The connection may have been made before it was given up; then it has ended.
  if (!recorder.log().empty()) BOOST_TEST(recorder.of("accepted").back() == "close(false)");
}

BEHAVIOUR(B231_a_peer_that_takes_no_byte_for_the_linger_time_is_cut, all_wires) {
  const std::string data = random_bytes(8'000'000);
  for (const bool in_time : {true, false}) {
    world.use_manual_clock();
    auto [client, server] = world.pair();
    Recorder recorder;
    server.pause();
    recorder.watch(server, "server");
    client.write(data);
    client = Socket();
    world.settle();
    world.advance(in_time ? 1999ms : 2001ms);
    BOOST_TEST(recorder.log().empty());
    server.resume();
    world.run();
    BOOST_TEST((recorder.received("server") == data) == in_time);
    // Bytes are missing: that is a reset, where there is one, and no clean end.
    BOOST_TEST(recorder.count(in_time || world.is_unix() ? "server:close(false)" : "server:close(true)") == 1U);
  }
}

BEHAVIOUR(B231_a_write_that_is_cut_while_lingering_does_not_hold_the_close, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  server.pause();
  asio::cancellation_signal signal;
  const std::string data = random_bytes(8'000'000);
  error_code result;
  client.async_write(
      data, asio::bind_cancellation_slot(signal.slot(), [&](const error_code& code, std::size_t) { result = code; }));
  world.settle();
  client.destroy_soon();
  world.settle();
  signal.emit(asio::cancellation_type::terminal);
  world.settle();
  BOOST_TEST(result == asio::error::operation_aborted);
  world.advance(2001ms);
  expect(recorder.of("client"), {"error(ECANCELED)", "close(true)"});
}

BEHAVIOUR(B231_a_peer_that_takes_some_bytes_now_and_then_is_not_cut, all_wires) {
  const std::string data = random_bytes(8'000'000);
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.write(data);
  client.destroy_soon();
  std::string got;
  bool ended = false;
  while (client.buffered() != 0) {
    world.advance(1500ms);
    BOOST_REQUIRE(!client.destroyed());
    got += read_until_progress(world, server, client);
  }
  world.await([](Socket from, std::string& all, bool& end) -> asio::awaitable<void> {
    while (const Chunk chunk = co_await from.async_read()) all += chunk;
    end = true;
  }(server, got, ended));
  world.run();
  BOOST_TEST(ended);
  BOOST_TEST((got == data));
  BOOST_TEST(recorder.of("client").back() == "close(false)");
}

BEHAVIOUR(B248_bytes_that_are_lost_by_the_linger_time_are_an_error, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  server.pause();
  Recorder recorder;
  recorder.watch(client, "client");
  world.spawn([](Socket socket) -> asio::awaitable<void> {
    const auto [code] = co_await socket.async_close(libnet::as_tuple);
    BOOST_TEST(code == Errc::timed_out);
  }(client));
  client.write(random_bytes(8'000'000), [&](const error_code& code) { recorder.note("client:" + code.message()); });
  world.settle();
  world.advance(2001ms);
  const Log expected{error_code(Errc::timed_out).message(), "error(ERR_TIMED_OUT)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  server.destroy();
  world.run();
}

BEHAVIOUR(B248_a_silent_peer_is_cut_at_the_linger_time, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair({.linger_time = 500ms}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  client.write("all");
  client.destroy_soon();
  world.run_until([&] { return recorder.count("server:end") == 1; });
  world.advance(499ms);
  const Log waiting{"finish"};
  BOOST_TEST(recorder.of("client") == waiting, per_element);
  world.advance(2ms);
  const Log closed{"finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == closed, per_element);
  server.destroy();
  world.run();
}

BEHAVIOUR(B248_dribbling_does_not_prolong_the_linger_time, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair({}, {.allow_half_open = true});
  Recorder recorder;
  server.on(event::error, [](const Error&) {});
  recorder.watch(client, "client", Recorder::Data::ignore);
  client.destroy_soon();
  world.settle();
  for (int i = 0; i < 3; ++i) {
    server.write("x");
    world.advance(500ms);
    BOOST_TEST(recorder.count("client:close(false)") == 0U);
  }
  server.write("x");
  world.advance(501ms);
  BOOST_TEST(recorder.count("client:close(false)") == 1U);
  server.destroy();
  world.run();
}

BEHAVIOUR(B248_a_peer_that_sends_for_ever_is_cut_at_linger_bytes, all_wires) {
  world.use_manual_clock();  // so time does not help
  constexpr std::size_t bound = 200'000;
  constexpr std::size_t one_read = 64 * 1024;
  auto [client, server] = world.pair({.linger_bytes = bound}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  recorder.watch(server, "server");
  client.write("all");
  client.destroy_soon();
  send_for_ever(server);
  world.run();
  BOOST_TEST(recorder.of("client").back() == "close(false)");
  BOOST_TEST(client.bytes_read() > bound);
  BOOST_TEST(client.bytes_read() <= bound + 2 * one_read);  // one before the end was out, one that passed the bound
  BOOST_TEST(recorder.of("server").back() == "close(true)");
}

BEHAVIOUR(B248_what_comes_before_the_end_is_sent_is_not_counted, all_wires) {
  world.use_manual_clock();
  const std::string data = random_bytes(8'000'000);
  auto [client, server] = world.pair({.linger_bytes = 1000}, {.allow_half_open = true});
  client.write(data);
  client.destroy_soon();
  server.write(random_bytes(3000));
  world.run_until([&] { return client.bytes_read() == 3000; });
  BOOST_TEST(!client.destroyed());
  std::string got;
  world.await([](Socket peer, std::string& all) -> asio::awaitable<void> {
    while (const Chunk chunk = co_await peer.async_read()) all += chunk;
    co_await peer.async_write(std::string(1000, 'x'));
    co_await peer.async_end();
  }(server, got));
  BOOST_TEST((got == data));
  world.run();
  BOOST_TEST(client.bytes_read() == 4000U);
}

BEHAVIOUR(B248_the_peer_s_end_ends_the_lingering, all_wires) {
  world.use_manual_clock();
  for (const Leave how : leaves) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(server, "server");
    client.write("bye");
    world.spawn(leave(std::exchange(client, Socket()), how));
    world.run();  // no clock moves
    const Log expected{"data(3)", "end", "finish", "close(false)"};
    BOOST_TEST(recorder.of("server") == expected, per_element);
  }
}

BEHAVIOUR(R4_the_answer_is_read_while_the_upload_goes_on, all_wires) {
  const std::string upload = random_bytes(10'000'000);
  const std::string answer = "413 " + random_bytes(3000, 7);
  const int rounds = world.wire() == Wire::tcp4 ? 100 : world.wire() == Wire::record ? 3 : 6;
  int whole = 0;
  for (int round = 0; round < rounds; ++round) {
    auto [client, server] = world.pair({.allow_half_open = round % 2 == 0}, {.allow_half_open = true});
    Recorder recorder;
    recorder.watch(client, "client");
    client.end(upload);
    const Leave how = *(leaves.begin() + round % 3);
    world.spawn(answer_and_leave(std::exchange(server, Socket()), answer, how));
    client = Socket();
    world.run();
    if (recorder.received("client") == answer) ++whole;
    const Log log = recorder.of("client");
    BOOST_TEST(log.back().starts_with("close"));
  }
  BOOST_TEST(whole == rounds);
}

BEHAVIOUR(R4_the_answer_is_read_while_the_upload_goes_on_awaited, all_wires) {
  const std::string piece = random_bytes(100'000);
  const std::string answer = "413 " + random_bytes(3000, 7);
  const int rounds = world.wire() == Wire::tcp4 ? 100 : world.wire() == Wire::record ? 3 : 6;
  int whole = 0;
  for (int round = 0; round < rounds; ++round) {
    auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
    const Leave how = *(leaves.begin() + round % 3);
    world.spawn(answer_and_leave(std::exchange(server, Socket()), answer, how));
    bool writing = true;
    world.spawn([](Socket socket, const std::string& data, bool& busy) -> asio::awaitable<void> {
      for (int i = 0; i < 100; ++i) {
        const auto [code, n] = co_await socket.async_write(data, libnet::as_tuple);
        if (code) break;
      }
      busy = false;
    }(client, piece, writing));
    std::string got;
    world.await([](Socket socket, std::string& all) -> asio::awaitable<void> {
      for (;;) {
        const auto [code, chunk] = co_await socket.async_read(libnet::as_tuple);
        if (code || chunk.empty()) break;
        all += chunk;
      }
    }(client, got));
    client.destroy();
    world.run();
    if (got == answer) ++whole;
    BOOST_TEST(!writing);
  }
  BOOST_TEST(whole == rounds);
}

BEHAVIOUR(B229_an_answer_long_after_the_peer_s_end_arrives_awaited, all_wires) {
  for (const bool serve : {true, false}) {
    Server server(world.io());
    world.listen(server);
    bool go = false;
    const auto reply = [&go](Socket socket) -> asio::awaitable<void> {
      std::string question;
      while (const Chunk chunk = co_await socket.async_read()) question += chunk;
      while (!go) co_await asio::post(asio::use_awaitable);
      co_await socket.async_write(question + "?");
    };
    if (serve) {
      server.serve(reply);
    } else {
      world.spawn([](Server from, decltype(reply) answer) -> asio::awaitable<void> {
        co_await answer(co_await from.async_accept());
      }(server, reply));
    }
    Recorder recorder;
    Socket client(world.io());
    recorder.watch(client, "client");
    world.connect(client, server);
    client.end("why");
    world.run_until([&] { return recorder.count("client:finish") == 1; });
    for (int i = 0; i < 100; ++i) world.io().poll_one();
    BOOST_TEST(recorder.received("client").empty());
    BOOST_TEST(recorder.count("client:end") == 0U);
    go = true;
    world.run_until([&] { return recorder.count("client:close(false)") == 1; });
    server.close();
    world.run();
    BOOST_TEST(recorder.received("client") == "why?");
  }
}

BEHAVIOUR(B230_a_half_open_end_waits_for_a_read_or_a_listener, all_wires) {
  for (const bool by_read : {true, false}) {
    auto [client, server] = world.pair({}, {.allow_half_open = true});
    Recorder recorder;
    recorder.watch(client, "client");
    client.end("bytes");
    world.run_until([&] { return recorder.count("client:finish") == 1; });
    world.await([](Socket socket) -> asio::awaitable<void> {
      const Chunk bytes = co_await socket.async_read();
      BOOST_TEST(bytes.to_string() == "bytes");
    }(server));
    world.settle();
    BOOST_TEST(server.readable());
    BOOST_TEST(server.writable());
    server.write("between");
    world.run_until([&] { return recorder.received("client") == "between"; });
    BOOST_TEST(server.readable());
    BOOST_TEST(recorder.count("client:end") == 0U);
    bool ended = false;
    if (by_read) {
      world.await([](Socket socket, bool& end) -> asio::awaitable<void> {
        const Chunk nothing = co_await socket.async_read();
        end = nothing.empty();
      }(server, ended));
    } else {
      server.on(event::end, [&] { ended = true; });
      world.run_until([&] { return ended; });
    }
    BOOST_TEST(ended);
    world.settle();
    BOOST_TEST(server.writable());
    server.end();
    world.run();
    BOOST_TEST(recorder.of("client").back() == "close(false)");
  }
}
