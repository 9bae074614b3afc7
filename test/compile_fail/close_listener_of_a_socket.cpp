#include <libnet/net.hpp>

#include <string>

// says: void(bool)

void listen(libnet::Socket socket) {
#ifdef WRONG
  socket.prepend(libnet::event::close, [](std::string) {});
#else
  socket.prepend(libnet::event::close, [](bool) {});
#endif
}
