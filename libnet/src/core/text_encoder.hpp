#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libnet/encoding.hpp"

namespace libnet::core {

/// The bytes that text stands for; nothing if the text is not what the encoding asks for, which only hex and base64 can
/// be.
[[nodiscard]] std::optional<std::string> encode_text(std::string_view text, Encoding encoding);

}  // namespace libnet::core
