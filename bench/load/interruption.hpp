#pragma once

#include <stdexcept>

namespace bench {

/// SIGINT or SIGTERM asked for the end. Everything that waits throws it, so that every server process is ended.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(int number) : std::runtime_error("interrupted"), signal(number) {}

  const int signal;
};

/// From here on SIGINT and SIGTERM are noted instead of ending the process.
void note_interruptions();

/// Called wherever the program waits, several times a second.
/// @throws Interrupted
void throw_if_interrupted();

}  // namespace bench
