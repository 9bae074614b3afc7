#include "json.hpp"

#include <algorithm>
#include <fstream>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string_view>

// Boost.JSON is compiled here.
#include <fmt/core.h>
#include <boost/json/src.hpp>

namespace bench {

namespace json = boost::json;

namespace {

/// Only numbers, or points.
bool is_short(const json::array& list) {
  return std::ranges::all_of(list, [](const json::value& one) { return one.is_number() || one.is_array(); });
}

void print(std::string& out, const json::value& value, std::size_t depth);

void begin_line(std::string& out, std::size_t depth) { out += '\n' + std::string(2 * depth, ' '); }

void print_object(std::string& out, const json::object& object, std::size_t depth) {
  out += '{';
  for (const auto& [key, value] : object) {
    if (out.back() != '{') out += ',';
    begin_line(out, depth + 1);
    out += json::serialize(key) + ": ";
    print(out, value, depth + 1);
  }
  begin_line(out, depth);
  out += '}';
}

void print_list(std::string& out, const json::array& list, std::size_t depth) {
  out += '[';
  for (const json::value& value : list) {
    if (out.back() != '[') out += ',';
    begin_line(out, depth + 1);
    print(out, value, depth + 1);
  }
  begin_line(out, depth);
  out += ']';
}

void print_row(std::string& out, const json::array& list) {
  out += '[';
  for (const json::value& value : list) {
    if (&value != list.begin()) out += ", ";
    print(out, value, 0);
  }
  out += ']';
}

void print(std::string& out, const json::value& value, std::size_t depth) {
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    print_object(out, *object, depth);
  } else if (const auto* list = value.if_array(); list != nullptr && !is_short(*list)) {
    print_list(out, *list, depth);
  } else if (list != nullptr) {
    print_row(out, *list);
  } else if (const double* number = value.if_double()) {
    out += fmt::format("{}", *number);  // the shortest that reads back as the same
  } else {
    out += json::serialize(value);
  }
}

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw std::runtime_error(fmt::format("{} is no benchmark result: {}", name, why));
}

void require_format(const json::value& value, const std::string& name) {
  const auto* object = value.if_object();
  const json::value* format = object == nullptr ? nullptr : object->if_contains("format");
  if (format == nullptr) refuse(name, "it has no format");
  if (*format != Result::current_format) refuse(name, "its format is " + json::serialize(*format) + ", not 1");
}

/// The list of that name; empty where there is none, which converting will complain about.
std::span<json::value> list_in(json::value& value, std::string_view name) {
  auto* object = value.if_object();
  json::value* member = object == nullptr ? nullptr : object->if_contains(name);
  json::array* list = member == nullptr ? nullptr : member->if_array();
  return list == nullptr ? std::span<json::value>() : std::span(list->data(), list->size());
}

/// Rows that were written before instructions were counted have none.
void add_newer_members(json::value& value) {
  for (json::value& scenario : list_in(value, "scenarios")) {
    for (json::value& row : list_in(scenario, "rows")) {
      if (auto* members = row.if_object()) members->emplace("instructions", nullptr);
    }
  }
}

}  // namespace

std::string to_json(const Result& result) {
  std::string out;
  print(out, json::value_from(result), 0);
  return out + '\n';
}

Result from_json(const std::string& text, const std::string& name) {
  json::error_code error;
  json::value value = json::parse(text, error);
  if (error) refuse(name, error.message());
  require_format(value, name);
  add_newer_members(value);
  auto result = json::try_value_to<Result>(value);
  if (!result) refuse(name, "a member is missing or of another kind: " + result.error().message());
  return *std::move(result);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (!file || !(content << file.rdbuf())) throw std::runtime_error("cannot read " + path);
  return std::move(content).str();
}

void write_file(const std::string& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace bench
