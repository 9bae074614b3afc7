#include "core/text_encoder.hpp"

#include <array>
#include <boost/algorithm/hex.hpp>
#include <cstdint>
#include <iterator>
#include <span>

#include "core/text_decoder.hpp"
#include "core/unicode.hpp"

namespace libnet::core {

namespace {

std::string well_formed(std::string_view text) {
  TextDecoder decoder(Encoding::utf8);
  std::string made(3 * text.size(), '\0');
  auto* const out = reinterpret_cast<std::byte*>(made.data());
  std::size_t size = decoder.decode(std::as_bytes(std::span(text)), out);
  size += decoder.finish(out + size);
  made.resize(size);
  return made;
}

template <class Take>
void for_each_utf16_unit(std::string_view text, Take take) {
  auto rest = std::as_bytes(std::span(text));
  while (!rest.empty()) {
    const Character character = first_in_utf8(rest);
    rest = rest.subspan(character.size);
    const char32_t above = character.code_point - 0x10000;
    if (character.code_point < 0x10000) {
      take(character.code_point);
    } else {
      take(0xD800 + (above >> 10U));
      take(0xDC00 + (above & 0x3FFU));
    }
  }
}

std::string to_latin1(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for_each_utf16_unit(text, [&](char32_t unit) { bytes += static_cast<char>(unit & 0xFFU); });
  return bytes;
}

std::string to_utf16le(std::string_view text) {
  std::string bytes;
  bytes.reserve(2 * text.size());
  for_each_utf16_unit(text, [&](char32_t unit) {
    bytes += static_cast<char>(unit & 0xFFU);
    bytes += static_cast<char>(unit >> 8U);
  });
  return bytes;
}

std::optional<std::string> from_hex(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() / 2);
  try {
    boost::algorithm::unhex(text.begin(), text.end(), std::back_inserter(bytes));
  } catch (const boost::algorithm::hex_decode_error&) {
    return std::nullopt;
  }
  return bytes;
}

/// What a character of base64 text is worth: a digit of either alphabet, or one of these.
enum Worth : std::uint8_t { padding = 64, white_space, no_digit };

constexpr std::array<std::uint8_t, 256> base64_worths() noexcept {
  std::array<std::uint8_t, 256> worths{};
  worths.fill(no_digit);
  std::uint8_t next = 0;
  for (char c = 'A'; c <= 'Z'; ++c) worths[static_cast<unsigned char>(c)] = next++;
  for (char c = 'a'; c <= 'z'; ++c) worths[static_cast<unsigned char>(c)] = next++;
  for (char c = '0'; c <= '9'; ++c) worths[static_cast<unsigned char>(c)] = next++;
  worths['+'] = worths['-'] = 62;
  worths['/'] = worths['_'] = 63;
  worths['='] = padding;
  for (const char c : {' ', '\t', '\n', '\r', '\f', '\v'}) worths[static_cast<unsigned char>(c)] = white_space;
  return worths;
}

std::optional<std::string> from_base64(std::string_view text) {
  static constexpr auto worths = base64_worths();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  std::size_t digits = 0;  // since the last whole group of four
  std::size_t paddings = 0;
  for (const char c : text) {
    const std::uint8_t worth = worths[static_cast<std::uint8_t>(c)];
    if (worth == white_space) continue;
    if (worth == padding) {
      ++paddings;
      continue;
    }
    if (worth == no_digit || paddings != 0) return std::nullopt;
    bits = bits << 6U | worth;
    digits = (digits + 1) % 4;
    static constexpr std::array<unsigned, 4> spare{0, 6, 4, 2};  // bits of the byte after this one
    if (digits != 1) bytes += static_cast<char>(bits >> spare[digits] & 0xFFU);
  }
  const bool padded_rightly = paddings == 0 || (digits >= 2 && digits + paddings == 4);
  if (digits == 1 || !padded_rightly) return std::nullopt;
  return bytes;
}

}  // namespace

std::optional<std::string> encode_text(std::string_view text, Encoding encoding) {
  switch (encoding) {
    case Encoding::bytes: break;
    case Encoding::utf8: return well_formed(text);
    case Encoding::ascii:
    case Encoding::latin1: return to_latin1(text);
    case Encoding::base64:
    case Encoding::base64url: return from_base64(text);
    case Encoding::hex: return from_hex(text);
    case Encoding::utf16le: return to_utf16le(text);
  }
  return std::string(text);
}

}  // namespace libnet::core
