#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace bench {

/// The longest backlog: a burst of connections must not wait for a retry of the kernel.
inline constexpr int backlog = 4096;

/// A setting of one rival that all its servers have, such as style=events|await.
struct Choice {
  std::string name;
  std::vector<std::string> values;  ///< The first is taken where none is given.
  std::function<void(const std::string&)> choose;
};

/// A rival: its six servers. Each listens on 127.0.0.1, port 0, calls announce() and serves until a signal ends the process.
struct Rival {
  std::string program;  ///< Such as "bench-bare"; begins its messages.
  std::string version;  ///< What it is made with, such as "libuv 1.44.2".
  std::function<void()> echo;
  std::function<void(std::size_t size)> pieces;  // [bytes]
  std::function<void(std::chrono::milliseconds idle)> timeouts;
  std::function<void(std::size_t block)> stream;  // [bytes]
  std::function<void(std::size_t size)> fan_out;  // [bytes]
  std::function<void(std::uint16_t upstream)> relay;
  std::vector<Choice> choices = {};
};

/// The whole main() of a rival: reads SERVER [NAME=VALUE]... or --version and runs that server.
///
/// Before, it ignores SIGPIPE and allows as many descriptors as the system permits. What a server throws becomes one line
/// on standard error.
/// @return The status to end with: 2 for wrong arguments, 1 after an exception.
int run_rival(int argument_count, const char* const* arguments, const Rival& rival);

/// Says that the server accepts connections at this port: `listening on 127.0.0.1:PORT` on standard output.
void announce(std::uint16_t port);

/// What this was compiled with, such as "g++ 12.2.0".
std::string compiler();

/// What `stream` sends: byte i is i mod 251.
std::vector<char> make_block(std::size_t size);

}  // namespace bench
