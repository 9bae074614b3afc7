#include "support/behaviour.hpp"

#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>

#include <array>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SystemError;

// Reads that are asked for: what they give, at the end, beside others, and through Asio's algorithms.

namespace {

asio::awaitable<std::string> read_all(Socket socket) {
  std::string all;
  while (const Chunk chunk = co_await socket.async_read()) all += chunk;
  co_return all;
}

asio::awaitable<error_code> read_code(Socket socket) {
  auto [code, chunk] = co_await socket.async_read(libnet::as_tuple);
  BOOST_TEST(chunk.empty());
  co_return code;
}

asio::awaitable<error_code> read_some_code(Socket socket) {
  std::array<char, 16> memory{};
  auto [code, size] = co_await socket.async_read_some(asio::buffer(memory), libnet::as_tuple);
  BOOST_TEST(size == 0U);
  co_return code;
}

bool is_busy(const SystemError& error) { return error.code() == Errc::busy; }

}  // namespace

BEHAVIOUR(B211_a_read_gives_what_has_arrived_then_an_empty_chunk_awaited, all_wires) {
  auto [client, server] = world.pair();
  server.write("one");
  world.await([](Socket reader, Socket writer) -> asio::awaitable<void> {
    const std::string first(co_await reader.async_read());
    BOOST_TEST(first == "one");
    writer.end("two");
    const std::string second(co_await reader.async_read());
    BOOST_TEST(second == "two");
    for (int i = 0; i < 3; ++i) {
      const Chunk end = co_await reader.async_read();
      BOOST_TEST(end.empty());
    }
    co_await reader.async_close();
    for (int i = 0; i < 3; ++i) {
      const Chunk end = co_await reader.async_read();
      BOOST_TEST(end.empty());
    }
  }(client, server));
  world.run();
  BOOST_TEST(client.destroyed());
}

BEHAVIOUR(B211_a_read_gives_at_most_one_block_awaited, all_wires) {
  auto [client, server] = world.pair();
  const std::string sent = random_bytes(3'000'000);
  server.end(sent);
  world.await([](Socket reader, const std::string& expected) -> asio::awaitable<void> {
    std::string all;
    std::size_t largest = 0;
    while (const Chunk chunk = co_await reader.async_read()) {
      largest = std::max(largest, chunk.size());
      all += chunk;
    }
    BOOST_TEST(largest <= 64U * 1024);
    BOOST_TEST((all == expected));
    BOOST_TEST(reader.bytes_read() == expected.size());
  }(client, sent));
  world.run();
}

BEHAVIOUR(B211_a_read_that_waits_for_the_connection_awaited, all_wires) {
  Server server(world.io());
  server.on(event::connection, [](Socket socket) { socket.end("welcome"); });
  world.listen(server);
  world.await([](Socket reader, libnet::ConnectOptions options) -> asio::awaitable<void> {
    reader.connect(options);
    BOOST_TEST(reader.connecting());
    const std::string all = co_await read_all(reader);
    BOOST_TEST(all == "welcome");
  }(Socket(world.io()), world.connect_options(server)));
  server.close();
  world.run();
}

BEHAVIOUR(B211_reads_without_a_connection_awaited, all_wires) {
  auto [client, server] = world.pair();
  world.await([](Socket fresh, Socket destroyed) -> asio::awaitable<void> {
    BOOST_TEST(co_await read_code(fresh) == Errc::closed);
    BOOST_TEST(co_await read_some_code(fresh) == Errc::closed);
    destroyed.destroy();
    BOOST_TEST(co_await read_code(destroyed) == Errc::destroyed);
    BOOST_TEST(co_await read_some_code(destroyed) == Errc::destroyed);
    co_await destroyed.async_close();
    BOOST_TEST(co_await read_code(destroyed) == Errc::destroyed);
  }(Socket(world.io()), client));
  server.destroy();
  world.run();
}

BEHAVIOUR(B211_a_waiting_read_and_a_refused_connection_awaited, all_wires) {
  world.await([](Socket reader, libnet::ConnectOptions options, bool is_tcp) -> asio::awaitable<void> {
    reader.connect(options);
    const error_code code = co_await read_code(reader);
    BOOST_TEST(libnet::error_name(code) == (is_tcp ? "ECONNREFUSED" : "ENOENT"));
    co_await reader.async_close();
    BOOST_TEST(co_await read_code(reader) == Errc::closed);
  }(Socket(world.io()), world.refusing_options(), world.is_tcp()));
  world.run();
}

BEHAVIOUR(B211_a_read_while_the_flow_is_paused_awaited, all_wires) {
  auto [client, server] = world.pair();
  client.pause();
  server.end("hello");
  world.await([](Socket reader) -> asio::awaitable<void> {
    BOOST_TEST(co_await read_all(reader) == "hello");
    BOOST_TEST(reader.is_paused());
    reader.resume();
  }(client));
  world.run();
  BOOST_TEST(client.destroyed());
}

BEHAVIOUR(B212_a_chunk_keeps_its_bytes_while_others_read_and_it_is_written_awaited, all_wires) {
  auto first = world.pair();
  auto second = world.pair();
  // The record wire must read in order to write: its acknowledgements wait behind what the echo leaves unread.
  const std::string sent = random_bytes(world.wire() == Wire::record ? 6'000 : 50'000, 7);
  first.server.write(sent);
  second.server.end(random_bytes(8'000'000, 8));
  second.client.pause();
  Recorder recorder;
  recorder.watch(first.server, "server");
  world.await([](Socket reader, Socket other, const std::string& expected) -> asio::awaitable<void> {
    std::string all;
    while (all.size() < expected.size()) {
      const Chunk chunk = co_await reader.async_read();
      const std::string copy = chunk.to_string();
      for (int i = 0; i < 30; ++i) {
        const Chunk unrelated = co_await other.async_read();
        BOOST_TEST(!unrelated.empty());
      }
      co_await reader.async_write(chunk);
      BOOST_TEST((chunk == std::string_view(copy)));
      all += chunk;
    }
    BOOST_TEST((all == expected));
  }(first.client, second.client, sent));
  second.client.destroy();
  second.server.destroy();
  first.client.end();
  world.run_until([&] { return recorder.count("server:end") == 1; });
  BOOST_TEST((recorder.received("server") == sent));
  world.run();
}

BEHAVIOUR(B212_small_chunks_keep_their_bytes_as_well_awaited, all_wires) {
  constexpr std::size_t count = 20;
  std::vector<World::Pair> pairs;
  for (std::size_t i = 0; i < count; ++i) pairs.push_back(world.pair());
  world.await([](std::vector<World::Pair>& ends) -> asio::awaitable<void> {
    std::vector<Chunk> chunks;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      ends[i].server.write(std::string(100, static_cast<char>('a' + i)));
      chunks.push_back(co_await ends[i].client.async_read());
    }
    for (std::size_t i = 0; i < ends.size(); ++i) {
      BOOST_TEST(chunks[i] == std::string(100, static_cast<char>('a' + i)));
    }
  }(pairs));
  for (auto& [client, server] : pairs) {
    client.destroy();
    server.destroy();
  }
  world.run();
}

BEHAVIOUR(B213_a_chunk_given_to_a_listener_is_valid_until_it_returns, all_wires) {
  auto [client, server] = world.pair();
  Socket inner_client;
  std::string received;
  client.on(event::data, [&, client](Chunk chunk) mutable {
    const std::string copy = chunk.to_string();
    client.write(chunk);
    client.write(random_bytes(100'000));
    client.unshift("!");
    client.pause().resume();
    client.destroy();
    BOOST_TEST((chunk == std::string_view(copy)));
    received += copy;
  });
  server.write(random_bytes(30'000));
  server.on(event::error, [](const libnet::Error&) {});
  world.run_until([&] { return !received.empty(); });
  server.destroy();
  world.run();
}

BEHAVIOUR(B214_B125_a_second_reader_is_busy_and_disturbs_nothing, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  client.async_read([&](const error_code& code, Chunk chunk) {
    BOOST_TEST(!code);
    log.push_back("first " + chunk.to_string());
  });
  client.async_read([&](const error_code& code, Chunk) {
    BOOST_TEST(code == Errc::busy);
    log.emplace_back("busy");
  });
  std::array<char, 10> memory{};
  client.async_read_some(asio::buffer(memory), [&](const error_code& code, std::size_t size) {
    BOOST_TEST(code == Errc::busy);
    BOOST_TEST(size == 0U);
    log.emplace_back("busy");
  });
  BOOST_CHECK_EXCEPTION(client.on(event::data, [](Chunk) {}), SystemError, is_busy);
  BOOST_CHECK_EXCEPTION(client.once(event::data, [](Chunk) {}), SystemError, is_busy);
  BOOST_TEST(client.listener_count(event::data) == 0U);
  BOOST_TEST(log.empty());
  server.write("hello");
  world.run_until([&] { return log.size() == 3; });
  const Log expected{"busy", "busy", "first hello"};
  BOOST_TEST(log == expected, per_element);
  BOOST_TEST(!client.error());
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B214_B125_a_read_beside_a_data_listener_is_busy_awaited, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  world.await([](Socket reader) -> asio::awaitable<void> {
    BOOST_TEST(co_await read_code(reader) == Errc::busy);
    BOOST_TEST(co_await read_some_code(reader) == Errc::busy);
  }(client));
  server.end("hello");
  world.run();
  const Log expected{"data(5)", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B214_a_refused_read_keeps_the_chunk_of_the_last_one_awaited, all_wires) {
  auto first = world.pair();
  auto second = world.pair();
  world.await([](World::Pair& one, World::Pair& other) -> asio::awaitable<void> {
    one.server.write(std::string(100, 'a'));
    other.server.write(std::string(100, 'b'));
    const Chunk chunk = co_await one.client.async_read();
    const auto listener = one.client.on(event::data, [](Chunk) {});
    BOOST_TEST(co_await read_code(one.client) == Errc::busy);
    one.client.off(listener);
    const Chunk unrelated = co_await other.client.async_read();
    BOOST_TEST(unrelated == std::string(100, 'b'));
    BOOST_TEST(chunk == std::string(100, 'a'));
  }(first, second));
  for (Socket socket : {first.client, first.server, second.client, second.server}) socket.destroy();
  world.run();
}

BEHAVIOUR(B215_read_some_fills_scattered_buffers_then_eof_awaited, all_wires) {
  auto [client, server] = world.pair();
  server.end("scattered bytes");
  world.settle();
  world.await([](Socket reader) -> asio::awaitable<void> {
    std::array<char, 3> one{};
    std::array<char, 1> two{};
    std::array<char, 64> three{};
    const std::array<asio::mutable_buffer, 4> buffers{asio::buffer(one), asio::mutable_buffer(), asio::buffer(two),
                                                      asio::buffer(three)};
    BOOST_TEST(co_await reader.async_read_some(std::array<asio::mutable_buffer, 0>()) == 0U);
    BOOST_TEST(co_await reader.async_read_some(asio::mutable_buffer()) == 0U);
    std::size_t size = 0;
    while (size < 4) size += co_await reader.async_read_some(buffers);
    std::string all(one.data(), 3);
    all += two[0];
    all.append(three.data(), size - 4);
    auto [code, last] = co_await reader.async_read_some(buffers, libnet::as_tuple);
    for (; !code; std::tie(code, last) = co_await reader.async_read_some(asio::buffer(three), libnet::as_tuple)) {
      all.append(three.data(), last);
    }
    BOOST_TEST(all == "scattered bytes");
    BOOST_TEST(code == asio::error::eof);
    BOOST_TEST(co_await read_some_code(reader) == asio::error::eof);
    BOOST_TEST(co_await reader.async_read_some(asio::mutable_buffer()) == 0U);
  }(client));
  world.run();
}

BEHAVIOUR(B215_asio_reads_over_it_awaited, all_wires) {
  auto [client, server] = world.pair();
  const std::string body = random_bytes(200'000, 3);
  server.write("header: 1\r\nheader: 2\r\n\r\n");
  server.end(body);
  world.await([](Socket reader, const std::string& expected) -> asio::awaitable<void> {
    std::string text;
    const std::size_t header =
        co_await asio::async_read_until(reader, asio::dynamic_buffer(text), "\r\n\r\n", libnet::use_awaitable);
    BOOST_TEST(text.substr(0, header) == "header: 1\r\nheader: 2\r\n\r\n");
    std::string rest = text.substr(header);
    std::string more(expected.size() - rest.size(), '\0');
    BOOST_TEST(co_await asio::async_read(reader, asio::buffer(more), libnet::use_awaitable) == more.size());
    BOOST_TEST((rest + more == expected));
    std::array<char, 10> memory{};
    auto [code, size] = co_await asio::async_read(reader, asio::buffer(memory), libnet::as_tuple);
    BOOST_TEST(code == asio::error::eof);
    BOOST_TEST(size == 0U);
  }(client, body));
  world.run();
}
