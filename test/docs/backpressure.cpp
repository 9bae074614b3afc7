// The code of docs/guide/backpressure.md.
#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "claims.hpp"

namespace asio = boost::asio;
namespace event = libnet::event;

constexpr std::size_t megabyte = 1024 * 1024;

std::size_t most_buffered = 0;  // [bytes], what a sender had in its queue at most

// [await]
asio::awaitable<void> send_many(libnet::Socket socket, int blocks) {
  const std::string block(64 * 1024, 'x');
  for (int i = 0; i < blocks; ++i) {
    co_await socket.async_write(block);  // goes on when the block is in the kernel
    most_buffered = std::max(most_buffered, socket.buffered());
  }
}
// [await]

// [events]
void send_blocks(libnet::Socket socket, int blocks) {
  const libnet::Bytes block(std::string(64 * 1024, 'x'));  // made once, never copied
  auto left = std::make_shared<int>(blocks);
  auto send = [socket, block, left]() mutable {
    while (*left > 0) {
      --*left;
      if (!socket.write(block)) return;  // the queue is full: 'drain' calls again
      most_buffered = std::max(most_buffered, socket.buffered());
    }
    socket.end();
  };
  socket.on(event::drain, send);
  send();
}
// [events]

/// Reads all, and lets the sender wait in between.
asio::awaitable<std::size_t> read_slowly(libnet::Socket socket) {
  std::size_t total = 0;
  while (auto chunk = co_await socket.async_read()) {
    total += chunk.size();
    for (int i = 0; i < 3; ++i) co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  }
  co_return total;
}

/// Runs `sends` on an accepted socket, and gives back how much its slow peer got.
template <class Sends>
std::size_t received(Sends sends) {
  asio::io_context context(1);
  std::size_t total = 0;
  libnet::Server server(context);
  server.on(event::connection, sends);
  server.listen({.host = "127.0.0.1"});
  const auto client = [&]() -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    auto socket = co_await libnet::async_connect(executor, {.host = "127.0.0.1", .port = server.address()->port()});
    total = co_await read_slowly(socket);
    server.close();
    co_await socket.async_close();
  };
  asio::co_spawn(context, client, rethrow);
  run_to_the_end(context);
  return total;
}

void awaited() {
  most_buffered = 0;
  const std::size_t total = received([](libnet::Socket socket) {
    asio::co_spawn(socket.get_executor(), send_many(socket, 200), [socket](std::exception_ptr failure) mutable {
      rethrow(failure);
      socket.end();
    });
  });
  claim(total == 200 * 64 * 1024);
  claim(most_buffered == 0);  // behind the co_await nothing of this coroutine is queued
}

void with_listeners() {
  most_buffered = 0;
  const std::size_t total = received([](const libnet::Socket& socket) { send_blocks(socket, 200); });
  claim(total == 200 * 64 * 1024);
  claim(most_buffered < 64 * 1024);  // write() returned true only below the mark
}

asio::awaitable<void> drain(libnet::Socket socket) {
  // [drain]
  for (int line = 0; line < 100'000; ++line) {
    if (!socket.write("one line of many\n")) co_await socket.async_drain();
  }
  co_await socket.async_end();
  // [drain]
}

void awaited_drain() {
  const std::size_t total =
      received([](const libnet::Socket& socket) { asio::co_spawn(socket.get_executor(), drain(socket), rethrow); });
  claim(total == 1'700'000);
}

void cap() {
  asio::io_context context(1);
  // [cap]
  libnet::Socket socket(context, {.max_buffered = megabyte, .on_overflow = libnet::OverflowPolicy::fail_write});
  // [cap]
  libnet::Server server(context);
  server.listen({.host = "127.0.0.1"});
  socket.connect(server.address()->port(), "127.0.0.1");
  std::vector<libnet::error_code> results;
  // [overflow]
  socket.write(std::string(megabyte, 'x'));  // reaches the cap: queued, false
  socket.write("one more", [&](libnet::error_code code) {
    results.push_back(code);  // Errc::overflow: this write failed, the connection lives
  });
  // [overflow]
  bool alive = false;
  socket.once(event::connect, [&] {
    alive = results == std::vector<libnet::error_code>{libnet::Errc::overflow};
    server.close();
    socket.destroy();
  });
  run_to_the_end(context);
  claim(alive);
}

/// Calls back after a while.
template <class F>
void look_up_user(asio::io_context& context, F found) {
  auto timer = std::make_shared<asio::steady_timer>(context, std::chrono::milliseconds(20));
  timer->async_wait([timer, found](libnet::error_code) mutable { found(); });
}

void unread() {
  asio::io_context context(1);
  libnet::Server server(context);
  std::string text;
  bool ended = false;
  // [unread]
  server.on(event::connection, [&](libnet::Socket socket) {
    look_up_user(context, [&, socket]() mutable {  // takes a while; meanwhile nobody listens for 'data'
      claim(socket.bytes_read() == 0 && !ended);
      socket.on(event::data, [&](libnet::Chunk chunk) { text += chunk; });
      socket.on(event::end, [&] { ended = true; });
    });
  });
  // [unread]
  server.listen({.host = "127.0.0.1"});
  libnet::Socket client = libnet::connect(context, {.host = "127.0.0.1", .port = server.address()->port()});
  client.end("all of this");
  client.on(event::close, [&](bool) { server.close(); });
  run_to_the_end(context);
  claim(text == "all of this" && ended);
}

// [copy]
asio::awaitable<void> copy(libnet::Socket from, libnet::Socket to) {
  while (auto chunk = co_await from.async_read()) co_await to.async_write(chunk);
  co_await to.async_end();
}
// [copy]

/// Sends a megabyte through a relay to an echo server and back, and gives back how much came.
template <class StartRelay>
std::size_t relayed(StartRelay start_relay) {
  asio::io_context context(1);
  libnet::Server upstream(context);
  upstream.serve([](libnet::Socket socket) -> asio::awaitable<void> { co_await copy(socket, socket); });
  upstream.listen({.host = "127.0.0.1"});
  libnet::Server relay(context, {.socket = {.allow_half_open = true}});
  start_relay(relay, upstream.address()->port());
  relay.listen({.host = "127.0.0.1"});
  std::size_t total = 0;
  libnet::Socket client = libnet::connect(context, {.host = "127.0.0.1", .port = relay.address()->port()});
  client.end(std::string(megabyte, 'x'));
  client.on(event::data, [&](libnet::Chunk chunk) { total += chunk.size(); });
  client.on(event::close, [&](bool) {
    relay.close();
    upstream.close();
  });
  run_to_the_end(context);
  return total;
}

void relays() {
  using namespace asio::experimental::awaitable_operators;
  const std::size_t awaited = relayed([](libnet::Server& relay, int upstream) {
    // [relay]
    relay.serve([upstream](libnet::Socket client) -> asio::awaitable<void> {
      auto executor = client.get_executor();
      auto server = co_await libnet::async_connect(executor, {.host = "127.0.0.1", .port = upstream});
      co_await (client.async_pipe(server) && server.async_pipe(client));
    });
    // [relay]
  });
  claim(awaited == megabyte);
  const std::size_t piped = relayed([](libnet::Server& relay, int upstream) {
    // [relay_listeners]
    // The relay was made with {.socket = {.allow_half_open = true}}.
    relay.on(event::connection, [upstream](libnet::Socket client) {
      libnet::Socket server(client.get_executor(), {.allow_half_open = true});
      server.connect(upstream, "127.0.0.1");
      client.pipe(server).pipe(client);
      client.on(event::error, [server](const libnet::Error&) mutable { server.destroy(); });
      server.on(event::error, [client](const libnet::Error&) mutable { client.destroy(); });
    });
    // [relay_listeners]
  });
  claim(piped == megabyte);
}

void many_peers() {
  asio::io_context context(1);
  libnet::Server server(context);
  std::vector<std::string> got(3);
  server.on(event::connection, [&](const libnet::Socket&) {
    if (server.connections() < got.size()) return;
    // [fanout]
    const libnet::Bytes news("the same for everybody\n");
    for (auto& socket : server.sockets()) socket.write(news);
    // [fanout]
    for (auto& socket : server.sockets()) {
      // [cork]
      {
        auto corked = socket.corked();
        socket.write("head, ");
        socket.write("body\n");
      }  // both leave in one gathered write
      // [cork]
      socket.end();
    }
    server.close();
  });
  server.listen({.host = "127.0.0.1"});
  for (auto& text : got) {
    libnet::Socket client = libnet::connect(context, {.host = "127.0.0.1", .port = server.address()->port()});
    client.on(event::data, [&](libnet::Chunk chunk) { text += chunk; });
  }
  run_to_the_end(context);
  claim(std::ranges::all_of(got, [](auto& text) { return text == "the same for everybody\nhead, body\n"; }));
}

int main() {
  awaited();
  with_listeners();
  awaited_drain();
  cap();
  unread();
  relays();
  many_peers();
}
