#include <cstdlib>
#include <exception>
#include <iostream>

#include "program.hpp"

int main(int argument_count, char** arguments) try {
  int status = EXIT_SUCCESS;
  const auto options = parse_options(argument_count, arguments, status);
  if (!options) return status;
  return EchoProgram(*options).run();
} catch (const std::exception& error) {
  std::cerr << "libnet-echo: " << error.what() << '\n';
  return EXIT_FAILURE;
}
