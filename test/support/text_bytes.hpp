#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace libnet::test {

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string as_text(const std::byte* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Text in which a piece that is lost, repeated or moved is noticed.
inline std::string numbered(std::size_t size) {
  std::string text;
  for (std::size_t number = 0; text.size() < size; ++number) text += std::to_string(number) + ' ';
  text.resize(size);
  return text;
}

}  // namespace libnet::test
