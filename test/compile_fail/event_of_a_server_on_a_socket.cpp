#include <libnet/net.hpp>

// says: SocketTag
// says: ServerTag

void listen(libnet::Socket socket, libnet::Server server) {
  const auto listener = [](libnet::Socket) {};
#ifdef WRONG
  static_cast<void>(server);
  socket.on(libnet::event::connection, listener);
#else
  static_cast<void>(socket);
  server.on(libnet::event::connection, listener);
#endif
}
