#pragma once

#include <optional>
#include <string_view>

namespace CLI {
class App;
}

/// What the programs here have in common.

/// The status of a program that was called wrongly.
inline constexpr int usage_status = 2;

/// Writes one line on standard error: `program: what`.
void complain(std::string_view program, std::string_view what);

/// Reads the arguments into the variables that `app` knows.
/// @param program  Begins the line on standard error that says what is wrong.
/// @return         Nothing: go on. Else the status to end with: 0 after --help, `usage_status` after a complaint.
std::optional<int> read_command_line(CLI::App& app, std::string_view program, int argument_count,
                                     const char* const* arguments);
