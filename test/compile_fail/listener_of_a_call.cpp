#include <libnet/net.hpp>

// says: OptionalListener<void()>

void listen(libnet::Server server) {
#ifdef WRONG
  server.listen(8080, "localhost", 100, [](libnet::Socket) {});
#else
  server.listen(8080, "localhost", 100, [] {});
#endif
}
