#include "core/unicode.hpp"

#include <cstring>

namespace libnet::core {

namespace {

/// What may follow the first byte of a character in UTF-8: RFC 3629, section 4.
struct Shape {
  std::uint8_t size;  // 0: no character begins so
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;  // of the second byte; the others are 80..BF
};

constexpr Shape shape_of(std::uint8_t first) noexcept {
  if (first < 0x80) return {1};
  if (first < 0xC2) return {0};
  if (first < 0xE0) return {2};
  if (first < 0xF0)
    return {3, first == 0xE0 ? std::uint8_t{0xA0} : std::uint8_t{0x80},
            first == 0xED ? std::uint8_t{0x9F} : std::uint8_t{0xBF}};
  if (first < 0xF5)
    return {4, first == 0xF0 ? std::uint8_t{0x90} : std::uint8_t{0x80},
            first == 0xF4 ? std::uint8_t{0x8F} : std::uint8_t{0xBF}};
  return {0};
}

constexpr Character not_well_formed(std::size_t size) noexcept {
  return {.code_point = replacement_character, .size = static_cast<std::uint8_t>(size), .valid = false};
}

constexpr Character cut_off(std::size_t size) noexcept {
  return {.code_point = replacement_character, .size = static_cast<std::uint8_t>(size), .whole = false, .valid = false};
}

constexpr std::byte to_byte(char32_t value) noexcept { return static_cast<std::byte>(value & 0xFF); }

/// How many [bytes] at the beginning are ASCII, in whole words.
std::size_t ascii_words(std::span<const std::byte> bytes) noexcept {
  std::size_t size = 0;
  for (std::uint64_t word = 0; size + sizeof word <= bytes.size(); size += sizeof word) {
    std::memcpy(&word, bytes.data() + size, sizeof word);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  return size;
}

}  // namespace

Character first_in_utf8(std::span<const std::byte> bytes) noexcept {
  const auto first = std::to_integer<std::uint8_t>(bytes[0]);
  const Shape shape = shape_of(first);
  if (shape.size == 0) return not_well_formed(1);
  if (shape.size == 1) return {.code_point = first, .size = 1};
  char32_t code_point = first & (0xFFU >> (shape.size + 1U));
  for (std::size_t i = 1; i < shape.size; ++i) {
    if (i == bytes.size()) return cut_off(i);
    const auto next = std::to_integer<std::uint8_t>(bytes[i]);
    const bool fits = i == 1 ? shape.low <= next && next <= shape.high : (next & 0xC0U) == 0x80U;
    if (!fits) return not_well_formed(i);
    code_point = code_point << 6U | (next & 0x3FU);
  }
  return {.code_point = code_point, .size = shape.size};
}

Character first_in_utf16le(std::span<const std::byte> bytes) noexcept {
  const auto unit = [&](std::size_t at) {
    return std::to_integer<char32_t>(bytes[at]) | std::to_integer<char32_t>(bytes[at + 1]) << 8U;
  };
  if (bytes.size() < 2) return cut_off(bytes.size());
  const char32_t first = unit(0);
  if (first < 0xD800 || first > 0xDFFF) return {.code_point = first, .size = 2};
  if (first > 0xDBFF) return not_well_formed(2);
  if (bytes.size() < 4) return cut_off(bytes.size());
  const char32_t second = unit(2);
  if (second < 0xDC00 || second > 0xDFFF) return not_well_formed(2);
  return {.code_point = 0x10000 + ((first - 0xD800) << 10U) + (second - 0xDC00), .size = 4};
}

std::size_t well_formed_utf8(std::span<const std::byte> bytes) noexcept {
  std::size_t size = 0;
  while (size < bytes.size()) {
    size += ascii_words(bytes.subspan(size));
    if (size == bytes.size()) break;
    const Character character = first_in_utf8(bytes.subspan(size));
    if (!character.valid) break;
    size += character.size;
  }
  return size;
}

std::size_t put_utf8(char32_t code_point, std::byte* out) noexcept {
  const auto rest = [code_point](unsigned shift) { return to_byte(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) {
    out[0] = to_byte(code_point);
    return 1;
  }
  if (code_point < 0x800) {
    out[0] = to_byte(0xC0 | code_point >> 6U);
    out[1] = rest(0);
    return 2;
  }
  if (code_point < 0x10000) {
    out[0] = to_byte(0xE0 | code_point >> 12U);
    out[1] = rest(6);
    out[2] = rest(0);
    return 3;
  }
  out[0] = to_byte(0xF0 | code_point >> 18U);
  out[1] = rest(12);
  out[2] = rest(6);
  out[3] = rest(0);
  return 4;
}

}  // namespace libnet::core
