#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Bytes;
using libnet::cancel_after;
using libnet::Chunk;
using libnet::Server;
using libnet::Socket;

// B208: temporaries in co_await expressions. g++ 12 destroys some kinds of them twice or too early; the address sanitizer
// sees that. The texts are long, so that they do not fit into a string itself.

namespace {

std::string text(char letter) { return std::string(100, letter); }

std::vector<std::byte> octets(char letter) { return std::vector<std::byte>(100, static_cast<std::byte>(letter)); }

asio::awaitable<std::string> read_all(Socket socket) {
  std::string all;
  while (const Chunk chunk = co_await socket.async_read(cancel_after(60s))) all += chunk;
  co_return all;
}

struct Where {
  std::string host;
  std::optional<int> port;
  std::string path;
};

Where where(const Server& server) {
  const auto address = server.address().value();
  if (address.family() == libnet::Family::unix_path) return {{}, {}, address.address()};
  return {address.address(), address.port(), {}};
}

std::string copy(const std::string& original) { return original; }

}  // namespace

BEHAVIOUR(B208_payloads, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  world.spawn([](Socket socket) -> asio::awaitable<void> {
    co_await socket.async_write(text('a'));
    co_await socket.async_write(std::string_view(text('b')));
    co_await socket.async_write(octets('c'));
    co_await socket.async_write(std::span<const std::byte>(octets('d')));
    co_await socket.async_write(Bytes(text('e')));
    co_await socket.async_write(Chunk(text('f')));
    co_await socket.async_write("literal");
    co_await socket.async_write(text('g') + text('h'), cancel_after(60s));
    co_await socket.async_write(libnet::Payload(text('i')), libnet::as_tuple);
    const auto [code, size] = co_await socket.async_write(text('j'), cancel_after(60s, libnet::as_tuple));
    BOOST_TEST((!code && size == 100U));
    co_await socket.async_write_some(asio::buffer(text('k')));
    co_await socket.async_write_some(
        std::array<asio::const_buffer, 2>{asio::buffer(text('l')), asio::buffer(text('m'))});
    co_await socket.async_write_some(std::vector<asio::const_buffer>(1, asio::buffer(text('n'))));
    co_await socket.async_drain();
    co_await socket.async_end(text('o'));
    co_await socket.async_close();
  }(client));
  world.await([](Socket socket) -> asio::awaitable<void> {
    std::string expected;
    for (const char letter : std::string_view("abcdef")) expected += text(letter);
    expected += "literal";
    for (const char letter : std::string_view("ghijklmno")) expected += text(letter);
    BOOST_TEST(co_await read_all(socket) == expected);
  }(server));
  server.end();
  world.run();
}

BEHAVIOUR(B208_buffers_to_read_into, all_wires) {
  auto [client, server] = world.pair();
  client.end("0123456789");
  world.await([](Socket socket) -> asio::awaitable<void> {
    std::string left(3, '.');
    std::string right(4, '.');
    co_await socket.async_read_some(std::array<asio::mutable_buffer, 2>{asio::buffer(left), asio::buffer(right)});
    BOOST_TEST(left + right == "0123456");
    co_await socket.async_read_some(std::vector<asio::mutable_buffer>(1, asio::buffer(left)), cancel_after(60s));
    BOOST_TEST(left == "789");
    const auto [code, size] = co_await socket.async_read_some(asio::buffer(left), libnet::as_tuple);
    BOOST_TEST((code == asio::error::eof && size == 0U));
    co_await socket.async_end();
    co_await socket.async_wait(event::close);
  }(server));
}

BEHAVIOUR(B208_tokens_that_are_temporaries, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  world.await([](Socket socket, Socket peer) -> asio::awaitable<void> {
    asio::cancellation_signal signal;
    co_await socket.async_write(text('a'), asio::bind_executor(socket.get_executor(), asio::use_awaitable));
    co_await peer.async_read(asio::bind_cancellation_slot(signal.slot(), asio::use_awaitable));
    co_await socket.async_write(text('b'), asio::bind_executor(socket.get_executor(), libnet::use_awaitable));
    co_await peer.async_read(asio::bind_cancellation_slot(signal.slot(), libnet::use_awaitable));
    co_await socket.async_write(text('b'),
                                cancel_after(60s, asio::bind_executor(socket.get_executor(), asio::use_awaitable)));
    co_await peer.async_read(cancel_after(60s, asio::bind_cancellation_slot(signal.slot(), asio::use_awaitable)));
    co_await socket.async_end(text('c'), cancel_after(60s));
    BOOST_TEST((co_await read_all(peer)) == text('c'));
    co_await peer.async_pipe(Socket(socket), {.end = true}, cancel_after(60s, libnet::as_tuple));
    co_await peer.async_close(cancel_after(60s));
    co_await socket.async_close(cancel_after(60s, libnet::as_tuple));
  }(client, server));
}

BEHAVIOUR(B208_options_with_views_of_temporary_strings, all_wires) {
  world.await([](World& home) -> asio::awaitable<void> {
    const auto listen = home.listen_options();
    const std::string host(listen.host);
    const std::string path(listen.path);

    Server server(home.io());
    co_await server.async_listen({.host = copy(host), .port = listen.port, .path = copy(path)});
    const Where there = where(server);

    Socket socket(home.io());
    co_await socket.async_connect({.host = copy(there.host), .port = there.port, .path = copy(there.path)});
    const Socket accepted = co_await server.async_accept();
    BOOST_TEST((accepted.server() == server));

    const Socket free = co_await libnet::async_connect(
        home.io(), {.host = copy(there.host), .port = there.port, .path = copy(there.path)});
    const Socket with_options = co_await libnet::async_connect(
        home.io(), {.host = copy(there.host), .port = there.port, .path = copy(there.path)}, {.high_water_mark = 5});
    BOOST_TEST(with_options.high_water_mark() == 5U);
    const Socket limited = co_await libnet::async_connect(
        home.io(), {.host = copy(there.host), .port = there.port, .path = copy(there.path)}, cancel_after(60s));
    const auto [code, refused] = co_await libnet::async_connect(home.io(), {.path = copy("/nonexistent/") + text('x')},
                                                                cancel_after(60s, libnet::as_tuple));
    BOOST_TEST(code.failed());
    for (int i = 0; i < 3; ++i) co_await server.async_accept(cancel_after(60s));
    BOOST_TEST((co_await server.async_get_connections()) >= 1U);
    server.close();
  }(world));
  world.run();
}

BEHAVIOUR(B208_free_async_listen, all_wires) {
  world.await([](World& home) -> asio::awaitable<void> {
    const auto first = home.listen_options();
    const Server server = co_await libnet::async_listen(
        home.io(), {.host = copy(std::string(first.host)), .port = first.port, .path = copy(std::string(first.path))});
    BOOST_TEST(server.listening());
    const auto second = home.listen_options();
    Server other = co_await libnet::async_listen(
        home.io(),
        {.host = copy(std::string(second.host)), .port = second.port, .path = copy(std::string(second.path))},
        {.socket = {.no_delay = true}}, cancel_after(60s));
    BOOST_TEST(other.listening());
    co_await other.async_close(cancel_after(60s));
  }(world));
  world.run();
}

BEHAVIOUR(B208_a_failure_while_a_temporary_lives, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  world.await([](Socket socket) -> asio::awaitable<void> {
    socket.destroy();
    for (int i = 0; i < 3; ++i) {
      try {
        co_await socket.async_write(text('a') + text('b'));
        BOOST_ERROR("succeeded");
      } catch (const libnet::SystemError& failure) {
        BOOST_TEST(failure.code() == libnet::Errc::destroyed);
      }
      const auto [code, size] = co_await socket.async_write(Bytes(text('c')), libnet::as_tuple);
      BOOST_TEST((code == libnet::Errc::destroyed && size == 0U));
    }
  }(client));
}
