#include <libnet/net.hpp>

// says: void()
// says: end

void listen(libnet::Socket socket) {
#ifdef WRONG
  socket.once(libnet::event::end, [](libnet::Chunk) {});
#else
  socket.once(libnet::event::end, [] {});
#endif
}
