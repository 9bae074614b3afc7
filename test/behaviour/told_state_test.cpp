#include "support/behaviour.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>

#include <array>
#include <stop_token>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::ReadyState;
using libnet::Server;
using libnet::Socket;

// What a socket says of itself is true wherever it can be asked: in the coroutine or listener that has just learned of it.

namespace {

const libnet::SocketOptions half_open{.allow_half_open = true};
const libnet::SocketOptions ends_itself{.allow_half_open = false};

void expect_ended(const Socket& socket) {
  BOOST_TEST(!socket.readable());
  BOOST_TEST((socket.ready_state() == ReadyState::write_only));
  BOOST_TEST(socket.connected());
}

/// The peer breaks a connection whose end it has sent before: resets it, or leaves something unread where it cannot.
void break_behind_end(World& world, Socket& peer) { world.is_unix() ? peer.destroy() : peer.reset(); }

constexpr unsigned stream_wires = all_wires & ~static_cast<unsigned>(Wire::record);

}  // namespace

BEHAVIOUR(B288_the_state_is_right_in_the_listener_that_learns_of_the_end, all_wires) {
  auto [client, server] = world.pair(half_open, half_open);
  int ended = 0;
  client.on(event::end, [&, client = client] {
    ++ended;
    expect_ended(client);
  });
  client.on(event::data, [](Chunk) {});
  server.end();
  world.run_until([&] { return ended == 1; });
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B288_the_state_is_right_in_the_coroutine_that_learns_of_the_end_awaited, all_wires) {
  for (const bool paused : {false, true}) {
    auto [client, server] = world.pair(half_open, half_open);
    if (paused) client.pause();  // holds 'end' back, not the read
    server.end("bye");
    world.await([](Socket socket) -> asio::awaitable<void> {
      while (co_await socket.async_read()) {
        BOOST_TEST(socket.readable());
        BOOST_TEST((socket.ready_state() == ReadyState::open));
      }
      expect_ended(socket);
    }(client));
    auto [other, peer] = world.pair(half_open, half_open);
    if (paused) other.pause();
    peer.end();
    world.await([](Socket socket) -> asio::awaitable<void> {
      std::array<char, 10> memory;
      auto [code, size] = co_await socket.async_read_some(asio::buffer(memory), libnet::as_tuple);
      BOOST_TEST(code == asio::error::eof);
      expect_ended(socket);
    }(other));
    for (Socket socket : {client, server, other, peer}) socket.destroy();
    world.run();
  }
}

BEHAVIOUR(B288_a_pipe_that_has_passed_all_on, all_wires) {
  auto [client, server] = world.pair(half_open, half_open);
  auto [next, last] = world.pair(half_open, half_open);
  bool piped = false;
  server.pipe(next, {.end = false}, [&, server = server](const error_code& code) {
    piped = !code;
    expect_ended(server);
  });
  server.pause();
  client.end("all");
  world.run_until([&] { return piped; });
  for (Socket socket : {client, server, next, last}) socket.destroy();
  world.run();
}

BEHAVIOUR(B290_a_reset_behind_the_end_is_told_although_nobody_writes, stream_wires) {
  for (const bool heard : {true, false}) {
    auto [client, server] = world.pair(half_open, half_open);
    Recorder recorder;
    if (heard) {
      recorder.watch(client, "client");
    } else {  // nobody asks for the end
      client.on(event::error, [&](const Error& error) { recorder.note("client:error(" + error.name() + ")"); });
      client.on(event::close, [&](bool) { recorder.note("client:close(true)"); });
    }
    server.pause();
    client.write("never read");
    world.settle();
    server.end();
    world.settle();
    BOOST_TEST(recorder.log().size() == (heard ? 1U : 0U));
    BOOST_TEST(client.connected());
    break_behind_end(world, server);
    world.run_until([&] { return recorder.count("client:close(true)") == 1; });
    Log log = recorder.of("client");
    if (heard) {
      BOOST_TEST(log.front() == "end");
      log.erase(log.begin());
    }
    const Log expected{world.is_unix() ? "error(ECONNRESET)" : "error(EPIPE)", "close(true)"};
    BOOST_TEST(log == expected, per_element);
    world.run();
  }
}

BEHAVIOUR(B290_B211_a_reset_behind_the_end_awaited, stream_wires) {
  auto [client, server] = world.pair(half_open, half_open);
  server.pause();
  client.write("never read");
  world.settle();
  server.end();
  bool ended = false;
  world.spawn([](Socket socket, bool& end) -> asio::awaitable<void> {
    const Chunk nothing = co_await socket.async_read();
    BOOST_TEST(nothing.empty());
    end = true;
    const bool had_error = co_await socket.async_wait(event::close);
    BOOST_TEST(had_error);
    const Chunk still_nothing = co_await socket.async_read();  // an end that was told stays told
    BOOST_TEST(still_nothing.empty());
    auto [code, size] = co_await socket.async_write("x", libnet::as_tuple);
    BOOST_TEST(code == socket.error().code());
    BOOST_TEST((code == asio::error::broken_pipe || code == asio::error::connection_reset));
  }(client, ended));
  world.run_until([&] { return ended; });
  break_behind_end(world, server);
  world.run();
  BOOST_TEST(client.destroyed());
}

BEHAVIOUR(B290_a_peer_that_goes_softly_after_its_end_breaks_nothing, stream_wires) {
  auto [client, server] = world.pair(half_open, half_open);
  Recorder recorder;
  recorder.watch(client, "client");
  server.end();
  world.run_until([&] { return recorder.count("client:end") == 1; });
  server.destroy();
  world.settle();
  world.settle();
  const Log expected{"end"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  BOOST_TEST(client.writable());
  client.destroy();
  world.run();
}

BEHAVIOUR(B291_connected_from_connect_until_the_connection_is_over, all_wires) {
  Server server(world.io());
  Socket accepted;
  server.on(event::connection, [&](Socket socket) {
    BOOST_TEST(socket.connected());
    accepted = socket;
    socket.on(event::data, [](Chunk) {});
  });
  world.listen(server);
  Socket client(world.io());
  BOOST_TEST(!client.connected());
  world.connect(client, server);
  BOOST_TEST(!client.connected());
  int told = 0;
  const auto expect_connected = [&, client = client](bool connected) {
    return [&told, client, connected](auto&&...) {
      ++told;
      BOOST_TEST(client.connected() == connected);
      BOOST_TEST(client.pending() != connected);
    };
  };
  client.on(event::connect, expect_connected(true));
  client.on(event::end, expect_connected(true));
  client.on(event::finish, expect_connected(true));
  client.on(event::close, expect_connected(false));
  world.run_until([&] { return told == 1 && accepted.connected(); });
  accepted.end();
  server.close();
  world.run();
  BOOST_TEST(told == 4);
  BOOST_TEST(!client.connected());
  BOOST_TEST(!Socket().connected());
}

BEHAVIOUR(B291_an_awaited_connection_awaited, all_wires) {
  Server server(world.io());
  server.serve([](Socket socket) -> asio::awaitable<void> {
    BOOST_TEST(socket.connected());
    co_await socket.async_read();
  });
  world.listen(server);
  world.await([](World& here, Socket socket, libnet::ConnectOptions where) -> asio::awaitable<void> {
    co_await socket.async_connect(where);
    BOOST_TEST(socket.connected());
    co_await socket.async_end();
    BOOST_TEST(socket.connected());
    co_await socket.async_close();
    BOOST_TEST(!socket.connected());
    static_cast<void>(here);
  }(world, Socket(world.io()), world.connect_options(server)));
  server.close();
  world.run();
}

// The system connects in the call that announces the attempt: the stop comes before anybody is told.
BEHAVIOUR(B292_who_stops_before_connect_is_told_has_stopped, ip_wires) {
  for (const bool awaited : {false, true}) {
    Server server(world.io());
    server.on(event::connection, [](Socket socket) { socket.on(event::data, [](Chunk) {}); });
    world.listen(server);
    std::stop_source source;
    const std::stop_token token = source.get_token();
    Socket client(world.io());
    Recorder recorder;
    recorder.watch(client, "client");
    client.on(event::connection_attempt, [&](const libnet::SocketAddress&) { source.request_stop(); });
    auto options = world.connect_options(server);
    options.stop = &token;
    error_code result;
    if (awaited) {
      client.async_connect(options, [&](const error_code& code) { result = code; });
    } else {
      client.connect(options, [] { BOOST_ERROR("connected"); });
    }
    world.run_until([&] { return client.destroyed(); });
    world.settle();
    const Log expected{"error(ECANCELED)", "close(true)"};
    BOOST_TEST(recorder.of("client") == expected, per_element);
    BOOST_TEST(client.error().operation() == "connect");
    if (awaited) BOOST_TEST(result == asio::error::operation_aborted);
    server.close();
    world.run();
  }
}

BEHAVIOUR(B292_who_stops_before_listening_is_told_has_stopped, all_wires) {
  for (const bool awaited : {false, true}) {
    std::stop_source source;
    const std::stop_token token = source.get_token();
    Server server(world.io());
    Recorder recorder;
    recorder.watch(server, "server");
    auto options = world.listen_options();
    options.stop = &token;
    error_code result;
    if (awaited) {
      server.async_listen(options, [&](const error_code& code) { result = code; });
    } else {
      server.listen(options, [] { BOOST_ERROR("listening"); });
    }
    source.request_stop();
    world.run();
    const Log expected{"server:close"};
    BOOST_TEST(recorder.log() == expected, per_element);
    if (awaited) BOOST_TEST(result == asio::error::operation_aborted);
  }
}

BEHAVIOUR(B292_an_awaited_call_that_is_stopped_awaited, all_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    std::stop_source source;
    const std::stop_token token = source.get_token();
    auto where = here.listen_options();
    where.stop = &token;
    Server server(here.io());
    const auto stop = [&](const error_code&) { source.request_stop(); };
    Socket(here.io()).async_drain(
        stop);  // completes in the turn in which the server would say that it listens, before it
    auto [code] = co_await server.async_listen(where, libnet::as_tuple);
    BOOST_TEST(code == asio::error::operation_aborted);
    BOOST_TEST(!server.listening());
  }(world));
  world.run();
}

BEHAVIOUR(B292_a_wait_whose_result_is_there_can_still_be_cancelled, all_wires) {
  auto [client, server] = world.pair(half_open, half_open);
  asio::cancellation_signal signal;
  std::vector<error_code> results;
  const auto note = [&](const error_code& code) {
    results.push_back(code);
    signal.emit(asio::cancellation_type::terminal);
  };
  client.async_wait(event::end, note);
  client.async_wait(event::end, asio::bind_cancellation_slot(signal.slot(), note));
  server.end();
  world.run_until([&] { return results.size() == 2; });
  BOOST_TEST(!results[0]);
  BOOST_TEST(results[1] == asio::error::operation_aborted);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B293_what_is_posted_from_end_can_still_write, all_wires) {
  auto [client, server] = world.pair(ends_itself, half_open);
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  Recorder recorder;
  recorder.watch(client, "client");
  error_code first(EINPROGRESS, boost::system::system_category());
  error_code second;
  client.on(event::end, [&, client = client]() mutable {
    asio::post(world.io(), [&, client]() mutable {
      BOOST_TEST(client.writable());
      client.write("late", [&](const error_code& code) { first = code; });
      asio::post(world.io(),
                 [&, client]() mutable { client.write("too late", [&](const error_code& code) { second = code; }); });
    });
  });
  server.end();
  world.run();
  BOOST_TEST(!first);
  BOOST_TEST(second == asio::error::broken_pipe);
  BOOST_TEST(received == "late");
  BOOST_TEST(recorder.of("client").front() == "end");
  BOOST_TEST(recorder.of("client").back() == "close(true)");
}

BEHAVIOUR(B293_who_awaited_the_end_can_still_write_awaited, all_wires) {
  for (const bool by_read : {true, false}) {
    auto [client, server] = world.pair(ends_itself, half_open);
    std::string received;
    server.on(event::data, [&](Chunk chunk) { received += chunk; });
    world.spawn([](Socket socket, bool reads) -> asio::awaitable<void> {
      if (reads) {
        co_await socket.async_read();
      } else {
        co_await socket.async_wait(event::end);
      }
      co_await asio::post(asio::use_awaitable);
      co_await socket.async_write("late");
    }(client, by_read));
    world.settle();
    server.end();
    world.run();
    BOOST_TEST(received == "late");
    BOOST_TEST(client.destroyed());
  }
}

BEHAVIOUR(B293_the_end_comes_without_any_of_that, all_wires) {
  auto [client, server] = world.pair(ends_itself, half_open);
  Recorder recorder;
  recorder.watch(client, "client");
  server.on(event::data, [](Chunk) {});
  server.end();
  world.run();
  const Log expected{"end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B308_what_a_closed_socket_is_told_does_not_reach_its_next_connection, all_wires) {
  for (const bool while_open : {true, false}) {
    Server server(world.io());
    server.on(event::connection, [](Socket socket) { socket.end("bytes"); });
    world.listen(server);
    Socket client(world.io());
    world.connect(client, server);
    if (while_open) client.resume();  // what comes is thrown away, by this connection
    world.run_until([&] { return client.connected(); });
    client.destroy();
    world.settle();
    client.resume();
    client.unshift("not this");
    client.cork();
    client.set_timeout(1ms, [] { BOOST_ERROR("the time of another connection"); });
    bool connected = false;
    client.connect(world.connect_options(server), [&] { connected = true; });
    world.run_until([&] { return connected; });
    world.settle();
    std::string received;
    client.on(event::data, [&](Chunk chunk) { received += chunk; });
    world.run_until([&] { return client.destroyed(); });
    BOOST_TEST(received == "bytes");
    server.close();
    world.run();
  }
}

BEHAVIOUR(B308_a_callback_goes_with_the_connection_it_was_given_for, all_wires) {
  Server server(world.io());
  server.on(event::connection, [](Socket socket) { socket.end(); });
  world.listen(server);
  Socket client(world.io());
  client.on(event::error, [](const Error&) {});
  int closed = 0;
  int connected = 0;
  client.on(event::close, [&, client](bool) mutable {
    if (++closed == 1) client.connect(world.connect_options(server), [&] { ++connected; });
  });
  client.connect(world.refusing_options(), [] { BOOST_ERROR("the connect that failed"); });
  client.set_timeout(1h, [] { BOOST_ERROR("the time of another connection"); });
  world.run_until([&] { return closed == 2; });
  BOOST_TEST(connected == 1);
  BOOST_TEST(client.listener_count(event::timeout) == 0U);
  server.close();
  world.run();
}

namespace {

/// What two reads get that are started in 'close' of a socket with a 'data' listener.
std::vector<error_code> read_in_close(World& world, const std::function<void(Socket&, Socket&)>& end, bool heard) {
  auto [client, server] = world.pair();
  client.on(event::data, [](Chunk) {});
  if (heard) client.on(event::error, [](const Error&) {});
  std::vector<error_code> codes;
  client.on(event::close, [&, client = client](bool) mutable {
    for (int i = 0; i < 2; ++i) client.async_read([&](const error_code& code, Chunk) { codes.push_back(code); });
  });
  end(client, server);
  world.run_until([&] { return codes.size() == 2; });
  client.destroy();
  server.destroy();
  world.run();
  return codes;
}

}  // namespace

BEHAVIOUR(B309_a_read_in_close_gets_what_the_state_says, all_wires) {
  const auto by_end = [](Socket&, Socket& server) { server.end(); };
  const auto by_destroy = [](Socket& client, Socket&) { client.destroy(); };
  BOOST_TEST((read_in_close(world, by_end, false) == std::vector<error_code>(2)));
  BOOST_TEST((read_in_close(world, by_destroy, false) == std::vector<error_code>(2, Errc::destroyed)));
  if (world.is_unix()) return;  // it cannot be reset
  const auto by_reset = [](Socket&, Socket& server) { server.reset(); };
  const auto reset = read_in_close(world, by_reset, false);
  BOOST_TEST(reset[0] == asio::error::connection_reset);
  BOOST_TEST((reset[1] == Errc::closed));
  BOOST_TEST((read_in_close(world, by_reset, true) == std::vector<error_code>(2, Errc::closed)));
}

BEHAVIOUR(B309_a_pipe_in_close_gets_what_the_state_says, all_wires) {
  auto [client, server] = world.pair();
  auto [next, last] = world.pair();
  client.on(event::data, [](Chunk) {});
  error_code result;
  client.on(event::close, [&, client = client, next = next](bool) mutable {
    client.pipe(next, [&](const error_code& code) { result = code; });
  });
  client.destroy();
  world.run_until([&] { return static_cast<bool>(result); });
  BOOST_TEST((result == Errc::destroyed));
  for (Socket socket : {server, next, last}) socket.destroy();
  world.run();
}

BEHAVIOUR(B309_B289_a_read_behind_close_gets_what_the_state_says_awaited, all_wires) {
  using Codes = std::vector<error_code>;
  const auto read_twice = [](Socket socket, Codes& codes) -> asio::awaitable<void> {
    const auto listener = socket.on(event::data, [](Chunk) {});
    co_await socket.async_wait(event::close);
    for (int i = 0; i < 2; ++i) {
      const auto [code, chunk] = co_await socket.async_read(libnet::as_tuple);
      codes.push_back(code);
    }
    socket.off(listener);
  };
  for (const bool destroyed : {false, true}) {
    auto [client, server] = world.pair();
    Codes codes;
    world.spawn(read_twice(client, codes));
    world.settle();
    destroyed ? client.destroy() : server.end();
    world.run_until([&] { return codes.size() == 2; });
    BOOST_TEST((codes == Codes(2, destroyed ? error_code(Errc::destroyed) : error_code())));
    server.destroy();
    world.run();
  }
}
