#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <vector>

#include "support/behaviour.hpp"

// How many system calls move the bytes: what was written in one turn is sent at once, and a read that emptied the kernel's
// buffer is not followed by another. Counted in the place of the C library's functions.

using namespace libnet::test;
using libnet::Chunk;
using libnet::Socket;

namespace {

constexpr std::size_t descriptors = 4096;
constinit std::array<std::size_t, descriptors> sends{};
constinit std::array<std::size_t, descriptors> receives{};

ssize_t count(std::array<std::size_t, descriptors>& calls, int descriptor, long result) {
  if (descriptor >= 0 && static_cast<std::size_t>(descriptor) < descriptors)
    ++calls[static_cast<std::size_t>(descriptor)];
  return static_cast<ssize_t>(result);
}

std::size_t sends_of(const Socket& socket) { return sends.at(static_cast<std::size_t>(socket.native_handle())); }
std::size_t receives_of(const Socket& socket) { return receives.at(static_cast<std::size_t>(socket.native_handle())); }

}  // namespace

extern "C" {
ssize_t send(int descriptor, const void* data, std::size_t size, int flags) {
  return count(sends, descriptor, ::syscall(SYS_sendto, descriptor, data, size, flags, nullptr, 0));
}
ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  return count(sends, descriptor, ::syscall(SYS_sendmsg, descriptor, message, flags));
}
ssize_t writev(int descriptor, const iovec* pieces, int size) {
  return count(sends, descriptor, ::syscall(SYS_writev, descriptor, pieces, size));
}
ssize_t recv(int descriptor, void* data, std::size_t size, int flags) {
  return count(receives, descriptor, ::syscall(SYS_recvfrom, descriptor, data, size, flags, nullptr, nullptr));
}
ssize_t recvmsg(int descriptor, msghdr* message, int flags) {
  return count(receives, descriptor, ::syscall(SYS_recvmsg, descriptor, message, flags));
}
ssize_t readv(int descriptor, const iovec* pieces, int size) {
  return count(receives, descriptor, ::syscall(SYS_readv, descriptor, pieces, size));
}
}

namespace {

void write_hundred(Socket& socket) {
  for (int i = 0; i < 100; ++i) socket.write("ten bytes.");
}

}  // namespace

BEHAVIOUR(B241_R71_a_hundred_small_writes_in_a_listener_are_at_most_two_system_calls, real_wires) {
  auto [client, server] = world.pair();
  std::size_t received = 0;
  client.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  server.once(event::data, [peer = server](Chunk) mutable { write_hundred(peer); });
  const std::size_t before = sends_of(server);
  client.write("go");
  world.run_until([&] { return received == 1000; });
  BOOST_TEST(sends_of(server) - before <= 2U);
  BOOST_TEST(sends_of(server) - before >= 1U);  // the count works
}

BEHAVIOUR(B241_R71_a_hundred_small_writes_between_two_awaits_are_at_most_two_system_calls, real_wires) {
  auto [client, server] = world.pair();
  std::size_t received = 0;
  client.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  const std::size_t before = sends_of(server);
  world.spawn([](Socket peer) -> asio::awaitable<void> {
    co_await peer.async_read();
    write_hundred(peer);
    co_await peer.async_write(".");
  }(server));
  client.write("go");
  world.run_until([&] { return received == 1001; });
  BOOST_TEST(sends_of(server) - before <= 2U);
}

BEHAVIOUR(B241_R71_several_sockets_written_to_in_a_listener_are_flushed_once_each, real_wires) {
  auto [client, server] = world.pair();
  std::vector<World::Pair> pairs;
  std::size_t received = 0;
  for (int i = 0; i < 5; ++i) {
    pairs.push_back(world.pair());
    pairs.back().client.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  }
  std::vector<std::size_t> before;
  for (const World::Pair& pair : pairs) before.push_back(sends_of(pair.server));
  server.once(event::data, [&](Chunk) {
    for (int i = 0; i < 10; ++i) {
      for (World::Pair& pair : pairs) pair.server.write("ten bytes.");
    }
  });
  client.write("go");
  world.run_until([&] { return received == 500; });
  for (std::size_t i = 0; i < pairs.size(); ++i) BOOST_TEST(sends_of(pairs[i].server) - before[i] == 1U);
}

BEHAVIOUR(B282_no_more_than_one_refused_call_for_each_signal_of_room, real_wires) {
  auto [client, server] = world.pair({.max_buffered = std::size_t{256} << 20});
  server.pause();
  const std::string data(1'000'000, 'x');
  std::size_t before = sends_of(client);
  while (client.write(data)) {
  }
  BOOST_TEST(sends_of(client) - before <= 40U);  // one for each write, and the last is refused in part
  world.settle();
  // Room is signalled as the reader gets on; each signal is worth one call that is not taken whole.
  for (int i = 0; i < 20; ++i) {
    before = sends_of(client);
    for (int k = 0; k < 5; ++k) client.write("behind it");
    world.settle();
    BOOST_TEST(sends_of(client) == before);
  }
  std::size_t received = 0;
  server.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  server.resume();
  world.run_until([&] { return client.buffered() == 0; });
  client.end();
  world.run();
  BOOST_TEST(received == client.bytes_written());
}

BEHAVIOUR(B282_writes_that_reach_the_mark_are_one_call_for_each_mark, real_wires) {
  auto [client, server] = world.pair({.high_water_mark = 10'000});
  std::size_t received = 0;
  server.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  const std::size_t before = sends_of(client);
  for (int i = 0; i < 100; ++i) BOOST_TEST(client.write(std::string(1'000, 'x')));
  BOOST_TEST(sends_of(client) - before == 10U);
  BOOST_TEST(client.buffered() == 0U);
  world.run_until([&] { return received == 100'000; });
  BOOST_TEST(sends_of(client) - before == 10U);
}

BEHAVIOUR(an_echoed_message_is_one_receive_and_one_send, tcp_wires) {
  constexpr std::size_t messages = 50;
  auto [client, server] = world.pair();
  server.on(event::data, [peer = server](Chunk chunk) mutable { peer.write(chunk); });
  const std::size_t sent = sends_of(server);
  const std::size_t received = receives_of(server);
  std::size_t answers = 0;
  client.on(event::data, [&, socket = client](Chunk chunk) mutable {
    if (++answers < messages) socket.write(chunk);
  });
  client.write("a message");
  world.run_until([&] { return answers == messages; });
  BOOST_TEST(sends_of(server) - sent == messages);
  BOOST_TEST(receives_of(server) - received <= messages + 1);  // the first may look before there is anything
}

BEHAVIOUR(an_awaited_echo_is_one_receive_and_one_send_a_message, tcp_wires) {
  constexpr std::size_t messages = 50;
  auto [client, server] = world.pair();
  const std::size_t sent = sends_of(server);
  const std::size_t received = receives_of(server);
  world.spawn([](Socket peer) -> asio::awaitable<void> {
    while (const Chunk chunk = co_await peer.async_read()) co_await peer.async_write(chunk);
  }(server));
  world.await([](Socket socket) -> asio::awaitable<void> {
    for (std::size_t i = 0; i < messages; ++i) {
      co_await socket.async_write("a message");
      co_await socket.async_read();
    }
  }(client));
  BOOST_TEST(sends_of(server) - sent == messages);
  BOOST_TEST(receives_of(server) - received <= messages + 1);
}
