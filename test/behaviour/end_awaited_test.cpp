#include "support/behaviour.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <optional>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::ReadyState;
using libnet::Server;
using libnet::Socket;

// What flow_test.cpp, end_test.cpp and destroy_test.cpp say of events, for those who wait for them and who read.

namespace {

constexpr unsigned one_wire = static_cast<unsigned>(Wire::memory);                      // for what needs no peer
constexpr unsigned stream_wires = all_wires & ~static_cast<unsigned>(Wire::unix_path);  // those that can reset

const Error& cause() {
  static const Error error(Errc::handler_threw, {.operation = "think"});
  return error;
}

/// Waits for an event, and notes its name, or the code that came in its place.
template <class Tag>
asio::awaitable<void> note_event(Socket socket, Tag tag, std::string name, Log& log) {
  const auto result = co_await socket.async_wait(tag, libnet::as_tuple);
  log.push_back(std::get<0>(result) ? name + '?' : name);
}

asio::awaitable<void> note_close(Socket socket, Log& log) {
  const bool had_error = co_await socket.async_wait(event::close);
  log.emplace_back(had_error ? "close(true)" : "close(false)");
}

asio::awaitable<void> note_read(Socket socket, Log& log) {
  const auto [code, chunk] = co_await socket.async_read(libnet::as_tuple);
  log.push_back(code ? Error(code).name() : "read(" + chunk.to_string() + ")");
}

asio::awaitable<std::string> read_all(Socket socket) {
  std::string all;
  while (const Chunk chunk = co_await socket.async_read()) all += chunk;
  co_return all;
}

asio::awaitable<void> next_turn(Socket socket) { co_await asio::post(socket.get_executor(), asio::use_awaitable); }

}  // namespace

BEHAVIOUR(B112_B120_a_message_and_the_end_awaited, all_wires) {
  const std::string message(36, 'm');
  auto [client, server] = world.pair();
  client.end(message);
  world.run_until([&] { return client.buffered() == 0; });
  world.settle();
  world.await([](Socket socket, const std::string& expected) -> asio::awaitable<void> {
    BOOST_TEST(socket.bytes_read() == 0u);
    const Chunk chunk = co_await socket.async_read();
    BOOST_TEST(chunk.to_string() == expected);
    BOOST_TEST(socket.bytes_read() == expected.size());
    const Chunk end = co_await socket.async_read();
    BOOST_TEST(end.empty());
    co_await socket.async_close();
    BOOST_TEST(socket.bytes_read() == expected.size());
  }(server, message));
  world.run();
}

BEHAVIOUR(B112_bytes_read_of_a_mebibyte_awaited, all_wires) {
  auto [client, server] = world.pair();
  client.end(random_bytes(1'048'576));
  world.await([](Socket socket) -> asio::awaitable<void> {
    std::uint64_t before = 0;
    while (const Chunk chunk = co_await socket.async_read()) {
      BOOST_TEST(socket.bytes_read() == before + chunk.size());
      before = socket.bytes_read();
    }
    BOOST_TEST(before == 1'048'576u);
  }(server));
  world.run();
  BOOST_TEST(server.bytes_read() == 1'048'576u);
}

BEHAVIOUR(B116_B158_unread_bytes_hold_back_the_end_awaited, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  world.spawn(note_event(server, event::end, "end", log));
  world.spawn(note_close(server, log));
  client.end("hello");
  world.run_until([&] { return client.buffered() == 0; });
  world.settle();
  BOOST_TEST(log.empty());
  BOOST_TEST(server.bytes_read() == 0u);
  world.await([](Socket socket) -> asio::awaitable<void> {
    const std::string all = co_await read_all(socket);
    BOOST_TEST(all == "hello");
  }(server));
  world.run();
  const Log expected{"end", "close(false)"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B124_a_reset_is_told_although_nobody_reads_awaited, stream_wires) {
  auto [client, server] = world.pair();
  world.spawn([](Socket socket) -> asio::awaitable<void> {
    co_await next_turn(socket);
    socket.reset();
  }(server));
  world.await([](Socket socket) -> asio::awaitable<void> {
    const Error error = co_await socket.async_wait(event::error);
    BOOST_TEST(error.message() == "read ECONNRESET");
    const bool had_error = co_await socket.async_wait(event::close);
    BOOST_TEST(had_error);
  }(client));
}

BEHAVIOUR(B148_B149_B157_the_end_of_a_socket_that_is_not_half_open_awaited, all_wires) {
  auto [client, server] = world.pair();
  server.resume();  // what comes is not wanted
  Log log;
  world.spawn(note_event(server, event::finish, "finish", log));
  world.spawn(note_close(server, log));
  world.spawn([](Socket socket, Log& into) -> asio::awaitable<void> {
    co_await socket.async_wait(event::end);
    into.emplace_back("end");
    BOOST_TEST(!socket.destroyed());
    BOOST_TEST(socket.writable());
    BOOST_TEST(socket.write("late"));
  }(server, log));
  world.await([](Socket socket) -> asio::awaitable<void> {
    co_await socket.async_end("x");
    const std::string all = co_await read_all(socket);
    BOOST_TEST(all == "late");
    co_await socket.async_close();
  }(client));
  world.run();
  const Log expected{"end", "finish", "close(false)"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B150_B152_B153_B154_a_half_open_pair_awaited, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  world.await([](Socket near, Socket far) -> asio::awaitable<void> {
    BOOST_TEST((near.ready_state() == ReadyState::open));
    co_await near.async_end();
    BOOST_TEST(!near.writable());
    BOOST_TEST(near.readable());
    BOOST_TEST((near.ready_state() == ReadyState::read_only));
    const Chunk end = co_await far.async_read();
    BOOST_TEST(end.empty());
    co_await next_turn(far);
    BOOST_TEST(!far.readable());
    BOOST_TEST(far.writable());
    BOOST_TEST((far.ready_state() == ReadyState::write_only));
    for (const std::string piece : {"a", "b", "c"}) {
      co_await far.async_write(piece);
      const Chunk chunk = co_await near.async_read();
      BOOST_TEST(chunk.to_string() == piece);
    }
    BOOST_TEST(!far.destroyed());
    co_await far.async_end();
    BOOST_TEST((far.ready_state() == ReadyState::closed));
    const Chunk last = co_await near.async_read();
    BOOST_TEST(last.empty());
    co_await near.async_wait(event::close);
    BOOST_TEST((near.ready_state() == ReadyState::closed));
  }(client, server));
  world.run();
}

BEHAVIOUR(B156_end_of_a_socket_that_never_connected_awaited, one_wire) {
  Socket socket(world.io());
  Log log;
  world.spawn(note_event(socket, event::finish, "finish", log));
  world.settle();
  world.await([](Socket ending) -> asio::awaitable<void> {
    co_await ending.async_end();
    BOOST_TEST(!ending.writable());
  }(socket));
  world.settle();
  const Log expected{"finish"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B157_close_tells_whether_there_was_an_error_awaited, all_wires) {
  for (const bool failing : {false, true}) {
    auto [client, server] = world.pair();
    Log log;
    world.spawn(note_close(client, log));
    world.settle();
    if (failing) {
      client.destroy(cause());
    } else {
      client.end();
    }
    world.run();
    const Log expected{failing ? "close(true)" : "close(false)"};
    BOOST_TEST(log == expected, per_element);
  }
}

BEHAVIOUR(B162_destroy_of_a_fresh_socket_awaited, one_wire) {
  Socket socket(world.io());
  socket.destroy();
  world.await([](Socket closing) -> asio::awaitable<void> {
    const bool had_error = co_await closing.async_wait(event::close);
    BOOST_TEST(!had_error);
  }(socket));
}

BEHAVIOUR(B163_B166_B167_destroy_with_an_error_awaited, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  world.spawn(note_read(client, log));
  world.spawn(note_close(client, log));
  world.settle();
  client.destroy(cause());
  client.destroy();
  client.destroy(Error(Errc::closed));
  BOOST_TEST(log.empty());  // not inside the call
  world.run();
  const Log expected{"ERR_HANDLER_THREW", "close(true)"};
  BOOST_TEST(log == expected, per_element);
  BOOST_TEST(client.error().operation() == "think");
}

BEHAVIOUR(B170_reset_of_an_unconnected_socket_awaited, one_wire) {
  Socket socket(world.io());
  Log log;
  world.spawn(note_close(socket, log));
  world.settle();
  socket.reset();
  BOOST_TEST(log.empty());
  world.run();
  const Log expected{"close(true)"};
  BOOST_TEST(log == expected, per_element);
  BOOST_TEST((socket.error().code() == Errc::closed));
}

BEHAVIOUR(B171_reset_and_destroy_again_are_harmless_awaited, stream_wires) {
  auto [client, server] = world.pair();
  Log log;
  world.spawn(note_close(client, log));
  world.settle();
  client.reset().reset().destroy();
  world.run();
  client.reset().destroy();
  world.run();
  const Log expected{"close(false)"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B175_B177_B180_B182_a_timeout_that_is_waited_for_awaited, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair();
  server.resume();  // what comes is not wanted
  Log log;
  const auto wait = [&] {
    world.spawn(note_event(client, event::timeout, "timeout", log));
    world.settle();
  };
  wait();
  client.set_timeout(100ms);
  client.set_timeout(0ms);
  world.advance(10s);
  BOOST_TEST(log.empty());
  client.set_timeout(100ms);
  world.advance(99ms);
  BOOST_TEST(log.empty());
  world.advance(2ms);
  BOOST_TEST(log.size() == 1u);
  world.await([](Socket socket) -> asio::awaitable<void> { co_await socket.async_write("again"); }(client));
  wait();
  world.advance(101ms);
  BOOST_TEST(log.size() == 2u);
  wait();
  client.destroy();
  client.set_timeout(1ms);
  world.run();
  world.advance(10s);
  const Log expected{"timeout", "timeout", "timeout?"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B178_the_time_of_an_unconnected_socket_awaited, one_wire) {
  world.use_manual_clock();
  Socket socket(world.io());
  Log log;
  socket.set_timeout(100ms);
  world.spawn(note_event(socket, event::timeout, "timeout", log));
  world.settle();
  world.advance(101ms);
  BOOST_TEST(log.size() == 1u);
}

BEHAVIOUR(B210_an_error_that_a_read_received_is_heard_by_listeners_too_awaited, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  Log log;
  world.spawn(note_read(client, log));
  world.settle();
  client.destroy(cause());
  world.run();
  const Log read{"ERR_HANDLER_THREW"};
  BOOST_TEST(log == read, per_element);
  const Log events{"error(ERR_HANDLER_THREW)", "close(true)"};
  BOOST_TEST(recorder.of("client") == events, per_element);
}

BEHAVIOUR(B232_the_last_handle_goes_where_it_is_awaited, all_wires) {
  auto pair = world.pair();
  Log log;
  world.spawn(note_close(pair.server, log));
  world.await([](Socket last) -> asio::awaitable<void> {
    BOOST_TEST(co_await last.async_write("from the last handle") == 20u);
    last = Socket();  // inside what its own completion resumed
    BOOST_TEST(last.destroyed());
  }(std::exchange(pair.client, Socket())));
  world.await([](Socket peer) -> asio::awaitable<void> {
    const std::string all = co_await read_all(peer);
    BOOST_TEST(all == "from the last handle");
  }(pair.server));
  world.run();
  const Log expected{"close(false)"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B234_suspended_coroutines_go_with_their_context_awaited, all_wires) {
  const auto alive = std::make_shared<int>(0);
  const auto suspend = [](Socket socket, std::shared_ptr<int> held) -> asio::awaitable<void> {
    ++*held;
    co_await socket.async_read();
    BOOST_ERROR("resumed");
  };
  auto [client, server] = world.pair();
  world.spawn(suspend(client, alive));
  world.spawn(suspend(server, alive));
  world.settle();
  BOOST_TEST(*alive == 2);
  BOOST_TEST(alive.use_count() == 3);
}  // The context ends now, in front of the coroutines.
