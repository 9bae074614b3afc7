#include <libnet/net.hpp>

// says: no_delay
// says: ServerOptions

#ifdef WRONG
constexpr libnet::ServerOptions options{.no_delay = true};
#else
constexpr libnet::ServerOptions options{.socket = {.no_delay = true}};
#endif

void listen(libnet::Socket like) { libnet::Server(like, options).listen(8080); }
