#include "support/behaviour.hpp"
#include "support/writes.hpp"
#include "transport/memory_transport.hpp"

#include <malloc.h>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::OverflowPolicy;
using libnet::Socket;

// max_buffered: a hard cap on top of the marks.

namespace {

constexpr std::size_t cap = 1024 * 1024;
constexpr std::size_t size = 64 * 1024;

}  // namespace

BEHAVIOUR(B247_a_write_at_the_cap_fails_and_only_that, all_wires) {
  auto [client, server] = world.pair({.max_buffered = cap});
  Recorder recorder;
  recorder.watch(client, "client");
  server.pause();
  WriteTally tally;
  const std::string data = random_bytes(size);
  std::size_t most = 0;
  for (int i = 0; i < 300; ++i) {  // some settle, so that the kernel gets its share
    client.write(data, tally.next());
    most = std::max(most, client.buffered());
    if (i % 50 == 0) world.settle();
  }
  BOOST_TEST(most >= cap);
  BOOST_TEST(most < cap + size + 1100);  // a record is held encoded
  world.settle();
  std::size_t accepted = 0;
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  server.resume();
  world.run_until([&] { return client.buffered() == 0; });
  BOOST_TEST(client.write("again", tally.next()));
  client.end();
  world.run();
  BOOST_TEST(tally.completions.size() == tally.started);
  for (const auto& completion : tally.completions) {
    accepted += completion.bytes;
    if (completion.code) BOOST_TEST(completion.code == Errc::overflow);
    BOOST_TEST((completion.code || completion.write == 300 || completion.bytes == size));
  }
  BOOST_TEST(!tally.all({}));
  BOOST_TEST(received.size() == accepted);
  BOOST_TEST(received.ends_with("again"));
  BOOST_TEST(recorder.count("client:drain") >= 1U);  // TCP may have made room more than once
  Log log = recorder.of("client");
  std::erase(log, "drain");
  BOOST_TEST(log == (Log{"finish", "end", "close(false)"}), per_element);
}

BEHAVIOUR(B247_overflow_awaited, all_wires) {
  auto [client, server] = world.pair({.max_buffered = cap});
  server.pause();
  client.write(std::string(8 * cap, 'x'));
  world.await([](Socket socket, Socket peer) -> asio::awaitable<void> {
    BOOST_TEST(socket.buffered() >= cap);
    try {
      co_await socket.async_write("too much");
      BOOST_ERROR("no exception");
    } catch (const libnet::SystemError& failure) {
      BOOST_TEST(failure.code() == Errc::overflow);
      BOOST_TEST(failure.bytes_transferred() == 0U);
    }
    const std::array<asio::const_buffer, 1> buffers{asio::buffer("some", 4)};
    auto [code, bytes] = co_await socket.async_write_some(buffers, libnet::as_tuple);
    BOOST_TEST(code == Errc::overflow);
    peer.resume();
    co_await socket.async_drain();
    BOOST_TEST(co_await socket.async_write("now") == 3U);
    co_await socket.async_end();
  }(client, server));
  world.run();
  BOOST_TEST(server.bytes_read() == 8 * cap + 3);
}

BEHAVIOUR(B247_a_refused_write_is_followed_by_drain, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = cap, .max_buffered = cap});
  Recorder recorder;
  recorder.watch(client, "client");
  server.pause();
  BOOST_TEST(!client.write(std::string(8 * cap, 'x')));
  world.settle();
  BOOST_TEST(!client.write("refused"));
  BOOST_TEST(client.need_drain());
  client.once(event::drain, [client = client]() mutable { client.end("accepted"); });
  server.resume();
  world.run();
  BOOST_TEST(server.bytes_read() == 8 * cap + 8);
  BOOST_TEST(recorder.of("client") == (Log{"drain", "finish", "end", "close(false)"}), per_element);
}

BEHAVIOUR(B247_destroy_fails_the_connection, all_wires) {
  auto [client, server] = world.pair({.max_buffered = cap, .on_overflow = OverflowPolicy::destroy});
  Recorder recorder;
  recorder.watch(client, "client");
  WriteTally tally;
  client.cork();
  client.write(std::string(cap - 1, 'x'), tally.next());
  client.write("queued", tally.next());
  BOOST_TEST(!client.write("one too many", tally.next()));
  BOOST_TEST(tally.completions.empty());
  BOOST_TEST(!client.write("later", [&](error_code code) {
    BOOST_TEST(code == Errc::closed);
    recorder.note("later");
  }));
  // R29: nothing is sent after that.
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  server.on(event::error, [](const Error&) {});
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(Errc::overflow));
  BOOST_TEST(tally.bytes() == 0U);
  BOOST_TEST(received.empty());
  BOOST_TEST(recorder.log() == (Log{"later", "client:error(ERR_OVERFLOW)", "client:close(true)"}), per_element);
}

BEHAVIOUR(B247_destroy_without_a_callback, all_wires) {
  auto [client, server] = world.pair({.max_buffered = cap, .on_overflow = OverflowPolicy::destroy});
  Recorder recorder;
  recorder.watch(client, "client");
  server.pause();
  client.write(std::string(8 * cap, 'x'));
  BOOST_TEST(!client.write("one too many"));
  server.on(event::error, [](const Error&) {});
  server.resume();
  world.run();
  BOOST_TEST(recorder.log() == (Log{"client:error(ERR_OVERFLOW)", "client:close(true)"}), per_element);
}

BEHAVIOUR(B247_end_with_data_at_the_cap_fails_as_a_whole, all_wires) {
  auto [client, server] = world.pair({.max_buffered = cap});
  Recorder recorder;
  recorder.watch(client, "client");
  server.pause();
  client.write(std::string(8 * cap, 'x'));
  world.settle();
  error_code code;
  client.end("last words", [&](error_code result) { code = result; });
  world.settle();
  BOOST_TEST(code == Errc::overflow);
  BOOST_TEST(client.writable());
  client.once(event::drain, [client = client]() mutable { client.end("last words"); });
  std::size_t received = 0;
  server.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  server.resume();
  world.run();
  BOOST_TEST(received == 8 * cap + 10);
  BOOST_TEST(recorder.of("client") == (Log{"drain", "finish", "end", "close(false)"}), per_element);
}

BEHAVIOUR(R25_a_gigabyte_to_someone_who_never_reads, all_wires) {
  auto [client, server] = world.pair({.max_buffered = cap});
  server.pause();
  const std::string data = random_bytes(size);
  client.write(data);
  world.settle();
  std::size_t overflows = 0;
  std::size_t most = 0;
  const std::size_t before = ::mallinfo2().uordblks;
  std::size_t most_memory = before;
  for (std::size_t i = 0; i < 1024 * cap / size; ++i) {
    client.write(data, [&](error_code code) { overflows += code == Errc::overflow ? 1U : 0U; });
    if (i % 64 == 0) {
      world.settle();
      most = std::max(most, client.buffered());
      most_memory = std::max(most_memory, std::size_t{::mallinfo2().uordblks});
    }
  }
  world.settle();
  BOOST_TEST(most < cap + size + 1100);
  BOOST_TEST(overflows > 10'000U);
  BOOST_TEST(most_memory - before < cap + size + 256 * 1024);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(R25_a_gigabyte_when_the_cap_closes_the_socket, all_wires) {
  auto [client, server] = world.pair({.max_buffered = cap, .on_overflow = OverflowPolicy::destroy});
  server.pause();
  const std::string data = random_bytes(size);
  client.write(data);
  world.settle();
  std::size_t overflows = 0;
  std::size_t late = 0;
  const std::size_t before = ::mallinfo2().uordblks;
  std::size_t most_memory = before;
  for (std::size_t i = 0; i < 1024 * cap / size; ++i) {
    client.write(data, [&](error_code code) {
      overflows += code == Errc::overflow ? 1U : 0U;
      late += code == Errc::closed ? 1U : 0U;
    });
    if (i % 64 == 0) {
      most_memory = std::max(most_memory, std::size_t{::mallinfo2().uordblks});
      world.settle();
    }
  }
  world.settle();
  BOOST_TEST(client.destroyed());
  BOOST_TEST((client.error().code() == Errc::overflow));
  BOOST_TEST(overflows > 0U);
  BOOST_TEST(late > 10'000U);
  BOOST_TEST(most_memory - before < cap + size + 256 * 1024);
  server.destroy();
  world.run();
}

BEHAVIOUR(R29_nothing_more_is_sent_when_an_overflow_closed_the_socket, 8) {
  auto [client, server] =
      world.pair({.high_water_mark = 1000, .max_buffered = 1000, .on_overflow = OverflowPolicy::destroy});
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  client.on(event::error, [](const Error&) {});
  client.write("sent ");
  world.settle();
  client.cork();
  client.write(std::string(2000, 'x'));  // queued, with room for it in the transport
  client.write("y");
  world.run();
  BOOST_TEST(received == "sent ");
}
