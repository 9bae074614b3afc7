#pragma once

#include <optional>
#include <string>
#include <vector>

#include "result.hpp"

namespace bench {

/// Another implementation of the same servers.
struct Rival {
  std::string name;
  std::vector<std::string> program{};   ///< The program, and arguments before the server's name.
  std::vector<std::string> settings{};  ///< What each of its servers is told: NAME=VALUE.
  std::string needs{};                  ///< What must be installed to build or run it; empty: nothing else.
  std::string uncountable{};            ///< Why its instructions say nothing; empty: they do.
  bool uses_malloc = true;              ///< Else its heap is its own, and counting calls of malloc says nothing.
};

/// What all are compared with.
inline constexpr const char* baseline = "bare";

/// All of them, in the order of README.md.
/// @param programs  The folder of their programs.
/// @param sources   The folder of this benchmark's sources, for those that are not compiled.
std::vector<Rival> rivals(const std::string& programs, const std::string& sources);

/// Asks a rival what it is made with, or finds out what is missing.
RivalRecord inspect(const Rival& rival);

}  // namespace bench
