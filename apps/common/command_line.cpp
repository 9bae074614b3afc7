#include "command_line.hpp"

#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

void complain(std::string_view program, std::string_view what) {
  std::string line(program);  // in one piece: others write to the same terminal
  line.append(": ").append(what).append("\n");
  std::cerr << line << std::flush;
}

std::optional<int> read_command_line(CLI::App& app, std::string_view program, int argument_count,
                                     const char* const* arguments) try {
  app.parse(argument_count, arguments);
  return std::nullopt;
} catch (const CLI::Success& help) {
  return app.exit(help);
} catch (const CLI::ParseError& error) {
  complain(program, error.what() + std::string(" (--help lists the options)"));
  return usage_status;
}
