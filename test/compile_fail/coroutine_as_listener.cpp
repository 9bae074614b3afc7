#include <libnet/net.hpp>

// says: void(libnet::Socket)

namespace asio = boost::asio;

void listen(libnet::Server server) {
  const auto handler = [](libnet::Socket socket) -> asio::awaitable<void> { co_await socket.async_end(); };
#ifdef WRONG
  server.on(libnet::event::connection, handler);
#else
  server.serve(handler);
#endif
}
