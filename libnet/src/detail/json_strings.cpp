#include "detail/json_strings.hpp"

// Boost.JSON is compiled into this file, in a namespace of its own: libnet needs no library at run time for it, and does
// not clash with a program that has Boost.JSON compiled into itself.
#define json json_inside_libnet
#include <boost/json/src.hpp>
#undef json

namespace libnet::detail {

namespace json = boost::json_inside_libnet;

std::string json_of(const std::vector<std::string>& strings) {
  json::array array;
  array.reserve(strings.size());
  for (const std::string& string : strings) array.emplace_back(string);
  return json::serialize(array);
}

std::optional<std::vector<std::string>> strings_of_json(std::string_view text) {
  json::error_code failure;
  const json::value value = json::parse({text.data(), text.size()}, failure);
  if (failure || !value.is_array()) return std::nullopt;
  std::vector<std::string> strings;
  strings.reserve(value.get_array().size());
  for (const json::value& element : value.get_array()) {
    if (!element.is_string()) return std::nullopt;
    strings.emplace_back(element.get_string());
  }
  return strings;
}

}  // namespace libnet::detail
