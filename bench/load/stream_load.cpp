#include "stream_load.hpp"

namespace bench {

void StreamLoad::connect(std::uint16_t port) {
  for (Sink& sink : sinks_) {
    sink.socket = start_connect(port);
    watch(sink.socket, &sink, EPOLLIN);
  }
}

void StreamLoad::ready(void* watched, std::uint32_t) {
  Sink& sink = *static_cast<Sink*>(watched);
  const std::size_t size = receive_checked(sink.socket, pattern_, sink.received);
  sink.received += size;
  arrived_ += size;
}

}  // namespace bench
