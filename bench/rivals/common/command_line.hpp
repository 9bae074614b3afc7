#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

struct Rival;

/// Wrong arguments; what() is one line that says what is wrong.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A setting and what it may be: one of `words`, or else a number up to `highest`.
struct Setting {
  std::string name;
  std::string otherwise;  ///< Taken where none is given; empty: it must be given.
  std::uint64_t highest = 0;
  std::vector<std::string> words = {};
};

/// The settings of one server as they were given, all checked.
class Settings {
 public:
  /// @param arguments  NAME=VALUE each.
  /// @throws UsageError for an unknown name, a wrong value, a name given twice, or a missing one.
  Settings(const std::vector<Setting>& known, const std::vector<std::string>& arguments);

  const std::string& text(const std::string& name) const { return values_.at(name); }
  std::uint64_t number(const std::string& name) const { return std::stoull(text(name)); }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace bench
