#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

/// Characters at the beginning of encoded bytes.
namespace libnet::core {

inline constexpr char32_t replacement_character = 0xFFFD;

/// The first character of some bytes, or what stands in its place.
struct Character {
  char32_t code_point;  ///< U+FFFD for bytes that are not well-formed.
  std::uint8_t size;    ///< [bytes]
  bool whole = true;    ///< False if the bytes end before the character does; all of them belong to it then.
  bool valid = true;
};

/// `bytes` must not be empty. Of what is not well-formed, the longest part that could begin a character counts as one
/// (Unicode 15, section 3.9, "U+FFFD Substitution of Maximal Subparts"), as in web browsers and Node.
[[nodiscard]] Character first_in_utf8(std::span<const std::byte> bytes) noexcept;
/// `bytes` must not be empty. A surrogate without its partner is not well-formed.
[[nodiscard]] Character first_in_utf16le(std::span<const std::byte> bytes) noexcept;

/// How many [bytes] at the beginning are whole, well-formed characters.
[[nodiscard]] std::size_t well_formed_utf8(std::span<const std::byte> bytes) noexcept;

/// Writes the character, 1 to 4 bytes; returns how many.
std::size_t put_utf8(char32_t code_point, std::byte* out) noexcept;

}  // namespace libnet::core
