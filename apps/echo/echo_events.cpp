// The echo server with listeners: what happens is an event, and code waits for it by listening.
#include "echo.hpp"

namespace event = libnet::event;

void echo_with_events(libnet::Server& server) {
  server.on(event::connection, [](libnet::Socket socket) {
    socket.on(event::data, [socket](libnet::Chunk chunk) mutable {
      if (!socket.write(chunk)) socket.pause();  // the client reads slowly: take no more from it ...
    });
    socket.on(event::drain, [socket]() mutable { socket.resume(); });  // ... until all of it has left
  });
}  // When the client ends its side, the socket sends what is queued, ends too and closes.
