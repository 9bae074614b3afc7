#include <libnet/net.hpp>

// says: serve

void listen(libnet::Server server) {
#ifdef WRONG
  server.serve([](libnet::Socket) {});
#else
  server.serve([](libnet::Socket) -> boost::asio::awaitable<void> { co_return; });
#endif
}
