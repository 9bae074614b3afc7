#include <libnet/net.hpp>

// says: void(libnet::Socket)

void listen(libnet::Server server) {
#ifdef WRONG
  server.on(libnet::event::connection, [](libnet::Server) {});
#else
  server.on(libnet::event::connection, [](libnet::Socket) {});
#endif
}
