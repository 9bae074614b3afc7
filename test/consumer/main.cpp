// A user's program: a server and a client of the installed library exchange a greeting.
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <libnet/net.hpp>

namespace asio = boost::asio;

namespace {

asio::awaitable<void> greet_back(libnet::Socket socket) {
  const auto name = (co_await socket.async_read()).to_string();
  co_await socket.async_write("hello " + name);
}

asio::awaitable<void> greet(asio::io_context& io, std::string& answer) {
  auto server = co_await libnet::async_listen(io, {.host = "127.0.0.1", .port = 0}, {.socket = {.no_delay = true}});
  server.serve(greet_back);

  auto socket = co_await libnet::async_connect(io, {.host = "127.0.0.1", .port = server.address()->port()});
  co_await socket.async_end("consumer");
  while (auto chunk = co_await socket.async_read()) answer += chunk;
  co_await server.async_close();
  const auto [again] = co_await server.async_close(libnet::as_tuple);
  if (again != libnet::Errc::not_running) answer += ", but: " + again.message();
}

}  // namespace

int main() try {
  asio::io_context io;
  std::string answer;
  asio::co_spawn(io, greet(io, answer), [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);
  });
  io.run();
  std::cout << answer << '\n';
  return answer == "hello consumer" ? EXIT_SUCCESS : EXIT_FAILURE;
} catch (const std::exception& error) {
  std::cerr << error.what() << '\n';
  return EXIT_FAILURE;
}
