#include <libnet/net.hpp>

// says: async_wait
// says: SocketEvent::data

namespace asio = boost::asio;

asio::awaitable<void> wait(libnet::Socket socket) {
#ifdef WRONG
  co_await socket.async_wait(libnet::event::data);
#else
  co_await socket.async_wait(libnet::event::end);
#endif
}
