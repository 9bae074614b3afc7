#include "common/rival.hpp"
#include "servers.hpp"

int main(int argument_count, char** arguments) {
  Choices choices;
  const auto choose_style = [&](const std::string& style) { choices.awaits = style == "await"; };
  const auto choose_reactor = [&](const std::string& reactor) {
    choices.reactor = reactor == "epoll" ? libnet::ReactorKind::epoll : libnet::ReactorKind::portable;
  };
  return bench::run_rival(
      argument_count, arguments,
      {.program = "bench-libnet",
       .version = "libnet " LIBNET_VERSION ", " + bench::compiler(),
       .echo = [&] { serve_echo(choices); },
       .pieces = [&](std::size_t size) { serve_pieces(choices, size); },
       .timeouts = [&](std::chrono::milliseconds idle) { serve_timeouts(choices, idle); },
       .stream = [&](std::size_t block) { serve_stream(choices, block); },
       .fan_out = [&](std::size_t size) { serve_fan_out(choices, size); },
       .relay = [&](std::uint16_t upstream) { serve_relay(choices, upstream); },
       .choices = {{"style", {"events", "await"}, choose_style}, {"reactor", {"epoll", "portable"}, choose_reactor}}});
}
