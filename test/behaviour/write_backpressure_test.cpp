#include "support/behaviour.hpp"
#include "support/writes.hpp"
#include "transport/memory_transport.hpp"

#include <algorithm>

using namespace libnet::test;
using libnet::Chunk;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// High- and low-water marks, 'drain', and readers that are slower than writers.

BEHAVIOUR(B132_false_at_the_default_mark, all_wires) {
  Server server(world.io());
  server.on(event::connection, [server](Socket socket) mutable {
    socket.on(event::data, [](Chunk) {});
    server.close();
  });
  world.listen(server);
  Socket client(world.io());
  BOOST_TEST(client.high_water_mark() == 65'536U);
  world.connect(client, server);
  BOOST_TEST(client.write(std::string(65'535, 'x')));
  BOOST_TEST(!client.need_drain());
  BOOST_TEST(!client.write("x"));
  BOOST_TEST(client.need_drain());
  client.end();
  world.run();
  BOOST_TEST(!client.need_drain());
}

BEHAVIOUR(B132_mark_zero_is_always_false_while_connecting, all_wires) {
  Server server(world.io());
  server.on(event::connection, [server](Socket socket) mutable {
    socket.on(event::data, [](Chunk) {});
    server.close();
  });
  world.listen(server);
  Socket client(world.io(), {.high_water_mark = 0});
  Recorder recorder;
  recorder.watch(client, "client");
  world.connect(client, server);
  for (int i = 0; i < 3; ++i) BOOST_TEST(!client.write("x"));
  client.once(event::drain, [&] { client.end(); });
  world.run();
  const std::vector<std::string> expected{"connect", "ready", "drain", "finish", "end", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B133_true_below_the_mark, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 10});
  Recorder recorder;
  recorder.watch(client, "client");
  std::size_t received = 0;
  server.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  for (int round = 0; round < 100; ++round) {
    client.cork();
    BOOST_TEST(client.write("ab"));
    BOOST_TEST(client.write("cd"));
    client.uncork();
    world.settle();
  }
  client.end();
  world.run();
  BOOST_TEST(received == 400U);
  BOOST_TEST(recorder.count("client:drain") == 0U);
}

BEHAVIOUR(B133_large_write_taken_at_once_needs_no_drain, tcp_wires | 4 | 8) {
  auto [client, server] = world.pair({.high_water_mark = 0});
  Recorder recorder;
  recorder.watch(client, "client");
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  const std::string data = random_bytes(32 * 1024);
  WriteTally tally;
  BOOST_TEST(client.write(data, tally.next()));
  BOOST_TEST(client.buffered() == 0U);
  BOOST_TEST(!client.need_drain());
  BOOST_TEST(tally.completions.empty());
  world.run_until([&] { return tally.completions.size() == 1; });
  BOOST_TEST(client.write(std::string(data), tally.next()));
  client.end();
  world.run();
  BOOST_TEST((received == data + data));
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(recorder.count("client:drain") == 0U);
}

BEHAVIOUR(B134_drain_once_when_empty_and_before_the_callback, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  std::size_t received = 0;
  server.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  client.on(event::drain, [&, client = client] {
    BOOST_TEST(client.buffered() == 0U);
    BOOST_TEST(!client.need_drain());
  });
  BOOST_TEST(!client.write(std::string(more_than_fits(world), 'x'), [&] { recorder.note("first written"); }));
  BOOST_TEST(!client.write("y", [&] { recorder.note("second written"); }));
  world.run_until([&] { return received == more_than_fits(world) + 1; });
  world.settle();
  client.end();
  world.run();
  const auto& log = recorder.log();
  const auto place = [&](const char* what) { return std::find(log.begin(), log.end(), what) - log.begin(); };
  BOOST_TEST(recorder.count("client:drain") == 1U);
  BOOST_TEST(place("client:drain") < place("second written"));
  BOOST_TEST(place("first written") < place("second written"));
}

BEHAVIOUR(C5_drain_before_the_callbacks_of_the_writes_that_emptied_the_queue, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 4});
  Recorder recorder;
  recorder.watch(client, "client");
  server.on(event::data, [](Chunk) {});
  client.cork();  // or the kernel would take them in the call
  BOOST_TEST(client.write("abc", [&] { recorder.note("1"); }));
  BOOST_TEST(!client.write("d", [&] { recorder.note("2"); }));
  BOOST_TEST(!client.write("e", [&] { recorder.note("3"); }));
  client.uncork();
  world.settle();
  const std::vector<std::string> expected{"client:drain", "1", "2", "3"};
  BOOST_TEST(recorder.log() == expected, per_element);
  client.end();
  world.run();
}

BEHAVIOUR(B134_no_drain_after_end, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  std::size_t received = 0;
  server.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  BOOST_TEST(!client.write(std::string(more_than_fits(world), 'x')));
  client.end();
  world.run();
  BOOST_TEST(received == more_than_fits(world));
  const std::vector<std::string> expected{"finish", "end", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(R27_one_drain_per_crossing_also_if_the_flush_is_immediate, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 100});
  Recorder recorder;
  recorder.watch(client, "client");
  server.on(event::data, [](Chunk) {});
  std::size_t crossings = 0;
  for (std::size_t size = 1; size <= 200; ++size) {
    client.cork();
    crossings += client.write(std::string(size, 'x')) ? 0U : 1U;
    client.uncork();
    world.settle();
    BOOST_TEST(recorder.count("client:drain") == crossings);
  }
  BOOST_TEST(crossings == 101U);
  client.end();
  world.run();
}

BEHAVIOUR(R27_a_drain_listener_that_writes_too_much_gets_another_drain, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 1000});
  std::size_t received = 0;
  server.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  int drains = 0;
  client.on(event::drain, [&, client = client]() mutable {
    if (++drains < 50) {
      const auto corked = client.corked();
      BOOST_TEST(!client.write(std::string(2000, 'x')));
    } else {
      client.end("last");
    }
  });
  client.cork();
  client.write(std::string(2000, 'x'));
  client.uncork();
  world.run();
  BOOST_TEST(drains == 50);
  BOOST_TEST(received == 50U * 2000 + 4);
}

BEHAVIOUR(B135_writes_after_false_are_kept, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 10});
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  std::string expected;
  std::size_t refused = 0;
  client.cork();
  for (int i = 0; i < 2000; ++i) {
    const std::string text = std::to_string(i) + ",";
    expected += text;
    refused += client.write(text) ? 0U : 1U;
  }
  client.end();
  world.run();
  BOOST_TEST(refused == 1996U);
  BOOST_TEST((received == expected));
}

BEHAVIOUR(B137_slow_reader_gets_everything, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  read_slowly(server, &received);
  WriteTally tally;
  std::string expected;
  for (unsigned i = 0; i < 10; ++i) {
    const std::string data = random_bytes(200'000, i);
    expected += data;
    client.write(data, tally.next());
  }
  client.end();
  world.run();
  BOOST_TEST((received == expected));
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all({}));
  BOOST_TEST(tally.bytes() == expected.size());
}

BEHAVIOUR(B137_slow_reader_gets_everything_awaited, all_wires) {
  auto [client, server] = world.pair();
  world.spawn([](Socket socket) -> asio::awaitable<void> {
    for (unsigned i = 0; i < 10; ++i) {
      const std::string data = random_bytes(200'000, i);
      BOOST_TEST(co_await socket.async_write(data) == data.size());
    }
    co_await socket.async_end();
  }(client));
  world.await([](Socket socket) -> asio::awaitable<void> {
    std::string received;
    std::array<char, 3001> buffer;
    for (;;) {
      auto [code, size] = co_await socket.async_read_some(asio::buffer(buffer), libnet::as_tuple);
      if (code) break;
      received.append(buffer.data(), size);
      co_await asio::post(asio::use_awaitable);
    }
    std::string expected;
    for (unsigned i = 0; i < 10; ++i) expected += random_bytes(200'000, i);
    BOOST_TEST((received == expected));
  }(server));
  world.run();
}

BEHAVIOUR(R28_bytes_count_when_write_is_called, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 300});
  server.on(event::data, [](Chunk) {});
  client.cork();  // or the kernel would take them in the call
  BOOST_TEST(client.write(std::string(100, 'x')));
  BOOST_TEST(client.buffered() == 100U);
  BOOST_TEST(client.write(libnet::Bytes(std::string(199, 'x'))));
  BOOST_TEST(client.buffered() == 299U);
  client.async_write("x", [](error_code, std::size_t) {});
  BOOST_TEST(client.buffered() == 300U);
  BOOST_TEST(client.need_drain());
  client.uncork();
  world.settle();
  BOOST_TEST(client.buffered() == 0U);
  client.end();
  world.run();
}

BEHAVIOUR(R30_buffered_is_user_space_only, real_wires) {
  auto [client, server] = world.pair();
  server.pause();
  client.write(std::string(10'000, 'x'));
  world.settle();
  BOOST_TEST(client.buffered() == 0U);  // in the kernel, though nobody has read it
  BOOST_TEST(server.bytes_read() == 0U);
  client.write(std::string(more_than_fits(world), 'x'));
  world.settle();
  BOOST_TEST(client.buffered() > 0U);
  BOOST_TEST(client.buffered() < more_than_fits(world));
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(C5_low_water_mark, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 100'000, .low_water_mark = 40'000});
  std::string received;
  read_slowly(server, &received);
  std::vector<std::size_t> at_drain;
  client.on(event::drain, [&, client = client]() mutable {
    at_drain.push_back(client.buffered());
    if (at_drain.size() == 1) client.write(std::string(more_than_fits(world), 'y'));
    if (at_drain.size() == 2) client.end();
  });
  BOOST_TEST(!client.write(std::string(more_than_fits(world), 'x')));
  world.run();
  BOOST_TEST(at_drain.size() == 2U);
  for (const std::size_t left : at_drain) BOOST_TEST(left <= 40'000U);
  BOOST_TEST(received.size() == 2 * more_than_fits(world));
}

BEHAVIOUR(C5_low_water_mark_drains_before_the_queue_is_empty, 8) {
  auto [client, server] = world.pair({.high_water_mark = 50'000, .low_water_mark = 50'000});
  Recorder recorder;
  recorder.watch(client, "client");
  server.pause();
  WriteTally tally;
  BOOST_TEST(!client.write(std::string(64 * 1024 + 50'000, 'x'), tally.next()));
  world.settle();
  BOOST_TEST(client.buffered() == 50'000U);
  BOOST_TEST(recorder.count("client:drain") == 1U);
  BOOST_TEST(tally.completions.empty());
  server.resume();
  client.end();
  world.run();
  BOOST_TEST(recorder.count("client:drain") == 1U);
  BOOST_TEST(tally.each_once_in_order());
}

BEHAVIOUR(B222_async_drain, all_wires) {
  auto [client, server] = world.pair();
  server.pause();
  world.await([](Socket socket, Socket peer, std::size_t size) -> asio::awaitable<void> {
    co_await socket.async_drain();  // there is room
    BOOST_TEST(socket.write("x"));
    co_await socket.async_drain();  // still
    BOOST_TEST(!socket.write(std::string(size, 'x')));
    peer.resume();
    co_await socket.async_drain();
    BOOST_TEST(socket.buffered() == 0U);
    co_await socket.async_drain();
    BOOST_TEST(!socket.write(std::string(size, 'x')));
    socket.end();
    co_await socket.async_drain();
    BOOST_TEST(socket.buffered() == 0U);
    co_await socket.async_drain();
    co_await socket.async_close();
    auto [code] = co_await socket.async_drain(libnet::as_tuple);
    BOOST_TEST(code == libnet::Errc::closed);
  }(client, server, more_than_fits(world)));
  world.run();
}

BEHAVIOUR(B222_async_drain_after_end_waits_until_all_is_flushed, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 20'000'000, .low_water_mark = 20'000'000});
  std::string received;
  read_slowly(server, &received);
  client.write(std::string(more_than_fits(world), 'x'));
  client.end();
  world.await([](Socket socket) -> asio::awaitable<void> {
    co_await socket.async_drain();
    BOOST_TEST(socket.buffered() == 0U);
  }(client));
  world.run();
  BOOST_TEST(received.size() == more_than_fits(world));
}

BEHAVIOUR(B222_async_drain_at_destroy_is_aborted, all_wires) {
  auto [client, server] = world.pair();
  server.pause();
  std::vector<error_code> codes;
  client.write(std::string(more_than_fits(world), 'x'));
  for (int i = 0; i < 2; ++i) client.async_drain([&](error_code code) { codes.push_back(code); });
  world.settle();
  BOOST_TEST(codes.empty());
  client.destroy();
  BOOST_TEST(codes.empty());
  server.resume();
  world.run();
  BOOST_TEST(codes.size() == 2U);
  for (const error_code& code : codes) BOOST_TEST(code == asio::error::operation_aborted);
  client.async_drain([&](error_code code) { codes.push_back(code); });
  world.run();
  BOOST_TEST(codes.back() == libnet::Errc::destroyed);
}

BEHAVIOUR(B221_R26_ten_writers_are_held_above_the_mark, all_wires) {
  constexpr std::size_t size = 30'000;
  constexpr std::size_t each = 40;
  auto [client, server] = world.pair();
  server.pause();
  std::size_t most = 0;
  for (int i = 0; i < 10; ++i) {
    world.spawn([](Socket socket, std::size_t* highest) -> asio::awaitable<void> {
      const std::string data(size, 'x');
      for (std::size_t k = 0; k < each; ++k) {
        co_await socket.async_write(data);
        *highest = std::max(*highest, socket.buffered());
      }
    }(client, &most));
  }
  world.settle();
  BOOST_TEST(client.buffered() > 0U);
  BOOST_TEST(client.buffered() <= client.high_water_mark() + 10 * size);
  std::size_t received = 0;
  server.on(event::data, [&](Chunk chunk) {
    received += chunk.size();
    if (received == 10 * each * size) client.end();
  });
  server.resume();
  world.run();
  BOOST_TEST(received == 10 * each * size);
  BOOST_TEST(most <= client.high_water_mark() + 10 * size);
}
