#pragma once

#include <string>

#include "result.hpp"

namespace bench {

/// The result as README.md describes it: indented, one member a line, lists of numbers on one line.
std::string to_json(const Result& result);

/// @param name  Of the file, for errors.
/// @throws std::runtime_error that names the file and what is wrong: no JSON, another format, a member missing.
Result from_json(const std::string& text, const std::string& name);

std::string read_file(const std::string& path);
void write_file(const std::string& path, const std::string& content);

}  // namespace bench
