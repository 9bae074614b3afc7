// The code of docs/guide/ending-and-errors.md.
#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "claims.hpp"

namespace asio = boost::asio;
namespace event = libnet::event;
using namespace std::chrono_literals;

/// Runs `accepted` on the server's side of a connection and `connected` on the other, until both sockets have closed.
template <class Accepted, class Connected>
void run_pair(Accepted accepted, Connected connected) {
  asio::io_context context(1);
  libnet::Server server(context);
  server.serve(accepted);
  server.on(event::handler_error, [](const libnet::Socket&, const std::exception_ptr& failure) { rethrow(failure); });
  server.listen({.host = "127.0.0.1"});
  const auto client = [&]() -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    auto socket = co_await libnet::async_connect(executor, {.host = "127.0.0.1", .port = server.address()->port()});
    co_await connected(socket);
    co_await socket.async_close();
    co_await server.async_close();
  };
  asio::co_spawn(context, client, rethrow);
  run_to_the_end(context);
}

asio::awaitable<void> answer_late(libnet::Socket socket) {
  // [half_open]
  std::string request;
  while (auto chunk = co_await socket.async_read()) request += chunk;  // up to the peer's end
  co_await socket.async_write("you said: " + request);                 // our side is still open
  // [half_open]
}

void half_open() {
  std::string answer;
  run_pair(answer_late, [&](libnet::Socket socket) -> asio::awaitable<void> {
    co_await socket.async_end("hello");
    while (auto chunk = co_await socket.async_read()) answer += chunk;
  });
  claim(answer == "you said: hello");
}

asio::awaitable<void> close_when_told(libnet::Socket socket) { co_await socket.async_read(); }

void order_of_events() {
  std::vector<std::string> seen;
  asio::io_context context(1);
  libnet::Server server(context);
  server.serve(close_when_told);
  server.listen({.host = "127.0.0.1"});
  libnet::Socket socket = libnet::connect(context, {.host = "127.0.0.1", .port = server.address()->port()});
  // [order]
  socket.on(event::end, [&] { seen.push_back("end"); });
  socket.on(event::finish, [&] { seen.push_back("finish"); });
  socket.on(event::close, [&](bool had_error) { seen.push_back(had_error ? "close(true)" : "close(false)"); });
  socket.write("bye", [&] { seen.push_back("written"); });
  // [order]
  socket.on(event::close, [&](bool) { server.close(); });
  run_to_the_end(context);
  claim(seen == std::vector<std::string>{"written", "end", "finish", "close(false)"});
}

void operation_error() {
  run_pair(answer_late, [](libnet::Socket socket) -> asio::awaitable<void> {
    // [operation_error]
    const auto listener = socket.on(event::data, [](libnet::Chunk) {});  // somebody consumes already
    auto [code, chunk] = co_await socket.async_read(libnet::as_tuple);
    claim(code == libnet::Errc::busy);            // this read fails …
    claim(!socket.error() && socket.writable());  // … and nothing else does
    // [operation_error]
    socket.off(listener);
    co_await socket.async_end("hello");
    std::string answer;
    while (auto more = co_await socket.async_read()) answer += more;
    claim(answer == "you said: hello");
  });
}

void connection_error() {
  std::vector<std::string> seen;
  run_pair(
      [](libnet::Socket socket) -> asio::awaitable<void> {
        co_await socket.async_read();
        socket.reset();
      },
      [&](libnet::Socket socket) -> asio::awaitable<void> {
        socket.on(event::error, [&](const libnet::Error& error) { seen.push_back(error.name()); });
        socket.on(event::close, [&](bool had_error) { seen.push_back(had_error ? "close(true)" : "close(false)"); });
        co_await socket.async_write("x");
        // [connection_error]
        auto [code, chunk] = co_await socket.async_read(libnet::as_tuple);  // the peer resets
        claim(code == boost::system::errc::connection_reset);
        claim(socket.error().code() == code);  // with operation and addresses
        // [connection_error]
      });
  claim(seen == std::vector<std::string>{"ECONNRESET", "close(true)"});
}

void between_awaits() {
  std::string text;
  run_pair(
      [](libnet::Socket socket) -> asio::awaitable<void> {
        co_await socket.async_read();
        socket.reset();
      },
      [&](libnet::Socket socket) -> asio::awaitable<void> {
        co_await socket.async_write("x");
        co_await socket.async_wait(event::close);  // in place of something that takes its time
        // [between_awaits]
        auto [first, nothing] = co_await socket.async_read(libnet::as_tuple);  // the peer has reset long ago
        claim(first == boost::system::errc::connection_reset);
        try {
          co_await socket.async_write("later");
        } catch (const libnet::SystemError& failure) {
          claim(failure.code() == libnet::Errc::closed);
          text = failure.what();  // write 127.0.0.1:…: Socket is closed: read ECONNRESET
        }
        // [between_awaits]
      });
  claim(text.starts_with("write 127.0.0.1:") && text.ends_with(": Socket is closed: read ECONNRESET"));
}

int refused_port() {
  asio::io_context context(1);
  libnet::Server server(context);
  server.listen({.host = "127.0.0.1"});
  return server.address()->port();
}

void two_forms() {
  asio::io_context context(1);
  const int port = refused_port();
  std::string text;
  const auto connects = [&]() -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    // [throws]
    try {
      auto socket = co_await libnet::async_connect(executor, {.host = "127.0.0.1", .port = port});
    } catch (const libnet::SystemError& failure) {
      text = failure.what();  // connect ECONNREFUSED 127.0.0.1:…
      claim(failure.code() == boost::system::errc::connection_refused);
      claim(failure.error().operation() == "connect" && failure.error().remote_address()->port() == port);
    }
    // [throws]
    // [as_tuple]
    libnet::Socket socket(executor);
    auto [code] = co_await socket.async_connect({.host = "127.0.0.1", .port = port}, libnet::as_tuple);
    if (code) std::cout << socket.error() << '\n';  // the same text
    // [as_tuple]
    claim(socket.error().message() == text);
  };
  asio::co_spawn(context, connects, rethrow);
  run_to_the_end(context);
  claim(text == "connect ECONNREFUSED 127.0.0.1:" + std::to_string(port));
}

void time_limit() {
  run_pair(answer_late, [](libnet::Socket socket) -> asio::awaitable<void> {
    // [cancel_after]
    auto limit = libnet::cancel_after(50ms, libnet::as_tuple);
    auto [code, chunk] = co_await socket.async_read(limit);
    claim(code == libnet::Errc::timed_out);  // only this read; no byte is lost
    // [cancel_after]
    co_await socket.async_end("still here");
    std::string answer;
    while (auto more = co_await socket.async_read()) answer += more;
    claim(answer == "you said: still here");
  });
}

asio::awaitable<void> careless(libnet::Socket socket) {
  co_await socket.async_read();
  throw std::runtime_error("no such command");
}

void handler_error() {
  asio::io_context context(1);
  std::string reported;
  // [handler_error]
  libnet::Server server(context);
  server.serve(careless);  // throws std::runtime_error("no such command")
  server.on(event::handler_error, [&](const libnet::Socket& socket, const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& exception) {
      reported = exception.what();
    }
    claim(socket.error().code() == libnet::Errc::handler_threw);  // this socket is closed, the others live
  });
  // [handler_error]
  server.listen({.host = "127.0.0.1"});
  libnet::Socket client = libnet::connect(context, {.host = "127.0.0.1", .port = server.address()->port()});
  client.write("x");
  client.on(event::close, [&](bool) { server.close(); });
  run_to_the_end(context);
  claim(reported == "no such command");
}

void closing() {
  bool closed = false;
  run_pair(answer_late, [&](libnet::Socket socket) -> asio::awaitable<void> {
    // [close]
    socket.write("the last word");
    co_await socket.async_close();  // sent, ended, closed: 'close' was delivered
    claim(socket.destroyed());
    // [close]
    auto [code, sent] = co_await socket.async_write("too late", libnet::as_tuple);
    closed = code == libnet::Errc::closed && sent == 0;
  });
  claim(closed);
}

int main() {
  half_open();
  order_of_events();
  operation_error();
  connection_error();
  between_awaits();
  two_forms();
  time_limit();
  handler_error();
  closing();
}
