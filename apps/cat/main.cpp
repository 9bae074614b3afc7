#include <csignal>
#include <exception>

#include "common/command_line.hpp"
#include "program.hpp"

int main(int argument_count, char** arguments) try {
  fill_standard_descriptors();
  std::signal(SIGPIPE, SIG_IGN);  // standard output without a reader is an error of write(2)
  Options options;
  if (const auto ended = parse_options(argument_count, arguments, options)) return *ended;
  return CatProgram(options).run();
} catch (const std::exception& error) {
  complain("cat", error.what());
  return static_cast<int>(Status::failed);
}
