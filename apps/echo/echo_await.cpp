// The echo server with coroutines: one for each client, which reads as if it were alone.
#include "echo.hpp"

#include <boost/asio/awaitable.hpp>

namespace {

boost::asio::awaitable<void> echo(libnet::Socket socket) {
  while (auto chunk = co_await socket.async_read())  // an empty chunk: the client ended its side
    co_await socket.async_write(chunk);              // goes on when all of it has left; until then nothing is read
}  // The end of the coroutine ends the connection and closes the socket.

}  // namespace

void echo_with_coroutines(libnet::Server& server) { server.serve(echo); }
