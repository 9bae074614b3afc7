#include <string>

#include <boost/asio/awaitable.hpp>

#include "steps.hpp"
#include "trial.hpp"

namespace libnet::faults {

namespace {

// More than one block, so that it comes in pieces.
constexpr std::size_t bulk = 200'000;

std::string bytes(std::size_t size) {
  std::string made(size, '\0');
  for (std::size_t i = 0; i < size; ++i) made[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return made;
}

/// A server whose connections answer with what they get.
void serve_echo(Trial& trial, const ListenOptions& where = {.host = "127.0.0.1", .port = 0}) {
  trial.servers[0] = Server(trial.io(), {}, [&trial](Socket socket) {
    trial.watch(socket);
    socket.on(event::data, [socket](const Chunk& chunk) mutable { socket.write(chunk); });
  });
  trial.listen(trial.servers[0], where);
}

/// Sends the payload, ends, and expects it back with the peer's end.
void exchange(Trial& trial) {
  Socket& client = trial.sockets[0] = Socket(trial.io());
  trial.watch(client);
  client.on(event::data, [&trial](const Chunk& chunk) {
    trial.received[0] += chunk;
    if (trial.received[0].size() >= trial.payload.size()) trial.sockets[0].end();
  });
  client.connect(trial.to(trial.servers[0]));
  client.write(trial.payload);
  trial.run_until([&] { return trial.all_closed(); });
  trial.check(trial.received[0], trial.payload);
}

asio::awaitable<void> echo(Socket socket) {
  for (;;) {
    const Chunk chunk = co_await socket.async_read();
    if (chunk.empty()) co_return;
    co_await socket.async_write(chunk);
  }
}

void serve_awaited(Trial& trial) {
  trial.servers[0] = Server(trial.io());
  trial.servers[0].serve([](Socket socket) -> asio::awaitable<void> { return echo(std::move(socket)); });
  trial.listen(trial.servers[0]);
}

asio::awaitable<void> send_all(Trial& trial) {
  co_await trial.sockets[0].async_write(trial.payload);
  co_await trial.sockets[0].async_end();
}

asio::awaitable<void> read_all(Trial& trial) {
  for (;;) {
    const Chunk chunk = co_await trial.sockets[0].async_read();
    if (chunk.empty()) co_return;
    trial.received[0] += chunk;
  }
}

asio::awaitable<void> exchange_awaited(Trial& trial) {
  trial.sockets[0] = Socket(trial.io());
  co_await trial.sockets[0].async_connect(trial.to(trial.servers[0]));
  trial.spawn(send_all(trial), [&trial](bool failed) {
    if (failed) trial.sockets[0].destroy();
  });
  std::exception_ptr failure;
  try {
    co_await read_all(trial);
  } catch (...) {
    failure = std::current_exception();
    trial.sockets[0].destroy();
  }
  co_await trial.sockets[0].async_close();
  if (failure) std::rethrow_exception(failure);
}

/// Relays between a client and the echo server 0 through server 1, which pipes both ways.
void serve_relay(Trial& trial) {
  trial.servers[1] = Server(trial.io(), {.socket = {.allow_half_open = true}}, [&trial](Socket socket) {
    trial.watch(socket);
    Socket upstream(trial.io(), {.allow_half_open = true});
    socket.on(event::close, [upstream](bool) mutable { upstream.destroy_soon(); });
    trial.watch(upstream);
    upstream.connect(trial.to(trial.servers[0]));
    const auto told = [&trial, socket, upstream](const error_code& code) mutable {
      if (!code) return;
      trial.tell("a pipe failed");
      socket.destroy();
      upstream.destroy();
    };
    upstream.on(event::close, [socket](bool failed) mutable {
      if (failed) socket.destroy();
    });
    socket.pipe(upstream, told);
    upstream.pipe(socket, told);
  });
  trial.listen(trial.servers[1]);
}

void exchange_over_relay(Trial& trial) {
  Socket& client = trial.sockets[0] = Socket(trial.io());
  trial.watch(client);
  client.on(event::data, [&trial](const Chunk& chunk) {
    trial.received[0] += chunk;
    if (trial.received[0].size() >= trial.payload.size()) trial.sockets[0].end();
  });
  client.connect(trial.to(trial.servers[1]));
  client.write(trial.payload);
  trial.run_until([&] { return trial.all_closed(); });
  trial.check(trial.received[0], trial.payload);
}

}  // namespace

void echo_with_listeners(Trial& trial) {
  trial.payload = "a small message";
  serve_echo(trial);
  exchange(trial);
}

void echo_awaited(Trial& trial) {
  trial.payload = "a small message";
  serve_awaited(trial);
  trial.await(exchange_awaited(trial));
  trial.check(trial.received[0], trial.payload);
}

void bulk_with_listeners(Trial& trial) {
  trial.payload = bytes(bulk);
  serve_echo(trial);
  exchange(trial);
}

void bulk_awaited(Trial& trial) {
  trial.payload = bytes(bulk);
  serve_awaited(trial);
  trial.await(exchange_awaited(trial));
  trial.check(trial.received[0], trial.payload);
}

void text(Trial& trial) {
  trial.payload = "a text that is decoded in pieces";
  serve_echo(trial);
  Socket& client = trial.sockets[0] = Socket(trial.io());
  trial.watch(client);
  client.set_encoding(Encoding::base64);
  client.on(event::data, [&trial](const Chunk& chunk) { trial.received[0] += chunk; });
  client.on(event::drain, [] {});
  client.connect(trial.to(trial.servers[0]));
  client.write(trial.payload.substr(0, 16), [&trial](const error_code& code) {
    if (code) return trial.tell("a write failed");
    trial.sockets[0].end(trial.payload.substr(16));
  });
  trial.run_until([&] { return trial.all_closed(); });
  trial.check(trial.received[0], "YSB0ZXh0IHRoYXQgaXMgZGVjb2RlZCBpbiBwaWVjZXM=");
}

void unshift(Trial& trial) {
  trial.payload = "head and tail";
  serve_awaited(trial);
  trial.await([](Trial& its) -> asio::awaitable<void> {
    its.sockets[0] = co_await async_connect(its.io(), its.to(its.servers[0]));
    Socket socket = its.sockets[0];
    co_await socket.async_write(its.payload);
    const Chunk first = co_await socket.async_read();
    const std::string copy = first.to_string();
    socket.unshift(copy);
    std::array<char, 4> head{};
    const std::size_t count = co_await socket.async_read_some(asio::buffer(head));
    its.received[0].append(head.data(), count);
    while (its.received[0].size() < its.payload.size()) its.received[0] += co_await socket.async_read();
    co_await socket.async_close();
  }(trial));
  trial.check(trial.received[0], trial.payload);
}

void pipe_copied(Trial& trial) {
  trial.payload = "a small message through a relay";
  serve_echo(trial);
  serve_relay(trial);
  exchange_over_relay(trial);
}

void pipe_spliced(Trial& trial) {
  trial.payload = bytes(2 * bulk);
  serve_echo(trial);
  serve_relay(trial);
  exchange_over_relay(trial);
}

void pipe_awaited(Trial& trial) {
  trial.payload = bytes(bulk);
  trial.servers[0] = Server(trial.io());
  trial.servers[0].serve([](Socket socket) -> asio::awaitable<void> { co_await socket.async_pipe(socket); });
  trial.listen(trial.servers[0]);
  trial.await(exchange_awaited(trial));
  trial.check(trial.received[0], trial.payload);
}

void half_close(Trial& trial) {
  trial.payload = "the question";
  trial.servers[0] = Server(trial.io(), {.socket = {.allow_half_open = true}}, [&trial](Socket socket) {
    trial.watch(socket);
    socket.on(event::data, [&trial](const Chunk& chunk) { trial.received[1] += chunk; });
    socket.on(event::end, [&trial, socket]() mutable { socket.end("answer to " + trial.received[1]); });
  });
  trial.listen(trial.servers[0]);
  Socket& client = trial.sockets[0] = Socket(trial.io());
  trial.watch(client);
  client.on(event::data, [&trial](const Chunk& chunk) { trial.received[0] += chunk; });
  client.connect(trial.to(trial.servers[0]));
  client.end(trial.payload);
  trial.run_until([&] { return trial.all_closed(); });
  trial.check(trial.received[0], "answer to the question");
}

void unix_path(Trial& trial) {
  trial.payload = "a small message over a path";
  serve_echo(trial, {.path = trial.path(), .readable_all = true});
  exchange(trial);
}

void lingering_end(Trial& trial) {
  trial.payload = bytes(bulk);
  trial.servers[0] = Server(trial.io(), {}, [&trial](Socket socket) {
    trial.watch(socket);
    socket.on(event::data, [&trial](const Chunk& chunk) { trial.received[0] += chunk; });
  });
  trial.listen(trial.servers[0]);
  {
    Socket client(trial.io());
    client.on(event::error, [&trial](const Error& error) { trial.tell(error); });
    client.connect(trial.to(trial.servers[0]), [client, &trial]() mutable {
      client.write(trial.payload);
      client.remove_all(event::error);  // from here on nobody has it
      ++trial.counters[0];
    });
  }
  trial.run_until([&] { return (trial.counters[0] != 0 || trial.told_something()) && trial.all_closed(); });
  trial.check(trial.received[0], trial.payload);
}

void reset(Trial& trial) {
  trial.servers[0] = Server(trial.io(), {}, [&trial](Socket socket) {
    socket.on(event::data, [](const Chunk&) {});
    socket.on(event::error, [&trial](const Error& error) {
      ++trial.counters[1];
      if (error.code() != asio::error::connection_reset) trial.tell(error);
    });
    socket.on(event::close, [&trial](bool) { ++trial.counters[2]; });
    ++trial.counters[0];
    socket.write("go");
  });
  trial.listen(trial.servers[0]);
  Socket& client = trial.sockets[0] = Socket(trial.io());
  trial.watch(client);
  client.on(event::data, [&trial](const Chunk&) { trial.sockets[0].reset(); });
  client.connect(trial.to(trial.servers[0]));
  trial.run_until([&] { return trial.all_closed() && trial.counters[0] <= trial.counters[2]; });
  trial.expect(trial.counters[1] == 1, "a reset was no error");
}

}  // namespace libnet::faults
