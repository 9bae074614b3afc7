#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include <boost/version.hpp>

#include "common/rival.hpp"

void serve_echo();
void serve_pieces(std::size_t size);
void serve_timeouts(std::chrono::milliseconds idle);
void serve_stream(std::size_t block);
void serve_fan_out(std::size_t size);
void serve_relay(std::uint16_t upstream);

namespace bench {

/// The main() of a rival on Asio that defines the servers above.
/// @param library  Which part of Boost it uses, such as "Asio callbacks".
inline int run_asio_rival(int argument_count, const char* const* arguments, const std::string& program,
                          const std::string& library) {
  const std::string boost =
      "Boost " + std::to_string(BOOST_VERSION / 100000) + "." + std::to_string(BOOST_VERSION / 100 % 1000);
  return run_rival(argument_count, arguments,
                   {.program = program,
                    .version = library + " of " + boost + ", " + compiler(),
                    .echo = serve_echo,
                    .pieces = serve_pieces,
                    .timeouts = serve_timeouts,
                    .stream = serve_stream,
                    .fan_out = serve_fan_out,
                    .relay = serve_relay});
}

}  // namespace bench
