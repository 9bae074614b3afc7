#include <libnet/net.hpp>

// says: async_wait
// says: ServerEvent::connection

namespace asio = boost::asio;

asio::awaitable<void> wait(libnet::Server server) {
#ifdef WRONG
  co_await server.async_wait(libnet::event::connection);
#else
  co_await server.async_wait(libnet::event::listening);
#endif
}
