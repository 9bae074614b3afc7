#include "core/text_decoder.hpp"

#include <algorithm>
#include <boost/algorithm/hex.hpp>
#include <cstring>
#include <string_view>

#include "core/unicode.hpp"

namespace libnet::core {

namespace {

using Input = std::span<const std::byte>;

// The longest unit: a character in UTF-8 or UTF-16.
constexpr std::size_t longest_unit = 4;

constexpr std::size_t base64_group = 3;

/// How far one call came. What it did not consume is the beginning of a unit.
struct Progress {
  std::size_t consumed = 0;
  std::size_t written = 0;
};

Progress decode_bytes(Input bytes, std::byte* text) noexcept {
  if (!bytes.empty()) std::memcpy(text, bytes.data(), bytes.size());
  return {bytes.size(), bytes.size()};
}

Progress decode_utf8(Input bytes, std::byte* text) noexcept {
  Progress progress;
  while (progress.consumed < bytes.size()) {
    const Input rest = bytes.subspan(progress.consumed);
    const std::size_t whole = well_formed_utf8(rest);
    std::memcpy(text + progress.written, rest.data(), whole);
    progress.consumed += whole;
    progress.written += whole;
    if (whole == rest.size()) break;
    const Character character = first_in_utf8(rest.subspan(whole));
    if (!character.whole) break;
    progress.consumed += character.size;
    progress.written += put_utf8(character.code_point, text + progress.written);
  }
  return progress;
}

Progress decode_utf16le(Input bytes, std::byte* text) noexcept {
  Progress progress;
  while (progress.consumed < bytes.size()) {
    const Character character = first_in_utf16le(bytes.subspan(progress.consumed));
    if (!character.whole) break;
    progress.consumed += character.size;
    progress.written += put_utf8(character.code_point, text + progress.written);
  }
  return progress;
}

Progress decode_characters(Input bytes, std::byte* text, unsigned mask) noexcept {
  Progress progress{bytes.size(), 0};
  for (const std::byte byte : bytes) {
    progress.written += put_utf8(std::to_integer<unsigned>(byte) & mask, text + progress.written);
  }
  return progress;
}

Progress decode_hex(Input bytes, std::byte* text) {
  const auto* const first = reinterpret_cast<const unsigned char*>(bytes.data());
  boost::algorithm::hex_lower(first, first + bytes.size(), reinterpret_cast<unsigned char*>(text));
  return {bytes.size(), 2 * bytes.size()};
}

/// Up to three bytes give one digit more than they are.
std::size_t put_base64(Input group, std::byte* text, bool url) noexcept {
  constexpr std::string_view common = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  std::uint32_t bits = 0;
  for (std::size_t i = 0; i < base64_group; ++i) {
    bits = bits << 8U | (i < group.size() ? std::to_integer<std::uint32_t>(group[i]) : 0U);
  }
  const std::size_t digits = group.size() + 1;
  for (std::size_t i = 0; i < digits; ++i) {
    const std::size_t digit = bits >> (18U - 6U * i) & 0x3FU;
    const std::string_view last = url ? "-_" : "+/";
    text[i] = static_cast<std::byte>(digit < common.size() ? common[digit] : last[digit - common.size()]);
  }
  return digits;
}

Progress decode_base64(Input bytes, std::byte* text, bool url) noexcept {
  Progress progress;
  for (; progress.consumed + base64_group <= bytes.size(); progress.consumed += base64_group) {
    progress.written += put_base64(bytes.subspan(progress.consumed, base64_group), text + progress.written, url);
  }
  return progress;
}

std::size_t put_last_group(Input group, std::byte* text, bool url) noexcept {
  std::size_t written = put_base64(group, text, url);
  while (!url && written < base64_group + 1) text[written++] = std::byte{'='};
  return written;
}

/// Decodes all whole units.
Progress decode_units(Encoding encoding, Input bytes, std::byte* text) noexcept {
  switch (encoding) {
    case Encoding::bytes: break;
    case Encoding::utf8: return decode_utf8(bytes, text);
    case Encoding::ascii: return decode_characters(bytes, text, 0x7F);
    case Encoding::latin1: return decode_characters(bytes, text, 0xFF);
    case Encoding::base64: return decode_base64(bytes, text, false);
    case Encoding::base64url: return decode_base64(bytes, text, true);
    case Encoding::hex: return decode_hex(bytes, text);
    case Encoding::utf16le: return decode_utf16le(bytes, text);
  }
  return decode_bytes(bytes, text);
}

}  // namespace

/// A byte that is no UTF-8 becomes three; else it at most doubles.
std::size_t TextDecoder::most_input(std::size_t room) const noexcept {
  return room / (encoding_ == Encoding::utf8 ? 3 : 2) - held_.size();
}

std::size_t TextDecoder::decode(Input bytes, std::byte* text) noexcept {
  const std::size_t across = held_size_ != 0 ? decode_across(bytes, text) : 0;
  const Progress progress = decode_units(encoding_, bytes, text + across);
  if (progress.consumed < bytes.size()) hold(bytes.subspan(progress.consumed));
  return across + progress.written;
}

/// Decodes the units that begin with what is held, and takes from `bytes` what belongs to them.
std::size_t TextDecoder::decode_across(Input& bytes, std::byte* text) noexcept {
  std::array<std::byte, std::tuple_size_v<decltype(held_)> + longest_unit> window;
  const std::size_t more = std::min(bytes.size(), longest_unit);
  std::copy_n(held_.begin(), held_size_, window.begin());
  std::copy_n(bytes.begin(), more, window.begin() + held_size_);
  const Input all(window.data(), held_size_ + more);
  const Progress progress = decode_units(encoding_, all, text);
  if (progress.consumed >= held_size_) {
    bytes = bytes.subspan(progress.consumed - held_size_);
    forget_held();
  } else {  // a unit would end in the window, so there is nothing behind it
    bytes = {};
    hold(all.subspan(progress.consumed));
  }
  return progress.written;
}

void TextDecoder::hold(Input bytes) noexcept {
  held_size_ = static_cast<std::uint8_t>(bytes.size());
  std::copy(bytes.begin(), bytes.end(), held_.begin());
}

std::size_t TextDecoder::take_held(std::span<std::byte> bytes) noexcept {
  const std::size_t taken = std::min<std::size_t>(bytes.size(), held_size_);
  std::copy_n(held_.begin(), taken, bytes.begin());
  std::copy(held_.begin() + taken, held_.begin() + held_size_, held_.begin());
  held_size_ = static_cast<std::uint8_t>(held_size_ - taken);
  return taken;
}

std::size_t TextDecoder::finish(std::byte* text) noexcept {
  const Input rest = held();
  forget_held();
  if (rest.empty()) return 0;
  const bool base64 = encoding_ == Encoding::base64 || encoding_ == Encoding::base64url;
  return base64 ? put_last_group(rest, text, encoding_ == Encoding::base64url) : put_utf8(replacement_character, text);
}

}  // namespace libnet::core
