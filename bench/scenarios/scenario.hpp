#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "load/load.hpp"

namespace bench {

/// What is smaller in a quick run, or on a machine that cannot do more.
struct Scale {
  std::size_t idle_connections = 10'000;
  std::size_t fan_out_connections = 1'000;
};

/// The figure that decides.
enum class Leading {
  cpu,           ///< Of the server, for each unit.
  rate,          ///< Units a second.
  bytes,         ///< Private memory of the server, for each unit. Nothing is timed: the load ends by itself.
  instructions,  ///< Of the server in user space, for each unit. Nothing is timed: the load goes by rounds.
};

/// A comparison: which server, how it is driven, what is counted.
struct Scenario {
  std::string name;
  std::string title;
  std::string unit;
  Leading leading = Leading::cpu;
  std::string server;
  std::vector<std::string> settings;  ///< Of the server: NAME=VALUE.
  std::function<std::unique_ptr<Load>()> load;
};

/// All of them, in the order of the table in README.md.
std::vector<Scenario> scenarios(const Scale& scale);

/// Each scenario's file has one of these; that is all it takes.
class Registered {
 public:
  /// @param place     Among the others in lists and tables.
  /// @param describe  Makes it for a scale.
  Registered(int place, std::function<Scenario(const Scale&)> describe);
};

/// The `load` of a scenario: a load of that type with these settings.
template <class AnyLoad>
auto driven_by(const typename AnyLoad::Settings& settings) {
  return [settings] { return std::make_unique<AnyLoad>(settings); };
}

}  // namespace bench
