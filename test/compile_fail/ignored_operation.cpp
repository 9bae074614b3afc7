#include <libnet/net.hpp>

#pragma GCC diagnostic error "-Wunused-result"

// says: async_write
// says: nodiscard

namespace asio = boost::asio;

asio::awaitable<void> forget(libnet::Socket socket) {
#ifdef WRONG
  socket.async_write("never sent");
#endif
  co_await socket.async_write("sent");
}
