#include <libnet/net.hpp>

// says: void(libnet::Chunk)

namespace asio = boost::asio;

void listen(libnet::Socket socket) {
#ifdef WRONG
  socket.on(libnet::event::data, [](libnet::Chunk) -> asio::awaitable<void> { co_return; });
#else
  socket.on(libnet::event::data, [](libnet::Chunk) {});
#endif
}
