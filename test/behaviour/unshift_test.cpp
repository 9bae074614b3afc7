#include "support/behaviour.hpp"

#include <array>

using namespace libnet::test;
using libnet::Chunk;
using libnet::error_code;
using libnet::Socket;

// Bytes that are put back.

namespace {

asio::awaitable<std::string> read_string(Socket socket) {
  const Chunk chunk = co_await socket.async_read();
  co_return chunk.to_string();
}

}  // namespace

BEHAVIOUR(B242_data_gets_what_was_put_back_first, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  client.on(event::data, [&, client](Chunk chunk) mutable {
    log.push_back(chunk.to_string());
    if (log.size() != 1) return;
    client.unshift("world");
    client.unshift(std::string_view("hello "));
    BOOST_TEST(log.size() == 1U);  // not inside the call
  });
  client.on(event::end, [&, client] {
    log.emplace_back("end");
    BOOST_TEST(client.bytes_read() == 5U);
  });
  server.end("first");
  world.run();
  const Log expected{"first", "hello world", "end"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B242_it_waits_while_paused, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.pause();
  client.unshift("back");
  server.end();
  world.settle();
  BOOST_TEST(recorder.log().empty());
  client.resume();
  world.run();
  const Log expected{"data(4)", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  BOOST_TEST(recorder.received("client") == "back");
  BOOST_TEST(client.bytes_read() == 0U);
}

BEHAVIOUR(B242_unread_bytes_put_back_hold_the_end, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  client.unshift("back");
  server.end();
  world.settle();
  BOOST_TEST(recorder.log().empty());
  world.await(
      [](Socket reader) -> asio::awaitable<void> { BOOST_TEST(co_await read_string(reader) == "back"); }(client));
  world.run();
  const Log expected{"end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B242_the_next_read_gets_what_was_put_back_first_awaited, all_wires) {
  auto [client, server] = world.pair();
  server.end("0123456789");
  world.settle();
  world.await([](Socket reader) -> asio::awaitable<void> {
    BOOST_TEST(co_await read_string(reader) == "0123456789");
    BOOST_TEST(reader.bytes_read() == 10U);
    reader.unshift("56789");
    std::array<char, 3> memory{};
    BOOST_TEST(co_await reader.async_read_some(asio::buffer(memory)) == 3U);
    BOOST_TEST(std::string(memory.data(), 3) == "567");
    BOOST_TEST(co_await read_string(reader) == "89");
    BOOST_TEST(co_await read_string(reader) == "");
    BOOST_TEST(reader.bytes_read() == 10U);
  }(client));
  world.run();
}

BEHAVIOUR(B242_a_read_that_waits_gets_what_is_put_back_awaited, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  client.async_read([&](const error_code& code, Chunk chunk) {
    BOOST_TEST(!code);
    received = chunk.to_string();
  });
  world.settle();
  client.unshift("back");
  BOOST_TEST(received.empty());
  world.run_until([&] { return !received.empty(); });
  BOOST_TEST(received == "back");
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B242_put_back_after_a_scattered_read_behind_which_the_end_waited_awaited, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true});
  server.end("hello");
  world.settle();
  world.await([](Socket reader) -> asio::awaitable<void> {
    std::array<char, 5> first{};
    std::array<char, 50> second{};
    const std::array<asio::mutable_buffer, 2> buffers{asio::buffer(first), asio::buffer(second)};
    std::size_t size = 0;
    while (size < 5) size += co_await reader.async_read_some(buffers);
    reader.unshift("lo");
    BOOST_TEST(co_await read_string(reader) == "lo");
    BOOST_TEST(co_await read_string(reader) == "");
    co_await reader.async_close();
  }(client));
  world.run();
}

BEHAVIOUR(B242_more_than_a_block_put_back_awaited, all_wires) {
  auto [client, server] = world.pair();
  const std::string bytes = random_bytes(200'000);
  server.end("behind");
  client.unshift(bytes);
  world.await([](Socket reader, const std::string& expected) -> asio::awaitable<void> {
    std::string all;
    while (const Chunk chunk = co_await reader.async_read()) all += chunk;
    BOOST_TEST((all == expected + "behind"));
    BOOST_TEST(reader.bytes_read() == 6U);
  }(client, bytes));
  world.run();
}
