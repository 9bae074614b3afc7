// The code of docs/guide/from-asio.md.
#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <deque>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "claims.hpp"

namespace asio = boost::asio;
namespace event = libnet::event;
using asio::ip::tcp;

namespace raw {

// [raw_session]
class Session : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(tcp::socket socket) : socket_(std::move(socket)) {}

  void send(std::string text) {
    queue_.push_back(std::move(text));
    if (queue_.size() == 1) write();  // one write at a time: async_write must not overlap
  }

 private:
  void write() {
    asio::async_write(socket_, asio::buffer(queue_.front()),
                      [self = shared_from_this()](boost::system::error_code code, std::size_t) {
                        if (code) return self->socket_.close();
                        self->queue_.pop_front();
                        if (!self->queue_.empty()) self->write();
                      });
  }

  tcp::socket socket_;
  std::deque<std::string> queue_;  // and who stops it from growing?
};
// [raw_session]

}  // namespace raw

// [session]
void send(libnet::Socket socket, std::string text) { socket.write(std::move(text)); }
// [session]

asio::awaitable<void> lines(libnet::Socket socket) {
  // [streams]
  std::string buffer;
  const std::size_t size =
      co_await asio::async_read_until(socket, asio::dynamic_buffer(buffer), '\n', asio::use_awaitable);
  co_await asio::async_write(socket, asio::buffer(buffer, size), asio::use_awaitable);
  // [streams]
}

int main() {
  asio::io_context context(1);
  libnet::Server server(context);
  server.serve(lines);
  server.listen({.host = "127.0.0.1"});
  std::string got;
  const auto client = [&]() -> asio::awaitable<void> {
    auto executor = co_await asio::this_coro::executor;
    auto socket = co_await libnet::async_connect(executor, {.host = "127.0.0.1", .port = server.address()->port()});
    send(socket, "a line\nand more");
    while (auto chunk = co_await socket.async_read()) got += chunk;
    co_await server.async_close();
  };
  asio::co_spawn(context, client, rethrow);
  run_to_the_end(context);
  claim(got == "a line\n");

  // The raw session works, too.
  tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  tcp::socket near(context);
  near.connect(acceptor.local_endpoint());
  auto session = std::make_shared<raw::Session>(acceptor.accept());
  session->send("one ");
  session->send("two");
  session.reset();
  context.restart();
  run_to_the_end(context);
  std::array<char, 16> bytes{};
  claim(asio::read(near, asio::buffer(bytes), asio::transfer_exactly(7)) == 7);
}
