#include "common/command_line.hpp"

#include <algorithm>
#include <charconv>

namespace bench {

namespace {

std::string join(const std::vector<std::string>& words, const char* between) {
  std::string all;
  for (const std::string& word : words) all += (all.empty() ? "" : between) + word;
  return all;
}

std::string names(const std::vector<Setting>& known) {
  std::vector<std::string> all;
  for (const Setting& setting : known) all.push_back(setting.name);
  return all.empty() ? "none" : join(all, ", ");
}

bool is_number(const std::string& text, std::uint64_t highest) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  return result.ec == std::errc() && result.ptr == end && number >= 1 && number <= highest;
}

void check(const Setting& setting, const std::string& value) {
  if (!setting.words.empty()) {
    if (std::ranges::count(setting.words, value) != 0) return;
    throw UsageError(setting.name + "=" + value + ": it must be " + join(setting.words, " or "));
  }
  if (is_number(value, setting.highest)) return;
  throw UsageError(setting.name + "=" + value + ": it must be a number from 1 to " + std::to_string(setting.highest));
}

const Setting& find(const std::vector<Setting>& known, const std::string& name) {
  const auto found = std::ranges::find(known, name, &Setting::name);
  if (found == known.end()) throw UsageError("'" + name + "' is no setting here; there are: " + names(known));
  return *found;
}

}  // namespace

Settings::Settings(const std::vector<Setting>& known, const std::vector<std::string>& arguments) {
  for (const std::string& argument : arguments) {
    const auto equals = argument.find('=');
    if (equals == std::string::npos) throw UsageError("'" + argument + "' is not NAME=VALUE");
    const std::string value = argument.substr(equals + 1);
    const Setting& setting = find(known, argument.substr(0, equals));
    check(setting, value);
    if (!values_.emplace(setting.name, value).second) throw UsageError(setting.name + " is given twice");
  }
  for (const Setting& setting : known) {
    if (!values_.contains(setting.name) && setting.otherwise.empty()) throw UsageError(setting.name + "= is missing");
    values_.emplace(setting.name, setting.otherwise);
  }
}

}  // namespace bench
