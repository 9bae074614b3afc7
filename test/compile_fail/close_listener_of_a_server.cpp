#include <libnet/net.hpp>

// says: ServerEvent::close
// says: void()

void listen(libnet::Server server) {
#ifdef WRONG
  server.on(libnet::event::close, [](bool) {});
#else
  server.on(libnet::event::close, [] {});
#endif
}
