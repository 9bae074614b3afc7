#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace libnet::detail {

/// A JSON array of strings.
std::string json_of(const std::vector<std::string>& strings);

/// The strings of a JSON array; nothing when the text is something else.
std::optional<std::vector<std::string>> strings_of_json(std::string_view json);

}  // namespace libnet::detail
