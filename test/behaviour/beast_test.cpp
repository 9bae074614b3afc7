#include <libnet/beast.hpp>

#include "support/behaviour.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include <string>
#include <string_view>
#include <tuple>

// Asio's composed operations and Boost.Beast over a Socket.
namespace libnet::test {

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::experimental::awaitable_operators::operator&&;

static_assert(beast::is_async_read_stream<Socket>::value);
static_assert(beast::is_async_write_stream<Socket>::value);
static_assert(beast::is_async_stream<Socket>::value);
static_assert(beast::has_get_executor<Socket>::value);

namespace {

using WebSocket = websocket::stream<Socket>;

/// A pair whose sides do not end by themselves when the other one does: the coroutines decide.
World::Pair half_open_pair(World& world) { return world.pair({.allow_half_open = true}, {.allow_half_open = true}); }

asio::awaitable<void> send_two_lines(Socket socket, std::string_view rest) {
  const std::string lines = "first line\r\nsecond line\r\n" + std::string(rest);
  const std::size_t sent = co_await asio::async_write(socket, asio::buffer(lines), asio::use_awaitable);
  BOOST_TEST(sent == lines.size());
  co_await socket.async_end();
}

asio::awaitable<void> read_two_lines(Socket socket, std::string_view rest) {
  std::string buffer;
  for (const std::string_view line : {"first line\r\n", "second line\r\n"}) {
    const std::size_t size =
        co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), "\r\n", asio::use_awaitable);
    BOOST_TEST(buffer.substr(0, size) == line);
    buffer.erase(0, size);
  }
  const std::size_t had = buffer.size();
  buffer.resize(rest.size());
  co_await asio::async_read(socket, asio::buffer(buffer) + had, asio::use_awaitable);
  BOOST_TEST((buffer == rest));
  char more = 0;
  const auto [code, size] =
      co_await asio::async_read(socket, asio::buffer(&more, 1), asio::as_tuple(asio::use_awaitable));
  BOOST_TEST(code == asio::error::eof);
  BOOST_TEST(size == 0U);
}

asio::awaitable<void> answer_a_request(Socket socket) {
  beast::flat_buffer buffer;
  http::request<http::string_body> request;
  co_await http::async_read(socket, buffer, request, asio::use_awaitable);
  BOOST_TEST(request.target() == "/greeting");
  http::response<http::string_body> response{http::status::ok, request.version()};
  response.body() = request.body() + ", too";
  response.prepare_payload();
  co_await http::async_write(socket, response, asio::use_awaitable);
  co_await socket.async_close();
}

asio::awaitable<void> make_a_request(Socket socket, std::string_view body) {
  http::request<http::string_body> request{http::verb::post, "/greeting", 11};
  request.set(http::field::host, "localhost");
  request.body() = body;
  request.prepare_payload();
  co_await http::async_write(socket, request, asio::use_awaitable);
  beast::flat_buffer buffer;
  http::response<http::string_body> response;
  co_await http::async_read(socket, buffer, response, asio::use_awaitable);
  BOOST_TEST(response.result_int() == 200U);
  BOOST_TEST((response.body() == std::string(body) + ", too"));
  co_await socket.async_close();
}

asio::awaitable<void> echo_messages(Socket socket) {
  WebSocket stream(socket);
  stream.set_option(websocket::stream_base::timeout::suggested(beast::role_type::server));
  co_await stream.async_accept(asio::use_awaitable);
  beast::flat_buffer buffer;
  while (true) {
    const auto [code, size] = co_await stream.async_read(buffer, asio::as_tuple(asio::use_awaitable));
    if (code) {
      BOOST_TEST(code == make_error_code(websocket::error::closed));
      BOOST_TEST((stream.reason().reason == "enough"));
      BOOST_TEST(socket.destroyed());
      co_return;
    }
    stream.text(stream.got_text());
    co_await stream.async_write(buffer.data(), asio::use_awaitable);
    buffer.consume(size);
  }
}

asio::awaitable<void> exchange_messages(Socket socket) {
  WebSocket stream(socket);
  stream.set_option(websocket::stream_base::timeout::suggested(beast::role_type::client));
  co_await stream.async_handshake("localhost", "/", asio::use_awaitable);
  for (const std::size_t size : {5U, 70'000U, 1'000'000U}) {
    const std::string message = random_bytes(size);
    stream.binary(true);
    co_await stream.async_write(asio::buffer(message), asio::use_awaitable);
    beast::flat_buffer buffer;
    co_await stream.async_read(buffer, asio::use_awaitable);
    BOOST_TEST((beast::buffers_to_string(buffer.data()) == message));
  }
  co_await stream.async_close({websocket::close_code::normal, "enough"}, asio::use_awaitable);
  BOOST_TEST(socket.destroyed());
}

}  // namespace

BEHAVIOUR(asio_reads_until_and_writes_whole_buffers, all_wires) {
  const std::string rest = random_bytes(300'000);
  auto [client, server] = half_open_pair(world);
  world.await(send_two_lines(client, rest) && read_two_lines(server, rest));
}

BEHAVIOUR(beast_makes_an_http_round_trip, all_wires) {
  const std::string body = random_bytes(200'000);
  auto [client, server] = half_open_pair(world);
  world.await(make_a_request(client, body) && answer_a_request(server));
}

BEHAVIOUR(beast_exchanges_websocket_messages_and_closes, all_wires) {
  auto [client, server] = half_open_pair(world);
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  recorder.watch(server, "server", Recorder::Data::ignore);
  world.await(exchange_messages(client) && echo_messages(server));
  BOOST_TEST(recorder.count("client:close(false)") == 1U);
  BOOST_TEST(recorder.count("server:close(false)") == 1U);
}

BEHAVIOUR(beast_closes_the_socket_when_a_handshake_takes_too_long, all_wires) {
  auto [client, server] = half_open_pair(world);
  WebSocket stream(client);
  stream.set_option(websocket::stream_base::timeout{20ms, websocket::stream_base::none(), false});
  error_code result;
  stream.async_handshake("localhost", "/", [&](const error_code& code) { result = code; });
  world.run_until([&] { return client.destroyed() && result; });
  BOOST_TEST(result == make_error_code(beast::error::timeout));
}

}  // namespace libnet::test
