#include <libnet/net.hpp>

// says: void(libnet::Chunk)
// says: data

void listen(libnet::Socket socket) {
#ifdef WRONG
  socket.on(libnet::event::data, [](int) {});
#else
  socket.on(libnet::event::data, [](libnet::Chunk) {});
  socket.on(libnet::event::data, [](std::string_view) {});
#endif
}
