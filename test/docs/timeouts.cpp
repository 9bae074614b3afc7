// The code of docs/guide/timeouts-and-cancellation.md.
#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "claims.hpp"

namespace asio = boost::asio;
namespace event = libnet::event;
using namespace std::chrono_literals;

/// A server at 127.0.0.1 that says nothing until its peer ends, and then "bye".
asio::awaitable<void> silent(libnet::Socket socket) {
  while (auto chunk = co_await socket.async_read()) {
    if (chunk.to_string() == "speak") co_await socket.async_write("a word");
  }
  co_await socket.async_write("bye");
}

/// Runs `client` with a connection to the silent server.
template <class Client>
void run_client(Client client) {
  asio::io_context context(1);
  libnet::Server server(context);
  server.serve(silent);
  server.listen({.host = "127.0.0.1"});
  const auto run = [&]() -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    auto socket = co_await libnet::async_connect(executor, {.host = "127.0.0.1", .port = server.address()->port()});
    co_await client(socket);
    co_await socket.async_close();
    co_await server.async_close();
  };
  asio::co_spawn(context, run, rethrow);
  run_to_the_end(context);
}

asio::awaitable<void> one_operation(libnet::Socket socket) {
  // [one]
  auto limit = libnet::cancel_after(20ms, libnet::as_tuple);
  auto [code, chunk] = co_await socket.async_read(limit);
  claim(code == libnet::Errc::timed_out);
  // [one]
  // [again]
  co_await socket.async_write("speak");
  chunk = co_await socket.async_read();  // nothing was lost, and the socket is as good as before
  claim(chunk.to_string() == "a word");
  // [again]
}

asio::awaitable<void> several_operations(libnet::Socket socket) {
  // [several]
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer limit(executor, 20ms);
  limit.async_wait([socket](boost::system::error_code code) mutable {
    if (!code) socket.destroy(libnet::Error(libnet::Errc::timed_out, "request"));
  });
  auto [sent, bytes] = co_await socket.async_write("not the word", libnet::as_tuple);
  auto [code, answer] = co_await socket.async_read(libnet::as_tuple);  // never comes
  limit.cancel();
  claim(!sent && code == libnet::Errc::timed_out);
  // [several]
}

asio::awaitable<void> racing(libnet::Socket socket) {
  // [race]
  using namespace asio::experimental::awaitable_operators;
  auto executor = co_await asio::this_coro::executor;
  asio::steady_timer tick(executor, 20ms);
  auto read = socket.async_read();
  auto wait = tick.async_wait(asio::use_awaitable);
  auto first = co_await (std::move(read) || std::move(wait));
  claim(first.index() == 1);  // the timer; the read was cancelled, and lost nothing
  // [race]
}

asio::awaitable<void> slots(libnet::Socket socket) {
  asio::cancellation_signal signal;
  boost::system::error_code result;
  // [slot]
  auto done = [&](boost::system::error_code code, const libnet::Chunk&) { result = code; };
  socket.async_read(asio::bind_cancellation_slot(signal.slot(), done));
  signal.emit(asio::cancellation_type::total);
  // [slot]
  asio::steady_timer soon(co_await asio::this_coro::executor, 1ms);
  co_await soon.async_wait(asio::use_awaitable);
  claim(result == asio::error::operation_aborted);
}

asio::awaitable<void> idle(libnet::Socket socket) {
  int silences = 0;
  // [idle]
  socket.set_timeout(20ms, [&] { ++silences; });  // nothing moved for that long; the socket stays open
  // [idle]
  socket.on(event::end, [] {});
  co_await socket.async_wait(event::timeout);
  co_await socket.async_drain();  // a step later
  claim(silences == 1 && !socket.destroyed());
}

void connecting() {
  asio::io_context context(1);
  libnet::Server server(context);
  server.listen({.host = "127.0.0.1"});
  const int port = server.address()->port();
  boost::system::error_code stopped;
  const auto run = [&]() -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    // [connect]
    libnet::ConnectOptions options{.host = "127.0.0.1", .port = port, .timeout = 5s};  // lookup and all attempts
    auto socket = co_await libnet::async_connect(executor, options);
    // [connect]
    // [stop]
    std::stop_source source;
    std::stop_token token = source.get_token();
    libnet::Socket other(executor);
    options.stop = &token;  // copied when called
    source.request_stop();  // from any thread, at any time
    auto [code] = co_await other.async_connect(options, libnet::as_tuple);
    claim(code == asio::error::operation_aborted);
    // [stop]
    stopped = code;
    server.close();
  };
  asio::co_spawn(context, run, rethrow);
  run_to_the_end(context);
  claim(stopped == asio::error::operation_aborted);
}

int main() {
  run_client(one_operation);
  run_client(several_operations);
  run_client(racing);
  run_client(slots);
  run_client(idle);
  connecting();
}
