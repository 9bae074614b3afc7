#include "support/behaviour.hpp"

#include <array>
#include <stdexcept>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::ListenerId;
using libnet::Socket;

// Receiving into the caller's memory.

namespace {

using Memory = std::span<std::byte>;

std::string text_of(std::size_t nread, Memory memory) {
  BOOST_REQUIRE(nread <= memory.size());
  return {reinterpret_cast<const char*>(memory.data()), nread};
}

/// Reads into a buffer of ten bytes, and logs what came.
void receive(Socket socket, std::array<std::byte, 10>& buffer, Log& log) {
  socket.on_read(buffer, [&log](std::size_t nread, Memory memory) { log.push_back(text_of(nread, memory)); });
}

void log_ends(Socket socket, Log& log) {
  socket.on(event::end, [&log] { log.emplace_back("end"); });
  socket.on(event::error, [&log](const Error& error) { log.emplace_back("error " + std::string(error.name())); });
  socket.on(event::close, [&log](bool) { log.emplace_back("close"); });
}

constexpr auto nothing = [](std::size_t, Memory) {};

}  // namespace

BEHAVIOUR(B121_a_fixed_buffer_gets_everything_and_data_never_comes, all_wires) {
  auto [client, server] = world.pair();
  std::array<std::byte, 8> buffer{};
  std::size_t total = 0;
  std::string received;
  Log log;
  client.on_read(buffer, [&](std::size_t nread, Memory memory) {
    BOOST_TEST(static_cast<void*>(memory.data()) == static_cast<void*>(buffer.data()));
    BOOST_TEST(memory.size() == 8U);
    BOOST_TEST(client.bytes_read() == total + nread);
    total += nread;
    received += text_of(nread, memory);
  });
  log_ends(client, log);
  server.end("hello world");
  world.run();
  BOOST_TEST(total == 11U);
  BOOST_TEST(received == "hello world");
  BOOST_TEST(client.bytes_read() == 11U);
  const Log expected{"end", "close"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B121_every_form_of_memory_will_do, all_wires) {
  auto [client, server] = world.pair();
  std::vector<std::byte> bytes(10);
  std::array<char, 10> characters{};
  Log log;
  const auto note = [&log](std::size_t nread, Memory memory) { log.push_back(text_of(nread, memory)); };
  auto send = [&, peer = server](const std::string& text) mutable {
    const std::size_t before = log.size();
    peer.write(text);
    world.run_until([&] { return log.size() > before; });
  };
  client.on_read(bytes, note);
  send("a");
  client.on_read(Memory(bytes), note);
  send("b");
  client.on_read(asio::buffer(characters), note);
  send("c");
  client.on_read([&] { return asio::buffer(characters); }, note);
  send("d");
  client.on_read([&]() -> std::vector<std::byte>& { return bytes; }, note);
  send("e");
  const Log expected{"a", "b", "c", "d", "e"};
  BOOST_TEST(log == expected, per_element);
  client.destroy();
  world.run();
}

BEHAVIOUR(B122_the_factory_is_asked_once_up_front_and_once_after_each_read, all_wires) {
  auto [client, server] = world.pair();
  std::vector<std::unique_ptr<std::array<std::byte, 2>>> buffers;
  std::size_t reads = 0;
  client.on_read(
      [&] {
        buffers.push_back(std::make_unique<std::array<std::byte, 2>>());
        return Memory(*buffers.back());
      },
      [&](std::size_t nread, Memory memory) {
        ++reads;
        BOOST_TEST(buffers.size() == reads);
        BOOST_TEST(static_cast<void*>(memory.data()) == static_cast<void*>(buffers.back()->data()));
        BOOST_TEST(nread == (reads == 6 ? 1U : 2U));
      });
  BOOST_TEST(buffers.size() == 1U);
  server.end("hello world");
  world.run();
  BOOST_TEST(reads == 6U);
  BOOST_TEST(buffers.size() == 7U);
  std::string received;
  for (const auto& buffer : buffers) received += text_of(2, *buffer);
  BOOST_TEST(received.substr(0, 11) == "hello world");
}

BEHAVIOUR(B122_a_factory_without_memory_stops_the_reading_until_resume, all_wires) {
  auto [client, server] = world.pair();
  std::array<std::byte, 2> memory{};
  int left = 0;
  int asked = 0;
  Log log;
  client.on_read(
      [&] {
        ++asked;
        return left-- > 0 ? Memory(memory) : Memory();
      },
      [&](std::size_t nread, Memory bytes) { log.push_back(text_of(nread, bytes)); });
  log_ends(client, log);
  server.end("abcdefg");
  world.settle();
  BOOST_TEST(client.is_paused());
  BOOST_TEST(log.empty());
  left = 2;
  client.resume();
  world.settle();
  BOOST_TEST(client.is_paused());
  const Log some{"ab", "cd"};
  BOOST_TEST(log == some, per_element);
  BOOST_TEST(asked == 5);
  left = 1000;
  client.resume();
  world.run();
  const Log all{"ab", "cd", "ef", "g", "end", "close"};
  BOOST_TEST(log == all, per_element);
}

BEHAVIOUR(B123_false_or_pause_stops_until_resume, all_wires) {
  for (const bool by_result : {true, false}) {
    auto [client, server] = world.pair();
    std::array<std::byte, 4> buffer{};
    Log log;
    client.on_read(buffer, [&, client, by_result](std::size_t nread, Memory memory) mutable {
      log.push_back(text_of(nread, memory));
      if (!by_result) client.pause();
      return !by_result;
    });
    log_ends(client, log);
    server.end("abcdefghij");
    const Log expected{"abcd", "efgh", "ij"};
    for (std::size_t read = 1; read <= 3; ++read) {
      world.run_until([&] { return log.size() == read; });
      world.settle();
      BOOST_TEST(log.size() == read);
      BOOST_TEST(client.is_paused());
      BOOST_TEST(log.back() == expected[read - 1]);
      client.resume();
      BOOST_TEST(log.size() == read);  // not inside the call
    }
    world.run();
    const Log all{"abcd", "efgh", "ij", "end", "close"};
    BOOST_TEST(log == all, per_element);
  }
}

BEHAVIOUR(B123_true_goes_on, all_wires) {
  auto [client, server] = world.pair();
  std::array<std::byte, 4> buffer{};
  std::string received;
  client.on_read(buffer, [&](std::size_t nread, Memory memory) {
    received += text_of(nread, memory);
    return true;
  });
  const std::string sent = random_bytes(50'000);
  server.end(sent);
  world.run();
  BOOST_TEST((received == sent));
}

BEHAVIOUR(B113_B121_paused_before_it_began_it_waits_for_resume, all_wires) {
  auto [client, server] = world.pair();
  std::array<std::byte, 10> buffer{};
  Log log;
  client.pause();
  receive(client, buffer, log);
  log_ends(client, log);
  server.end("abc");
  world.settle();
  BOOST_TEST(log.empty());
  client.resume();
  world.run();
  const Log expected{"abc", "end", "close"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B121_it_may_be_called_before_connect, all_wires) {
  libnet::Server server(world.io());
  server.on(event::connection, [](Socket socket) { socket.end("abc"); });
  world.listen(server);
  Socket client(world.io());
  std::array<std::byte, 10> buffer{};
  Log log;
  receive(client, buffer, log);
  log_ends(client, log);
  client.on(event::close, [server](bool) mutable { server.close(); });
  world.connect(client, server);
  world.run();
  const Log expected{"abc", "end", "close"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B121_wrong_uses_are_busy_and_disturb_nothing, all_wires) {
  auto [client, server] = world.pair();
  std::array<std::byte, 10> buffer{};
  std::array<char, 10> memory{};
  const ListenerId data = client.on(event::data, [](Chunk) {});
  BOOST_TEST(thrown_by([&] { client.on_read(buffer, nothing); }) == Errc::busy);
  client.off(data);
  std::string read;
  client.async_read([&](const error_code& code, Chunk chunk) {
    BOOST_TEST(!code);
    read = chunk.to_string();
  });
  BOOST_TEST(thrown_by([&] { client.on_read(buffer, nothing); }) == Errc::busy);
  server.write("for the read");
  world.run_until([&] { return !read.empty(); });
  BOOST_TEST(read == "for the read");

  Log log;
  receive(client, buffer, log);
  BOOST_TEST(thrown_by([&] { client.on(event::data, [](Chunk) {}); }) == Errc::busy);
  BOOST_TEST(client.listener_count(event::data) == 0U);
  int refused = 0;
  client.async_read([&](const error_code& code, Chunk) { refused += code == Errc::busy ? 1 : 0; });
  client.async_read_some(asio::buffer(memory),
                         [&](const error_code& code, std::size_t) { refused += code == Errc::busy ? 1 : 0; });
  world.run_until([&] { return refused == 2; });
  server.write("goes on");
  world.run_until([&] { return !log.empty(); });
  BOOST_TEST(log.front() == "goes on");
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B121_an_empty_buffer_is_refused, all_wires) {
  auto [client, server] = world.pair();
  BOOST_TEST(thrown_by([&] { client.on_read(Memory(), nothing); }) == Errc::invalid_argument);
  client.on(event::data, [](Chunk) {});  // nothing else reads
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B121_removed_it_leaves_the_rest_to_others, all_wires) {
  auto [client, server] = world.pair();
  std::array<std::byte, 4> buffer{};
  Log log;
  ListenerId id{};
  id = client.on_read(buffer, [&, client](std::size_t nread, Memory memory) mutable {
    log.push_back(text_of(nread, memory));
    client.off(id);
  });
  log_ends(client, log);
  server.end("abcdefg");
  world.run_until([&] { return !log.empty(); });
  world.settle();
  BOOST_TEST(log.size() == 1U);
  world.await([](Socket socket, Log& heard) -> asio::awaitable<void> {
    const Chunk chunk = co_await socket.async_read();
    heard.push_back(chunk.to_string());
  }(client, log));
  world.run();
  const Log expected{"abcd", "efg", "end", "close"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B121_a_further_call_takes_the_place_of_the_first_also_inside_it, all_wires) {
  auto [client, server] = world.pair();
  std::array<std::byte, 2> first{};
  std::array<std::byte, 10> second{};
  Log log;
  client.on_read(first, [&, client](std::size_t nread, Memory memory) mutable {
    log.push_back("first " + text_of(nread, memory));
    client.on_read(second, [&log](std::size_t n, Memory bytes) { log.push_back("second " + text_of(n, bytes)); });
    return false;  // of a receiver that is gone
  });
  log_ends(client, log);
  server.end("abcdefg");
  world.run();
  const Log expected{"first ab", "second cdefg", "end", "close"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B121_B242_what_is_put_back_comes_first, all_wires) {
  auto [client, server] = world.pair();
  std::array<std::byte, 4> buffer{};
  std::string received;
  bool put_back = false;
  client.unshift("<begin>");
  client.on_read(buffer, [&, client](std::size_t nread, Memory memory) mutable {
    received += text_of(nread, memory);
    if (!std::exchange(put_back, true)) client.unshift("<back>");
  });
  server.end("end");
  world.run();
  BOOST_TEST(received == "<beg<back>in>end");
  BOOST_TEST(client.bytes_read() == 3U);
}

BEHAVIOUR(B121_B245_an_encoding_does_not_concern_it_but_what_was_held_comes_first, all_wires) {
  auto [client, server] = world.pair();
  std::string text;
  client.set_encoding(libnet::Encoding::utf8);
  const ListenerId data = client.on(event::data, [&](Chunk chunk) { text += chunk; });
  server.write("a\xE2\x82");
  world.run_until([&] { return client.bytes_read() == 3; });
  client.off(data);
  std::array<std::byte, 10> buffer{};
  std::string received;
  client.on_read(buffer, [&](std::size_t nread, Memory memory) { received += text_of(nread, memory); });
  server.end("\xAC\xFF");
  world.run();
  BOOST_TEST(text == "a");
  BOOST_TEST(received == "\xE2\x82\xAC\xFF");
}

BEHAVIOUR(B202_B249_bytes_come_before_an_error, ip_wires) {
  auto [client, server] = world.pair();
  std::array<std::byte, 10> buffer{};
  Log log;
  client.pause();
  receive(client, buffer, log);
  log_ends(client, log);
  server.write("abc");
  world.settle();
  server.reset();
  world.settle();
  client.resume();
  world.run();
  BOOST_REQUIRE(log.size() == 3U);
  BOOST_TEST(log[0] == "abc");
  BOOST_TEST(log[1] == "error ECONNRESET");
  BOOST_TEST(log[2] == "close");
}

BEHAVIOUR(B237_what_the_function_or_the_factory_throws_costs_this_socket, all_wires) {
  for (const bool factory_throws : {false, true}) {
    auto [client, server] = world.pair();
    std::array<std::byte, 2> buffer{};
    int asked = 0;
    int called = 0;
    client.on_read(
        [&] {
          if (++asked == 2) throw std::runtime_error("no memory");
          return Memory(buffer);
        },
        [&](std::size_t, Memory) {
          ++called;
          if (!factory_throws) throw std::runtime_error("no");
        });
    Log log;
    log_ends(client, log);
    server.write("abcdef");
    world.run();
    BOOST_TEST(called == 1);
    BOOST_TEST(asked == (factory_throws ? 2 : 1));
    BOOST_TEST(client.error().code() == Errc::listener_threw);
    BOOST_TEST(log.size() == 2U);
    BOOST_TEST(log.back() == "close");
  }
}

BEHAVIOUR(B232_it_may_destroy_the_socket_and_drop_its_last_handle, all_wires) {
  auto pair = world.pair();
  std::array<std::byte, 2> buffer{};
  Log log;
  auto handle = std::make_shared<Socket>(pair.client);
  log_ends(pair.client, log);
  pair.client.on_read(buffer, [&, handle](std::size_t nread, Memory memory) mutable {
    log.push_back(text_of(nread, memory));
    handle->destroy();
    *handle = {};
  });
  handle.reset();
  pair.client = {};
  pair.server.write("abcdef");
  world.run();
  const Log expected{"ab", "close"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B231_it_keeps_the_socket_until_close, all_wires) {
  auto pair = world.pair();
  auto buffer = std::make_shared<std::array<std::byte, 10>>();
  std::weak_ptr<void> watched = buffer;
  std::string received;
  pair.client.on_read(Memory(*buffer),
                      [&received, buffer](std::size_t nread, Memory memory) { received += text_of(nread, memory); });
  buffer.reset();
  pair.client = {};
  world.settle();
  pair.server.end("still here");
  BOOST_TEST(!watched.expired());
  world.run();
  BOOST_TEST(received == "still here");
  BOOST_TEST(watched.expired());
}

BEHAVIOUR(B184_a_paused_one_does_not_keep_the_loop_running_one_that_reads_does, all_wires) {
  auto [client, server] = world.pair();
  server.unref();
  std::array<std::byte, 10> buffer{};
  Log log;
  client.on_read(buffer, [&](std::size_t nread, Memory memory) {
    log.push_back(text_of(nread, memory));
    return false;
  });
  server.write("abc");
  world.run();  // returns when the read has paused the client
  BOOST_TEST(log.size() == 1U);
  BOOST_TEST(client.is_paused());
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B233_on_read_is_harmless_without_a_socket, all_wires) {
  std::array<std::byte, 10> buffer{};
  Socket().on_read(buffer, nothing);
  auto [client, server] = world.pair();
  client.destroy();
  client.on_read(buffer, nothing);
  world.run();
}
