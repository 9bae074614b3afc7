#pragma once

#include <optional>
#include <string>
#include <vector>

namespace bench {

/// What the command line says.
struct Options {
  bool list = false;
  std::vector<std::string> scenarios;  ///< Empty: all.
  std::vector<std::string> rivals;     ///< Empty: all.
  unsigned rounds = 7;
  unsigned window_ms = 1000;
  bool quick = false;
  bool counting = true;
  bool instructions = false;  ///< Count instructions in place of timing.
  std::string output;         ///< A file for the JSON; empty: none.
  std::string html;           ///< A file for the page; empty: none.
  std::string compare;        ///< A file with an older result; empty: none.
};

/// Reads the command line. Without options to run with, the process is to end with `status`: after --help, or after a
/// complaint on standard error.
/// @param scenarios  The known names.
/// @param rivals     The known names.
std::optional<Options> parse_options(int argument_count, const char* const* arguments,
                                     const std::vector<std::string>& scenarios, const std::vector<std::string>& rivals,
                                     int& status);

}  // namespace bench
