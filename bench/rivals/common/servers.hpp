#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/rival.hpp"

// The servers of a rival that has no choices: each is defined in a file of its name.
void serve_echo();
void serve_pieces(std::size_t size);
void serve_timeouts(std::chrono::milliseconds idle);
void serve_stream(std::size_t block);
void serve_fan_out(std::size_t size);
void serve_relay(std::uint16_t upstream);

namespace bench {

/// The whole main() of such a rival.
inline int run_rival(int argument_count, const char* const* arguments, const std::string& program,
                     const std::string& version) {
  return run_rival(argument_count, arguments,
                   {.program = program,
                    .version = version,
                    .echo = serve_echo,
                    .pieces = serve_pieces,
                    .timeouts = serve_timeouts,
                    .stream = serve_stream,
                    .fan_out = serve_fan_out,
                    .relay = serve_relay});
}

}  // namespace bench
