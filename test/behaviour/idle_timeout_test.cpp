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
using libnet::SystemError;

// 'timeout' of an idle socket, and time limits of single operations beside it.

namespace {

constexpr unsigned one_wire = static_cast<unsigned>(Wire::memory);  // for what needs no peer

}  // namespace

BEHAVIOUR(B174_timeout_fires_once_after_silence_and_nothing_else_happens, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.set_timeout(100ms, [&] { recorder.note("client:callback"); });
  BOOST_TEST(client.timeout().count() == 100);
  world.advance(99ms);
  BOOST_TEST(recorder.log().empty());
  world.advance(2ms);
  const Log expected{"timeout", "callback"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  world.advance(10s);
  BOOST_TEST(recorder.of("client") == expected, per_element);
  BOOST_TEST((client.ready_state() == libnet::ReadyState::open));
  BOOST_TEST(client.write("still open"));
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B174_timeout_can_be_awaited, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  bool fired = false;
  client.set_timeout(100ms);
  world.spawn([](Socket socket, bool& done) -> asio::awaitable<void> {
    co_await socket.async_wait(event::timeout);
    done = true;
    co_await socket.async_close();
  }(client, fired));
  world.settle();
  world.advance(101ms);
  BOOST_TEST(fired);
  world.run();
}

BEHAVIOUR(B174_the_option_of_socket_and_server_starts_it, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair({.timeout = 100ms}, {.timeout = 200ms});
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  world.advance(101ms);
  const Log first{"client:timeout"};
  BOOST_TEST(recorder.log() == first, per_element);
  world.advance(101ms);
  const Log both{"client:timeout", "server:timeout"};
  BOOST_TEST(recorder.log() == both, per_element);
  client.end();
  world.run();
}

BEHAVIOUR(B175_zero_cancels_and_the_callback_never_fires, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.set_timeout(100ms, [&] { recorder.note("client:callback"); });
  client.set_timeout(0ms);
  BOOST_TEST(client.timeout().count() == 0);
  world.advance(1s);
  BOOST_TEST(recorder.log().empty());
  client.set_timeout(100ms);
  world.advance(101ms);
  const Log expected{"timeout"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  client.end();
  world.run();
}

BEHAVIOUR(B175_a_new_duration_keeps_the_callback, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.set_timeout(100ms, [&] { recorder.note("client:first"); });
  client.set_timeout(300ms, [&] { recorder.note("client:second"); });
  BOOST_TEST(client.timeout().count() == 300);
  world.advance(299ms);
  BOOST_TEST(recorder.log().empty());
  world.advance(2ms);
  const Log expected{"timeout", "first", "second"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  // A shorter one counts from now on, not from the old deadline on.
  client.set_timeout(1h, [&] { recorder.note("client:third"); });
  client.set_timeout(50ms);
  world.advance(51ms);
  BOOST_TEST(recorder.of("client").back() == "third");
  client.end();
  world.run();
}

BEHAVIOUR(B176_every_read_and_every_write_restarts_the_timer, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  client.set_timeout(100ms);
  server.set_timeout(100ms);
  std::size_t sent = 0;
  for (const bool by_client : {true, false, false, true}) {
    world.advance(60ms);
    (by_client ? client : server).write("x");
    ++sent;
    world.run_until([&] { return recorder.received("client").size() + recorder.received("server").size() == sent; });
  }
  BOOST_TEST(recorder.count("client:timeout") == 0U);
  BOOST_TEST(recorder.count("server:timeout") == 0U);
  world.advance(101ms);
  BOOST_TEST(recorder.count("client:timeout") == 1U);
  BOOST_TEST(recorder.count("server:timeout") == 1U);
  client.end();
  world.run();
}

BEHAVIOUR(B176_awaited_reads_and_writes_restart_it_too, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  recorder.watch(server, "server", Recorder::Data::ignore);
  client.set_timeout(100ms);
  server.set_timeout(100ms);
  for (int i = 0; i < 3; ++i) {
    world.advance(60ms);
    world.await([](Socket from, Socket to) -> asio::awaitable<void> {
      co_await from.async_write("x");
      co_await to.async_read();
    }(client, server));
  }
  BOOST_TEST(recorder.log().empty());
  world.advance(101ms);
  BOOST_TEST(recorder.log().size() == 2U);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B176_a_write_alone_is_enough, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  server.pause();
  Recorder recorder;
  recorder.watch(client, "client");
  client.set_timeout(100ms);
  for (int i = 0; i < 3; ++i) {
    world.advance(60ms);
    client.write("x");
    world.settle();
  }
  BOOST_TEST(recorder.log().empty());
  world.advance(101ms);
  const Log expected{"timeout"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B176_a_write_that_can_only_be_queued_is_enough, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  server.pause();
  Recorder recorder;
  recorder.watch(client, "client");
  client.set_timeout(100ms);
  client.write(random_bytes(8'000'000));
  for (int i = 0; i < 3; ++i) {
    world.settle();
    world.advance(60ms);
    client.write("x");
  }
  BOOST_TEST(recorder.log().empty());
  world.advance(101ms);
  const Log expected{"timeout"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B177_timeout_does_not_come_early_by_the_real_clock, all_wires) {
  auto [client, server] = world.pair();
  const auto begin = std::chrono::steady_clock::now();
  std::chrono::nanoseconds elapsed{0};
  client.set_timeout(20ms, [&] { elapsed = std::chrono::steady_clock::now() - begin; });
  world.run_until([&] { return elapsed.count() != 0; });
  BOOST_TEST((elapsed >= 20ms));
  client.end();
  world.run();
}

BEHAVIOUR(B178_it_runs_on_an_unconnected_socket, one_wire) {
  world.use_manual_clock();
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "socket");
  socket.set_timeout(100ms);
  world.advance(101ms);
  const Log expected{"timeout"};
  BOOST_TEST(recorder.of("socket") == expected, per_element);
}

BEHAVIOUR(B179_a_pending_timer_does_not_keep_the_loop_running, one_wire) {
  Socket socket(world.io());
  bool fired = false;
  socket.set_timeout(1h, [&] { fired = true; });
  world.run();  // comes to an end
  auto [client, server] = world.pair();
  client.set_timeout(1h).pause();
  server.set_timeout(1h).pause();
  world.run();
  BOOST_TEST(!fired);
}

BEHAVIOUR(B180_after_destroy_set_timeout_does_nothing, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.set_timeout(100ms);
  client.destroy();
  client.set_timeout(100ms, [&] { recorder.note("client:callback"); });
  BOOST_TEST(client.timeout().count() == 0);
  world.advance(1s);
  client.set_timeout(100ms, [&] { recorder.note("client:callback"); });
  world.advance(1s);
  world.run();
  const Log expected{"close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B181_negative_durations_throw, one_wire) {
  world.use_manual_clock();
  Socket socket(world.io());
  socket.set_timeout(100ms);
  try {
    socket.set_timeout(-1ms);
    BOOST_ERROR("no exception");
  } catch (const SystemError& error) {
    BOOST_TEST((error.code() == Errc::out_of_range));
  }
  BOOST_TEST(socket.timeout().count() == 100);
}

BEHAVIOUR(B182_writing_in_timeout_rearms_and_the_callback_fires_once, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  client.set_timeout(100ms, [&, socket = client]() mutable { socket.write("first"); });
  client.on(event::timeout, [&, socket = client]() mutable { socket.write("again"); });
  world.advance(101ms);
  world.run_until([&] { return recorder.received("server") == "firstagain"; });
  world.advance(101ms);
  world.run_until([&] { return recorder.received("server") == "firstagainagain"; });
  BOOST_TEST(recorder.count("client:timeout") == 2U);
  client.destroy();
  world.run();
}

BEHAVIOUR(B183_a_write_that_makes_progress_suppresses_timeout, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.set_timeout(100ms);
  client.write(random_bytes(30'000'000));
  world.settle();
  std::size_t progress = 0;
  while (client.buffered() != 0 && progress < 10) {
    world.advance(60ms);
    read_until_progress(world, server, client);
    ++progress;
  }
  BOOST_TEST(progress >= 2U);
  BOOST_TEST(recorder.count("client:timeout") == 0U);
  if (client.buffered() != 0) {
    world.advance(101ms);
    BOOST_TEST(recorder.count("client:timeout") == 1U);
  }
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B304_a_new_time_in_the_turn_in_which_the_old_one_ran_out, all_wires) {
  // Both run out in one turn; the first to be told sets the other's anew.
  world.use_manual_clock();
  auto [client, server] = world.pair();
  client.set_timeout(30ms);
  server.set_timeout(30ms);
  int told = 0;
  const auto set_anew = [&](Socket other) {
    return [&, other]() mutable {
      if (++told == 1) other.set_timeout(10s);
    };
  };
  client.on(event::timeout, set_anew(server));
  server.on(event::timeout, set_anew(client));
  world.advance(31ms);
  BOOST_TEST(told == 1);
  world.advance(9s);
  BOOST_TEST(told == 1);
  world.advance(2s);
  BOOST_TEST(told == 2);
  world.advance(1h);
  BOOST_TEST(told == 2);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B304_B177_a_write_in_the_turn_in_which_the_time_ran_out, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  client.set_timeout(30ms);
  server.set_timeout(30ms);
  int told = 0;
  const auto write_to = [&](Socket other) {
    return [&, other]() mutable {
      if (++told == 1) other.write("x");
    };
  };
  client.on(event::timeout, write_to(server));
  server.on(event::timeout, write_to(client));
  world.advance(31ms);
  BOOST_TEST(told == 1);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B304_the_longest_time_in_the_turn_in_which_the_old_one_ran_out, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  client.set_timeout(30ms);
  server.set_timeout(30ms);
  int told = 0;
  for (Socket socket : {client, server}) {
    socket.on(event::timeout, [&, other = socket == client ? server : client]() mutable {
      ++told;
      other.set_timeout(std::chrono::milliseconds::max());
    });
  }
  world.advance(31ms);
  world.advance(24h);
  BOOST_TEST(told == 1);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B304_a_coroutine_that_sets_it_anew_awaited, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  int told = 0;
  client.set_timeout(30ms);
  client.on(event::timeout, [&] { ++told; });
  server.set_timeout(30ms);
  world.spawn([](Socket waits, Socket other) -> asio::awaitable<void> {
    co_await waits.async_wait(event::timeout);
    other.set_timeout(10s);
  }(server, client));
  world.settle();
  world.advance(31ms);
  const int told_before = told;  // the client may have been the first
  world.advance(9s);
  BOOST_TEST(told == told_before);
  world.advance(2s);
  BOOST_TEST(told == told_before + 1);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B272_the_longest_time_is_no_limit, all_wires) {
  world.use_manual_clock();
  constexpr auto longest = std::chrono::milliseconds::max();
  constexpr auto longest_hours = std::chrono::hours::max();
  auto [client, server] = world.pair({.timeout = longest}, {.timeout = longest_hours});
  int told = 0;
  for (Socket socket : {client, server}) socket.on(event::timeout, [&] { ++told; });
  const auto pass = [&] {
    world.advance(24h * 365);
    client.write("x");
    world.settle();
    world.advance(24h * 365);
    BOOST_TEST(told == 0);
  };
  BOOST_TEST((client.timeout() == longest));
  BOOST_TEST((server.timeout() == longest));
  pass();
  client.set_timeout(longest);
  server.set_timeout(std::chrono::seconds::max());
  pass();
  client.set_timeout(longest_hours);
  server.set_timeout(longest - 1ms);
  pass();
  client.set_timeout(10ms);  // and it can be taken back
  world.advance(11ms);
  BOOST_TEST(told == 1);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B272_a_socket_may_linger_for_ever, all_wires) {
  world.use_manual_clock();
  for (const libnet::Milliseconds time :
       {libnet::Milliseconds(std::chrono::milliseconds::max()), libnet::Milliseconds(std::chrono::hours::max())}) {
    auto [client, server] = world.pair({.linger_time = time});
    server.pause();
    client.write(random_bytes(8'000'000));
    client.destroy_soon();
    world.settle();
    world.advance(24h * 365);
    BOOST_TEST(!client.destroyed());
    server.on(event::data, [](const Chunk&) {});
    server.resume();
    world.run();
    BOOST_TEST(server.bytes_read() == 8'000'000U);
    BOOST_TEST(client.destroyed());
  }
}

BEHAVIOUR(B272_connecting_may_take_for_ever, all_wires) {
  for (const libnet::Milliseconds time :
       {libnet::Milliseconds(std::chrono::milliseconds::max()), libnet::Milliseconds(std::chrono::hours::max())}) {
    Server server(world.io());
    server.on(event::connection, [server](Socket socket) mutable {
      socket.end();
      server.close();
    });
    world.listen(server);
    auto options = world.connect_options(server);
    options.timeout = time;
    options.auto_select_family_attempt_timeout = time;
    Socket client(world.io());
    Recorder recorder;
    recorder.watch(client, "client");
    client.connect(options);
    world.run();
    BOOST_TEST(recorder.count("client:connect") == 1U);
    BOOST_TEST(recorder.count("client:close(false)") == 1U);
  }
  const auto before = libnet::default_auto_select_family_attempt_timeout();
  libnet::set_default_auto_select_family_attempt_timeout(std::chrono::hours::max());
  BOOST_TEST((libnet::default_auto_select_family_attempt_timeout() == std::chrono::milliseconds::max()));
  libnet::set_default_auto_select_family_attempt_timeout(before);
}

BEHAVIOUR(B272_awaited_with_the_longest_limits_awaited, all_wires) {
  auto [client, server] = world.pair({.linger_time = std::chrono::hours::max()});
  world.await([](Socket from, Socket to) -> asio::awaitable<void> {
    from.set_timeout(std::chrono::hours::max());
    co_await from.async_write("x");
    co_await to.async_read();
    to.end();
    co_await from.async_close();
  }(client, server));
  world.run();
}

BEHAVIOUR(R14_idle_read_and_write_limits_work_together, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  client.set_timeout(100ms);
  const auto note = [&](const std::string& what) {
    return [&recorder, what](const error_code& code, auto&&) { recorder.note(what + libnet::error_name(code)); };
  };
  // A write that stalls (none of it: the bytes before it are not taken), a read that gets nothing, and no traffic at all.
  client.write(random_bytes(8'000'000));
  client.async_write("not started", libnet::cancel_after(200ms, note("client:write ")));
  client.async_read(libnet::cancel_after(50ms, note("client:read ")));
  world.settle();
  world.advance(51ms);
  const Log read{"read ERR_TIMED_OUT"};
  BOOST_TEST(recorder.of("client") == read, per_element);
  world.advance(50ms);
  const Log idle{"read ERR_TIMED_OUT", "timeout"};
  BOOST_TEST(recorder.of("client") == idle, per_element);
  world.advance(100ms);
  const Log all{"read ERR_TIMED_OUT", "timeout", "write ERR_TIMED_OUT"};
  BOOST_TEST(recorder.of("client") == all, per_element);
  // The connection is as good as before.
  client.async_read(libnet::cancel_after(50ms, note("client:read ")));
  server.write("x");
  world.run_until([&] { return recorder.of("client").back() == "read "; });
  client.end();
  server.resume();
  world.run();
  BOOST_TEST(server.bytes_read() == 8'000'000U);
  BOOST_TEST(recorder.of("client").back() == "close(false)");
}

BEHAVIOUR(R9_timed_out_cancelled_and_closed_are_three_codes_awaited, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  server.pause();
  client.write(random_bytes(8'000'000));  // so that drain, write and end have to wait
  world.settle();
  Log codes;
  const auto start = [&codes](Socket socket, auto token) {
    const auto note = [&codes](const std::string& what) {
      return
          [&codes, what](const error_code& code, auto&&...) { codes.push_back(what + " " + libnet::error_name(code)); };
    };
    socket.async_read(token(note("read")));
    socket.async_write("x", token(note("write")));
    socket.async_drain(token(note("drain")));
    socket.async_wait(event::connect, token(note("connect")));  // has happened: no limit matters
    socket.async_wait(event::timeout, token(note("wait")));
  };
  start(client, [](auto handler) { return libnet::cancel_after(10ms, handler); });
  world.settle();
  world.advance(11ms);
  std::sort(codes.begin(), codes.end());
  const Log timed_out{"connect ", "drain ERR_TIMED_OUT", "read ERR_TIMED_OUT", "wait ERR_TIMED_OUT",
                      "write ERR_TIMED_OUT"};
  BOOST_TEST(codes == timed_out, per_element);

  codes.clear();
  std::vector<std::unique_ptr<asio::cancellation_signal>> signals;
  start(client, [&](auto handler) {
    signals.push_back(std::make_unique<asio::cancellation_signal>());
    return asio::bind_cancellation_slot(signals.back()->slot(), handler);
  });
  world.settle();
  for (const auto& signal : signals) signal->emit(asio::cancellation_type::total);
  world.settle();
  std::sort(codes.begin(), codes.end());
  const Log cancelled{"connect ", "drain ECANCELED", "read ECANCELED", "wait ECANCELED", "write ECANCELED"};
  BOOST_TEST(codes == cancelled, per_element);

  // The peer's end and ours: closed by itself.
  client.end();
  server.resume().end();
  bool closed = false;
  client.on(event::close, [&](bool) { closed = true; });
  client.resume();
  world.run();
  BOOST_TEST(closed);
  codes.clear();
  start(client, [](auto handler) { return libnet::cancel_after(10ms, handler); });
  world.settle();
  std::sort(codes.begin(), codes.end());
  const Log afterwards{"connect ", "drain ERR_CLOSED", "read ", "wait ERR_CLOSED", "write ERR_CLOSED"};
  BOOST_TEST(codes == afterwards, per_element);
}

BEHAVIOUR(R9_ends_and_closes_take_limits_that_only_stop_the_waiting_awaited, all_wires) {
  world.use_manual_clock();
  const std::string data = random_bytes(8'000'000);
  auto [client, server] = world.pair({.linger_time = 1h});
  Recorder recorder;
  server.pause();
  recorder.watch(server, "server");
  client.write(data);
  Log codes;
  const auto note = [&](const error_code& code) { codes.push_back(libnet::error_name(code)); };
  client.async_end(libnet::cancel_after(10ms, note));
  client.async_close(libnet::cancel_after(20ms, note));
  world.settle();
  world.advance(21ms);
  const Log expected{"ERR_TIMED_OUT", "ERR_TIMED_OUT"};
  BOOST_TEST(codes == expected, per_element);
  server.resume();
  world.run();
  BOOST_TEST((recorder.received("server") == data));
  BOOST_TEST(recorder.of("server").back() == "close(false)");
  BOOST_TEST(client.destroyed());
}

BEHAVIOUR(R9_accept_and_connect_take_limits, all_wires) {
  world.use_manual_clock();
  Server server(world.io());
  world.listen(server);
  Log codes;
  server.async_accept(libnet::cancel_after(
      10ms, [&](const error_code& code, const Socket&) { codes.push_back(libnet::error_name(code)); }));
  world.settle();
  world.advance(11ms);
  const Log timed_out{"ERR_TIMED_OUT"};
  BOOST_TEST(codes == timed_out, per_element);
  server.close();
  world.run();
}
