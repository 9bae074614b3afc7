#include <libnet/net.hpp>

// says: void(libnet::Error)

void listen(libnet::Socket socket) {
#ifdef WRONG
  socket.on(libnet::event::error, [] {});
#else
  socket.on(libnet::event::error, [](const libnet::Error&) {});
#endif
}
