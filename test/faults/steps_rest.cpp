#include <string>
#include <thread>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/awaitable.hpp>

#include "steps.hpp"
#include "trial.hpp"

namespace libnet::faults {

namespace {

/// A server that greets and ends.
void serve_greeting(Trial& trial, const ListenOptions& where = {.host = "127.0.0.1", .port = 0}) {
  trial.servers[0] = Server(trial.io(), {}, [&trial](Socket socket) {
    trial.watch(socket);
    socket.end("welcome");
  });
  trial.listen(trial.servers[0], where);
}

asio::awaitable<void> read_greeting(Trial& trial, ConnectOptions where, std::size_t which) {
  Socket& socket = trial.sockets[which] = Socket(trial.io());
  co_await socket.async_connect(where);
  for (;;) {
    const Chunk chunk = co_await socket.async_read();
    if (chunk.empty()) break;
    trial.received[which] += chunk;
  }
  co_await socket.async_close();
}

void greet(Trial& trial, const ConnectOptions& where, std::size_t which = 0) {
  Socket& client = trial.sockets[which] = Socket(trial.io());
  trial.watch(client);
  client.on(event::data, [&trial, which](const Chunk& chunk) { trial.received[which] += chunk; });
  client.connect(where);
}

}  // namespace

void beginning(Trial& trial) {
  trial.payload = "first";
  serve_greeting(trial);
  greet(trial, trial.to(trial.servers[0]));
  trial.run_until([&] { return trial.all_closed(); });
  trial.check(trial.received[0], "welcome");
}

void idle_timeout(Trial& trial) {
  serve_greeting(trial);
  trial.servers[0].remove_all(event::connection);
  trial.servers[0].on(event::connection, [&trial](Socket socket) {
    trial.watch(socket);
    socket.on(event::data, [](const Chunk&) {});
    socket.set_timeout(5ms, [&trial, socket]() mutable {
      ++trial.counters[0];
      socket.destroy();
    });
  });
  greet(trial, trial.to(trial.servers[0]));
  trial.sockets[0].write("x");
  trial.run_until([&] { return trial.all_closed(); });
  trial.expect(trial.counters[0] == 1, "no timeout");
}

void time_limits(Trial& trial) {
  trial.servers[0] = Server(trial.io());
  trial.servers[0].serve([](Socket socket) -> asio::awaitable<void> {
    const Chunk chunk = co_await socket.async_read();
    if (!chunk.empty()) co_await socket.async_end("too late");
  });
  trial.listen(trial.servers[0]);
  trial.await([](Trial& its) -> asio::awaitable<void> {
    ConnectOptions where = its.to(its.servers[0]);
    where.timeout = 2s;
    Socket socket = its.sockets[0] = Socket(its.io());
    co_await socket.async_connect(where);
    try {
      co_await socket.async_read(cancel_after(5ms));
      ++its.counters[1];
    } catch (const SystemError& error) {
      if (error.code() == Errc::timed_out) ++its.counters[0];
      if (error.code() != Errc::timed_out) its.tell(error.what());
    }
    co_await socket.async_close(cancel_after(2s));
  }(trial));
  trial.expect(trial.counters[0] == 1 && trial.counters[1] == 0, "a read that could not end did");
}

void five_accepts(Trial& trial) {
  trial.servers[0] = Server(trial.io());
  trial.listen(trial.servers[0]);
  const auto give_up = [&trial](const Error&) { trial.servers[0].close(); };  // one of the five will not come
  trial.servers[0].on(event::error, give_up);
  for (std::size_t i = 0; i < 5; ++i) {
    greet(trial, trial.to(trial.servers[0]), i);
    trial.sockets[i].on(event::error, give_up);
  }
  trial.await([](Trial& its) -> asio::awaitable<void> {
    for (int i = 0; i < 5; ++i) {
      Socket accepted = co_await its.servers[0].async_accept();
      co_await accepted.async_end("welcome");
      ++its.counters[0];
    }
  }(trial));
  if (trial.counters[0] < 5) return;
  trial.run_until([&] { return trial.all_closed(); });
  for (std::size_t i = 0; i < 5; ++i) trial.check(trial.received[i], "welcome");
}

void lookup_with_listeners(Trial& trial) {
  serve_greeting(trial, {.host = "localhost", .port = 0});
  const auto address = trial.servers[0].address();
  if (!address) return;
  greet(trial, {.host = "localhost", .port = address->port()});
  trial.sockets[0].on(event::lookup, [](const LookupResult&) {});
  trial.sockets[0].on(event::connection_attempt, [](const SocketAddress&) {});
  trial.run_until([&] { return trial.all_closed(); });
  trial.check(trial.received[0], "welcome");
}

void lookup_awaited(Trial& trial) {
  trial.await([](Trial& its) -> asio::awaitable<void> {
    its.servers[0] = co_await async_listen(its.io(), {.host = "localhost", .port = 0});
    its.servers[0].on(event::connection, [](Socket socket) { socket.end("welcome"); });
    its.watch(its.servers[0]);
    const int port = its.servers[0].address().value().port();
    its.sockets[1] = Socket(its.io());
    its.sockets[1].connect({.host = "localhost", .port = port});
    its.sockets[1].destroy();
    co_await read_greeting(its, {.host = "localhost", .port = port}, 0);
  }(trial));
  trial.check(trial.received[0], "welcome");
}

void refused(Trial& trial) {
  const BoundSocket nobody(SocketAddress::ip("::", 0));  // keeps its port, and does not listen
  Socket& client = trial.sockets[0] = Socket(trial.io());
  client.on(event::error, [&trial](const Error& error) {
    ++trial.counters[0];
    if (error.code() != asio::error::connection_refused) trial.tell(error);
  });
  client.on(event::close, [&trial](bool) { ++trial.counters[1]; });
  client.connect({.host = "127.0.0.1", .port = nobody.address().value().port()});
  client.write("never", [&trial](const error_code& code) { trial.counters[2] += code ? 1 : 0; });
  trial.run_until([&] { return trial.counters[1] == 1; });
  trial.expect(trial.counters[0] == 1 && trial.counters[2] == 1, "nobody was told of the refusal");
}

void refused_awaited(Trial& trial) {
  const BoundSocket nobody(SocketAddress::ip("::", 0));
  trial.await([](Trial& its, int port) -> asio::awaitable<void> {
    its.sockets[0] = Socket(its.io());
    try {  // libnet::as_tuple stands on Asio's use_awaitable, which ends the process where there is no memory for long
      co_await its.sockets[0].async_connect({.host = "localhost", .port = port});
      its.wrong("connected to nobody");
    } catch (const SystemError& error) {
      if (error.code() != asio::error::connection_refused) its.tell(error.error());
    }
    co_await its.sockets[0].async_close();
    ++its.counters[0];
  }(trial, nobody.address().value().port()));
  trial.expect(trial.counters[0] == 1, "not closed");
}

void server_close(Trial& trial) {
  trial.servers[0] = Server(trial.io(), {}, [&trial](Socket socket) {
    trial.watch(socket);
    socket.on(event::data, [socket](const Chunk&) mutable { socket.end(); });
    trial.servers[0].close([&trial](const error_code&) { ++trial.counters[0]; });
  });
  trial.servers[0].on(event::close, [&trial] { ++trial.counters[1]; });
  trial.listen(trial.servers[0]);
  greet(trial, trial.to(trial.servers[0]));
  trial.sockets[0].write("x");
  trial.run_until([&] { return trial.all_closed(); });
  if (trial.servers[0].listening()) return;
  trial.run_until([&] { return trial.counters[1] == 1; });
  trial.expect(trial.counters[0] == 1, "close() was not answered");
}

void handler_throws(Trial& trial) {
  trial.servers[0] = Server(trial.io());
  trial.servers[0].serve([](Socket socket) -> asio::awaitable<void> {
    co_await socket.async_read();
    throw std::runtime_error("on purpose");
  });
  trial.servers[0].on(event::handler_error,
                      [&trial](const Socket&, const std::exception_ptr&) { ++trial.counters[0]; });
  trial.servers[0].on(event::close, [&trial] { ++trial.counters[1]; });
  trial.servers[0].on(event::error, [&trial](const Error& error) { trial.tell(error); });
  trial.servers[0].listen({.host = "127.0.0.1", .port = 0});
  Socket& client = trial.sockets[0] = Socket(trial.io());
  client.on(event::error, [&trial](const Error& error) { trial.tell(error); });
  client.on(event::data, [](const Chunk&) {});
  client.on(event::close, [&trial](bool) {
    ++trial.counters[2];
    trial.servers[0].close();
  });
  client.connect(trial.to(trial.servers[0]));
  client.write("x");
  trial.run_until([&] { return trial.counters[1] == 1 && trial.counters[2] == 1; });
  trial.expect(trial.counters[0] == 1, "nobody was told of the exception");
}

void options(Trial& trial) {
  trial.servers[0] = Server(trial.io(), {.socket = {.no_delay = true, .keep_alive = true}}, [&trial](Socket socket) {
    trial.watch(socket);
    socket.set_type_of_service(16);
    socket.end("welcome");
  });
  trial.listen(trial.servers[0], {.host = "::1", .port = 0, .ipv6_only = true, .reuse_port = true});
  ConnectOptions where = trial.to(trial.servers[0]);
  where.local_address = "::1";
  greet(trial, where);
  trial.sockets[0].set_no_delay();
  trial.sockets[0].set_keep_alive({.enable = true, .initial_delay = 60s});
  trial.run_until([&] { return trial.all_closed(); });
  trial.check(trial.received[0], "welcome");
}

void given_sockets(Trial& trial) {
  const BoundSocket bound(SocketAddress::ip("127.0.0.1", 0));
  serve_greeting(trial, {.bound = &bound});
  trial.servers[1] = Server(trial.io(), {}, [](Socket socket) { socket.end(); });
  trial.watch(trial.servers[1]);
  trial.servers[1].listen(trial.servers[0]);
  trial.servers[1].close();
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return trial.tell("socketpair");
  try {
    Socket given(trial.io(), {.fd = ends[0]});
    ends[0] = -1;
    given.end("thrown away");
    given.destroy();
  } catch (...) {
    for (const int end : ends) {
      if (end >= 0) ::close(end);
    }
    throw;
  }
  ::close(ends[1]);
  greet(trial, trial.to(trial.servers[0]));
  trial.run_until([&] { return trial.all_closed(); });
  trial.check(trial.received[0], "welcome");
}

/// The last handle goes in another thread.
void other_thread(Trial& trial) {
  serve_greeting(trial);
  const ConnectOptions where = trial.to(trial.servers[0]);
  greet(trial, where);
  trial.sockets[1] = Socket(trial.io());
  trial.sockets[1].connect(where, [&trial] { ++trial.counters[0]; });
  trial.run_until([&] { return trial.counters[0] == 1 || trial.sockets[1].destroyed(); });
  std::thread([last = std::exchange(trial.sockets[1], Socket())]() mutable { last = {}; }).join();
  trial.run_until([&] { return trial.all_closed(); });
  trial.check(trial.received[0], "welcome");
}

}  // namespace libnet::faults
