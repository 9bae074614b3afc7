#include "support/behaviour.hpp"
#include "support/writes.hpp"

using namespace libnet::test;
using libnet::Bytes;
using libnet::Chunk;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// What a write does: queued before the connection, counted, kept, and completed.

namespace {

/// A server that records the first connection as "server" and closes itself then.
void record_one(World& world, Server& server, Recorder& recorder) {
  server.once(event::connection, [server, &recorder](Socket socket) mutable {
    recorder.watch(socket, "server");
    server.close();
  });
  world.listen(server);
}

}  // namespace

BEHAVIOUR(B126_written_before_connect_goes_first, all_wires) {
  Recorder recorder;
  Server server(world.io());
  record_one(world, server, recorder);
  Socket client(world.io());
  world.connect(client, server);
  WriteTally tally;
  client.on(event::connect, [&, client]() mutable {
    BOOST_TEST(tally.completions.empty());
    client.write("third ", tally.next());
    client.end("fourth");
  });
  client.write("first ", tally.next());
  client.async_write("second ", tally.next());
  BOOST_TEST(client.buffered() == 13U);
  world.run();
  BOOST_TEST(recorder.received("server") == "first second third fourth");
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all({}));
}

BEHAVIOUR(B127_callbacks_once_each_in_order_after_the_connect, all_wires) {
  const std::size_t writes = world.wire() == Wire::tcp4 ? 500'000 : 50'000;
  Server server(world.io());
  std::size_t received = 0;
  server.once(event::connection, [&, server](Socket socket) mutable {
    socket.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
    server.close();
  });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  bool connected = false;
  client.on(event::connect, [&] { connected = true; });
  std::size_t completed = 0;
  bool in_order = true;
  bool before_connect = false;
  for (std::size_t i = 0; i < writes; ++i) {
    client.write("x", [&, i](error_code code, std::size_t bytes) {
      in_order = in_order && completed == i && !code && bytes == 1;
      before_connect = before_connect || !connected;
      ++completed;
    });
  }
  client.end();
  world.run();
  BOOST_TEST(completed == writes);
  BOOST_TEST(received == writes);
  BOOST_TEST(in_order);
  BOOST_TEST(!before_connect);
}

BEHAVIOUR(B128_bytes_written_counts_queued_bytes_at_once, all_wires) {
  Recorder recorder;
  Server server(world.io());
  record_one(world, server, recorder);
  Socket client(world.io());
  world.connect(client, server);
  BOOST_TEST(client.bytes_written() == 0U);
  client.write("abc");
  BOOST_TEST(client.bytes_written() == 3U);
  client.write("\xC3\xA4\xC3\xB6");  // two characters
  BOOST_TEST(client.bytes_written() == 7U);
  BOOST_TEST(client.buffered() == 7U);
  std::vector<std::uint64_t> seen;
  client.on(event::connect, [&] { seen.push_back(client.bytes_written()); });
  client.on(event::finish, [&] { seen.push_back(client.bytes_written()); });
  client.on(event::close, [&](bool) { seen.push_back(client.bytes_written()); });
  client.end();
  world.run();
  BOOST_TEST(seen == (std::vector<std::uint64_t>{7, 7, 7}), per_element);
  BOOST_TEST(recorder.received("server") == "abc\xC3\xA4\xC3\xB6");
}

BEHAVIOUR(B129_bytes_written_of_ten_million, all_wires) {
  auto [client, server] = world.pair();
  std::size_t received = 0;
  server.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  const std::string data = random_bytes(10'000'000);
  bool finished = false;
  client.end(data, [&, client = client](error_code code) {
    BOOST_TEST(!code);
    BOOST_TEST(client.bytes_written() == 10'000'000U);
    finished = true;
  });
  BOOST_TEST(client.bytes_written() == 10'000'000U);
  world.run();
  BOOST_TEST(finished);
  BOOST_TEST(received == data.size());
}

BEHAVIOUR(B129_bytes_written_of_two_corked_writes, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  const std::string data = random_bytes(10'000'000);
  client.cork();
  client.write(data);
  client.write(std::string(data));
  BOOST_TEST(client.bytes_written() == 20'000'000U);
  BOOST_TEST(client.buffered() == 20'000'000U);
  client.uncork();
  client.end();
  world.run();
  BOOST_TEST(client.bytes_written() == 20'000'000U);
  BOOST_TEST((received == data + data));
}

BEHAVIOUR(B130_bytes_written_starts_again_for_a_reconnected_socket, all_wires) {
  Server server(world.io());
  std::size_t received = 0;
  server.on(event::connection,
            [&](Socket socket) { socket.on(event::data, [&](Chunk chunk) { received += chunk.size(); }); });
  world.listen(server);
  Socket client(world.io());
  std::vector<std::uint64_t> counts;
  const auto connect = [&] {
    world.connect(client, server);
    BOOST_TEST(client.bytes_written() == 0U);
    client.write("123");
  };
  client.on(event::connect, [&] { client.end("456"); });
  client.on(event::close, [&](bool) {
    counts.push_back(client.bytes_written());
    if (counts.size() < 5)
      connect();
    else
      server.close();
  });
  connect();
  world.run();
  BOOST_TEST(counts == (std::vector<std::uint64_t>{6, 6, 6, 6, 6}), per_element);
  BOOST_TEST(received == 30U);
}

BEHAVIOUR(B131_buffered_counts_the_queue, all_wires) {
  Recorder recorder;
  Server server(world.io());
  record_one(world, server, recorder);
  Socket client(world.io());
  world.connect(client, server);
  for (std::size_t i = 1; i <= 100; ++i) {
    client.write("x");
    BOOST_TEST(client.buffered() == i);
  }
  std::size_t at_finish = 1;
  client.on(event::finish, [&] { at_finish = client.buffered(); });
  client.end();
  world.run();
  BOOST_TEST(at_finish == 0U);
  BOOST_TEST(recorder.received("server") == std::string(100, 'x'));
}

BEHAVIOUR(B136_memory_given_to_write_stays_valid, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  server.pause();  // so that most of it is queued when the caller's memory changes
  const std::string data = random_bytes(600'000);
  std::string expected;
  std::string scratch;
  std::size_t written = 0;
  const auto done = [&](error_code code) { written += code ? 0U : 1U; };
  for (const std::size_t size : {std::size_t{1}, std::size_t{100}, std::size_t{20'000}, std::size_t{600'000}}) {
    const std::string part = data.substr(0, size);
    scratch = part;
    client.write(std::string_view(scratch), done);  // copied
    std::fill(scratch.begin(), scratch.end(), '#');
    std::string adopted = part;
    client.write(std::move(adopted), done);
    adopted = "other";
    const auto bytes = std::as_bytes(std::span(part));
    client.write(std::vector<std::byte>(bytes.begin(), bytes.end()), done);
    client.write(Bytes(part), done);  // shared; ours goes at once
    for (int i = 0; i < 4; ++i) expected += part;
  }
  world.settle();
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  server.resume();
  client.end();
  world.run();
  BOOST_TEST((received == expected));
  BOOST_TEST(written == 16U);
}

BEHAVIOUR(B138_cork_holds_and_uncork_releases, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  client.cork();
  client.write("pi");
  client.write("ng");
  world.settle();
  BOOST_TEST(recorder.log().empty());
  BOOST_TEST(client.buffered() == 4U);
  client.uncork();
  world.run_until([&] { return recorder.log().size() == 1; });
  BOOST_TEST(recorder.log().front() == "server:data(4)");
  client.cork();
  client.write("po");
  client.write("ng");
  world.settle();
  client.end();
  world.run();
  const std::vector<std::string> expected{"data(4)", "data(4)", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("server") == expected, per_element);
  BOOST_TEST(recorder.received("server") == "pingpong");
}

BEHAVIOUR(B138_cork_before_the_connection, all_wires) {
  Recorder recorder;
  Server server(world.io());
  record_one(world, server, recorder);
  Socket client(world.io());
  client.cork();
  world.connect(client, server);
  client.cork();
  client.write("pi");
  client.on(event::connect, [&] { client.write("ng"); });
  world.run_until([&] { return !client.connecting(); });
  world.settle();
  BOOST_TEST(recorder.received("server").empty());
  client.end();
  world.run();
  BOOST_TEST(recorder.received("server") == "ping");
  BOOST_TEST(recorder.count("server:data(4)") == 1U);
}

BEHAVIOUR(B239_write_takes_every_form, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  const std::string text = "const ";
  const std::string_view view = "view ";
  const std::vector<std::byte> bytes{std::byte{'v'}, std::byte{' '}};
  const Bytes shared("shared ");
  WriteTally tally;
  client.write("literal ", tally.next());
  client.write(view, tally.next());
  client.write(text, tally.next());
  client.write(std::string("moved "), tally.next());
  client.write(std::span<const std::byte>(bytes), tally.next());
  client.write(bytes, tally.next());
  std::array<std::byte, 2> own{std::byte{'o'}, std::byte{' '}};
  client.write(std::span<std::byte>(own), tally.next());
  client.write("aGV4IA==", libnet::Encoding::base64, tally.next());
  client.write(std::vector<std::byte>(bytes), tally.next());
  client.write(shared, tally.next());
  client.write(Bytes("temporary "), tally.next());
  client.write(asio::buffer(text), tally.next());
  client.write(Chunk(text), tally.next());
  client.write("", tally.next());
  client.write("error only ", [&](error_code code) { tally.next()(code, 0); });
  client.write("nothing", [&] { tally.next()({}, 0); });
  client.end();
  world.run();
  BOOST_TEST(received == "literal view const moved v v o hex v shared temporary const const error only nothing");
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.completions.size() == 16U);
}

BEHAVIOUR(B239_async_write_takes_every_form_awaited, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  world.await([](Socket socket) -> asio::awaitable<void> {
    const std::string text = "const ";
    const std::vector<std::byte> bytes{std::byte{'v'}, std::byte{' '}};
    const Bytes shared("shared ");
    BOOST_TEST(co_await socket.async_write("literal ") == 8U);
    BOOST_TEST(co_await socket.async_write(std::string_view(text)) == 6U);
    BOOST_TEST(co_await socket.async_write(text) == 6U);
    BOOST_TEST(co_await socket.async_write(std::string("moved ") + "twice ") == 12U);
    BOOST_TEST(co_await socket.async_write(bytes) == 2U);
    BOOST_TEST(co_await socket.async_write(std::vector<std::byte>(bytes)) == 2U);
    BOOST_TEST(co_await socket.async_write(shared) == 7U);
    BOOST_TEST(co_await socket.async_write(Bytes("temporary ")) == 10U);
    BOOST_TEST(co_await socket.async_write(asio::buffer(text)) == 6U);
    BOOST_TEST(co_await socket.async_write("") == 0U);
    const std::array<asio::const_buffer, 3> scattered{asio::buffer("ab", 2), asio::const_buffer(),
                                                      asio::buffer("c", 1)};
    BOOST_TEST(co_await socket.async_write_some(scattered) == 3U);
    co_await socket.async_end();
  }(client));
  world.run();
  BOOST_TEST(received == "literal const const moved twice v v shared temporary const abc");
}

BEHAVIOUR(B240_R71_corked_scopes_nest_and_release, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  {
    const auto outer = client.corked();
    client.write("a");
    {
      const auto inner = client.corked();
      client.write("b");
    }
    world.settle();
    BOOST_TEST(recorder.log().empty());
    client.write("c");
  }
  world.run_until([&] { return !recorder.log().empty(); });
  BOOST_TEST(recorder.log().front() == "server:data(3)");
  client.destroy();
  world.run();
}

BEHAVIOUR(B240_destroying_inside_a_corked_scope_is_harmless, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  recorder.watch(client, "client");
  WriteTally tally;
  {
    const auto corked = client.corked();
    client.write("never sent", tally.next());
    client.destroy();
  }
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(asio::error::operation_aborted));
  BOOST_TEST(recorder.of("client") == std::vector<std::string>{"close(false)"}, per_element);
  BOOST_TEST(recorder.received("server").empty());
}
