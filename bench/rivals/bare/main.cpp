#include "common/rival.hpp"
#include "servers.hpp"

int main(int argument_count, char** arguments) {
  return bench::run_rival(argument_count, arguments,
                          {.program = "bench-bare",
                           .version = "epoll, " + bench::compiler(),
                           .echo = serve_echo,
                           // Sends the whole at once: what small writes cost at least.
                           .pieces = [](std::size_t) { serve_echo(); },
                           .timeouts = serve_timeouts,
                           .stream = serve_stream,
                           .fan_out = serve_fan_out,
                           .relay = serve_relay});
}
