#include <cstdlib>
#include <exception>

#include "common/command_line.hpp"
#include "program.hpp"

int main(int argument_count, char** arguments) try {
  int status = EXIT_SUCCESS;
  const auto options = parse_options(argument_count, arguments, status);
  if (!options) return status;
  return EchoProgram(*options).run();
} catch (const std::exception& error) {
  complain("libnet-echo", error.what());
  return EXIT_FAILURE;
}
