#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>

#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <variant>

#include "support/behaviour.hpp"
#include "support/seed.hpp"

using namespace libnet::test;
using namespace boost::asio::experimental::awaitable_operators;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// B219 and awaitable_operators: stop_tokens, cancelled coroutines, and what is left when an alternative wins.

namespace {

/// Starts a coroutine that the signal cancels; tells with which error it ended.
template <class Coroutine>
void spawn_cancellable(World& world, asio::cancellation_signal& signal, Coroutine coroutine,
                       std::optional<error_code>& ended) {
  asio::co_spawn(world.io(), std::move(coroutine),
                 asio::bind_cancellation_slot(signal.slot(), [&ended](const std::exception_ptr& thrown) {
                   ended = error_code();
                   try {
                     if (thrown) std::rethrow_exception(thrown);
                   } catch (const boost::system::system_error& failure) {
                     ended = failure.code();
                   }
                 }));
}

asio::awaitable<void> wait(asio::steady_timer& timer) { co_await timer.async_wait(asio::use_awaitable); }

}  // namespace

BEHAVIOUR(B219_a_cancelled_coroutine_starts_nothing, all_wires) {
  auto [client, server] = world.pair();
  asio::cancellation_signal signal;
  std::optional<error_code> ended;
  spawn_cancellable(
      world, signal,
      [](Socket socket) -> asio::awaitable<void> {
        const auto [code, chunk] = co_await socket.async_read(libnet::as_tuple);
        BOOST_TEST(code == asio::error::operation_aborted);
        co_await socket.async_write("never sent");
        BOOST_ERROR("a cancelled coroutine went on");
      }(client),
      ended);
  world.settle();
  signal.emit(asio::cancellation_type::terminal);
  world.run_until([&] { return ended.has_value(); });
  BOOST_TEST(*ended == asio::error::operation_aborted);
  BOOST_TEST(client.bytes_written() == 0U);
  BOOST_TEST((client.ready_state() == libnet::ReadyState::open));
  server.write("still there");
  world.await([](Socket socket) -> asio::awaitable<void> {
    BOOST_TEST((co_await socket.async_read()) == "still there");
  }(client));
}

BEHAVIOUR(B219_a_cancelled_coroutine_that_threw, all_wires) {
  auto [client, server] = world.pair();
  asio::cancellation_signal signal;
  std::optional<error_code> ended;
  spawn_cancellable(
      world, signal,
      [](Socket socket) -> asio::awaitable<void> {
        try {
          co_await socket.async_read();
          BOOST_ERROR("not cancelled");
        } catch (const libnet::SystemError& failure) {
          BOOST_TEST(failure.code() == asio::error::operation_aborted);
        }
        co_await socket.async_end();
        BOOST_ERROR("a cancelled coroutine went on");
      }(client),
      ended);
  world.settle();
  signal.emit(asio::cancellation_type::terminal);
  world.run_until([&] { return ended.has_value(); });
  BOOST_TEST(*ended == asio::error::operation_aborted);
  BOOST_TEST(client.writable());
}

BEHAVIOUR(B219_a_coroutine_cancelled_between_two_operations, all_wires) {
  auto [client, server] = world.pair();
  asio::cancellation_signal signal;
  std::optional<error_code> ended;
  spawn_cancellable(
      world, signal,
      [](Socket socket, asio::cancellation_signal& cancel) -> asio::awaitable<void> {
        co_await socket.async_write("one");
        cancel.emit(asio::cancellation_type::terminal);
        co_await socket.async_write("two");
        BOOST_ERROR("a cancelled coroutine went on");
      }(client, signal),
      ended);
  world.run_until([&] { return ended.has_value(); });
  BOOST_TEST(*ended == asio::error::operation_aborted);
  BOOST_TEST(client.bytes_written() == 3U);
}

BEHAVIOUR(B219_a_stop_before_the_connect_starts_nothing, all_wires) {
  Server server(world.io());
  server.on(event::connection, [](const Socket&) { BOOST_ERROR("connected"); });
  world.listen(server);
  std::stop_source source;
  source.request_stop();
  const std::stop_token token = source.get_token();
  auto options = world.connect_options(server);
  options.stop = &token;

  world.await([](World& home, libnet::ConnectOptions stopped) -> asio::awaitable<void> {
    co_await asio::post(home.io(), asio::use_awaitable);
    Socket socket(home.io());
    const auto [code] = co_await socket.async_connect(stopped, libnet::as_tuple);
    BOOST_TEST(code == asio::error::operation_aborted);
    co_await socket.async_wait(event::close);
    const auto [again, none] = co_await libnet::async_connect(home.io(), stopped, libnet::as_tuple);
    BOOST_TEST(again == asio::error::operation_aborted);
  }(world, options));

  Recorder recorder;
  Socket socket(world.io());
  recorder.watch(socket, "client");
  socket.connect(options);
  world.run_until([&] { return recorder.count("client:close(true)") == 1; });
  BOOST_TEST((recorder.of("client") == std::vector<std::string>{"error(ECANCELED)", "close(true)"}));
  server.close();
  world.run();
}

BEHAVIOUR(B219_a_stop_before_the_listen_starts_nothing, all_wires) {
  std::stop_source source;
  source.request_stop();
  const std::stop_token token = source.get_token();
  auto options = world.listen_options();
  options.stop = &token;
  Recorder recorder;
  world.await([](World& home, Recorder& record, libnet::ListenOptions stopped) -> asio::awaitable<void> {
    Server server(home.io());
    record.watch(server, "server");
    const auto [code] = co_await server.async_listen(stopped, libnet::as_tuple);
    BOOST_TEST(code == asio::error::operation_aborted);
    BOOST_TEST(!server.listening());
    // And from inside a turn of the loop, where what is due comes before what is posted.
    co_await server.async_get_connections();
    const auto [again] = co_await server.async_listen(stopped, libnet::as_tuple);
    BOOST_TEST(again == asio::error::operation_aborted);
    BOOST_TEST(!server.listening());
    const auto [free, none] = co_await libnet::async_listen(home.io(), stopped, libnet::as_tuple);
    BOOST_TEST(free == asio::error::operation_aborted);
  }(world, recorder, options));
  BOOST_TEST(recorder.count("server:listening") == 0U);
}

BEHAVIOUR(B219_a_stop_from_another_thread, real_wires) {
  std::stop_source source;
  const std::stop_token token = source.get_token();
  auto options = world.listen_options();
  options.stop = &token;
  Server server(world.io());
  bool closed = false;
  server.on(event::close, [&] { closed = true; });
  server.listen(options);
  world.settle();
  BOOST_TEST(server.listening());
  std::thread([&source] { source.request_stop(); }).join();
  world.run_until([&] { return closed; });
  BOOST_TEST(!server.listening());
}

BEHAVIOUR(R10_read_or_timer_loses_no_byte, all_wires) {
  auto [client, server] = world.pair();
  const std::string sent = random_bytes(20'000, seed());
  world.spawn([](Socket socket, const std::string& bytes) -> asio::awaitable<void> {
    std::mt19937_64 random(seed());
    asio::steady_timer timer(socket.get_executor());
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 50, bytes.size() - at);
      co_await socket.async_write(std::string_view(bytes).substr(at, size));
      at += size;
      timer.expires_after(std::chrono::microseconds(random() % 50));
      co_await wait(timer);
    }
    co_await socket.async_end();
  }(client, sent));
  std::size_t timers = 0;
  std::string received;
  world.await([](Socket socket, std::string& got, std::size_t& won) -> asio::awaitable<void> {
    std::mt19937_64 random(seed() + 1);
    asio::steady_timer timer(socket.get_executor());
    while (true) {
      timer.expires_after(std::chrono::microseconds(random() % 50));
      const auto result = co_await (socket.async_read() || wait(timer));
      if (result.index() == 1) {
        ++won;
      } else if (std::get<0>(result).empty()) {
        co_return;
      } else {
        got += std::get<0>(result);
      }
    }
  }(server, received, timers));
  BOOST_TEST((received == sent));
  BOOST_TEST_MESSAGE(timers << " times the timer won");
}

BEHAVIOUR(R10_read_of_two_sockets, all_wires) {
  auto [client, server] = world.pair();
  auto [second_client, second_server] = world.pair();
  client.write("one");
  second_client.write("two");
  std::string received;
  std::string second_received;
  world.await([](Socket left, Socket right, std::string& from_left, std::string& from_right) -> asio::awaitable<void> {
    while (from_left.size() + from_right.size() < 6) {
      const auto result = co_await (left.async_read() || right.async_read());
      result.index() == 0 ? from_left += std::get<0>(result) : from_right += std::get<1>(result);
    }
  }(server, second_server, received, second_received));
  BOOST_TEST(received == "one");
  BOOST_TEST(second_received == "two");
}

BEHAVIOUR(B206_and_waits_for_both, all_wires) {
  auto [client, server] = world.pair();
  world.await([](Socket socket, Socket peer) -> asio::awaitable<void> {
    const auto [size, chunk] = co_await (socket.async_write("hello") && peer.async_read());
    BOOST_TEST(size == 5U);
    BOOST_TEST(chunk == "hello");
    // A failure of one cancels the other, which then still works.
    try {
      co_await (peer.async_read() && peer.async_read());
      BOOST_ERROR("two readers");
    } catch (const asio::multiple_exceptions& failures) {
      BOOST_CHECK_EXCEPTION(
          std::rethrow_exception(failures.first_exception()), libnet::SystemError,
          [](const libnet::SystemError& failure) { return failure.code() == asio::error::operation_aborted; });
    }
    co_await socket.async_write("again");
    BOOST_TEST((co_await peer.async_read()) == "again");
  }(client, server));
}

BEHAVIOUR(B206_write_or_timer, all_wires) {
  auto [client, server] = world.pair();
  world.await([](Socket socket, Socket peer) -> asio::awaitable<void> {
    asio::steady_timer timer(socket.get_executor(), 1h);
    const auto result = co_await (socket.async_write("hello") || wait(timer));
    BOOST_TEST(result.index() == 0U);
    socket.cork();
    timer.expires_after(0s);
    const auto second = co_await (socket.async_write("not started") || wait(timer));
    BOOST_TEST(second.index() == 1U);
    socket.uncork();
    co_await socket.async_end();
    std::string received;
    while (const Chunk chunk = co_await peer.async_read()) received += chunk;
    BOOST_TEST(received == "hello");
  }(client, server));
}

BEHAVIOUR(B216_accept_or_timer_loses_no_connection, all_wires) {
  Server server(world.io());
  world.listen(server);
  std::vector<Socket> clients;
  for (int i = 0; i < 20; ++i) world.connect(clients.emplace_back(world.io()), server);
  int accepted = 0;
  world.await([](Server from, int& count) -> asio::awaitable<void> {
    asio::steady_timer timer(from.get_executor());
    for (int i = 0; count < 20; ++i) {
      timer.expires_after(std::chrono::microseconds(i % 7 * 5));
      const auto result = co_await (from.async_accept() || wait(timer));
      if (result.index() == 0) ++count;
    }
  }(server, accepted));
  BOOST_TEST(accepted == 20);
  server.close();
}
