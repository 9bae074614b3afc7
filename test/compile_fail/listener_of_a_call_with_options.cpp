#include <libnet/net.hpp>

// says: OptionalListener<void()>

void connect(libnet::Socket socket) {
#ifdef WRONG
  socket.connect({.port = 8080}, [](libnet::Socket) {});
#else
  socket.connect({.port = 8080}, [] {});
#endif
}
