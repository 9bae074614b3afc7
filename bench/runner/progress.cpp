#include "progress.hpp"

#include <iostream>

#include <fmt/core.h>
#include <unistd.h>

namespace bench {

namespace {

constexpr const char* rewrite = "\r\033[K";  // to the start of the line, and empty it

}  // namespace

Progress::Progress(std::size_t steps) : steps_(steps), terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::show(const std::string& what) {
  ++done_;
  const std::string line = fmt::format("[{}/{}] {}", done_, steps_, what);
  std::cerr << (terminal_ ? rewrite + line : line + '\n') << std::flush;
}

void Progress::clear() const {
  if (terminal_) std::cerr << rewrite << std::flush;
}

}  // namespace bench
