#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "libnet/encoding.hpp"

namespace libnet::core {

/// Makes text of bytes that come in pieces: the same text, however they are cut.
///
/// A plain value without memory of its own. What is not yet a whole character, or a whole group of base64, is held back
/// for the next piece: three bytes at most.
class TextDecoder {
 public:
  TextDecoder() noexcept = default;
  explicit TextDecoder(Encoding encoding) noexcept : encoding_(encoding) {}

  [[nodiscard]] Encoding encoding() const noexcept { return encoding_; }
  /// How many bytes a piece may have, so that its text fits into `room` [bytes], at least 16.
  [[nodiscard]] std::size_t most_input(std::size_t room) const noexcept;
  /// The most that `size` further bytes and what is held can give. [bytes]
  [[nodiscard]] std::size_t most_text(std::size_t size) const noexcept { return 3 * (size + held_.size()); }
  /// Decodes a piece into `text`, where there is room for it, and says how many bytes that gave.
  std::size_t decode(std::span<const std::byte> bytes, std::byte* text) noexcept;
  /// Nothing more comes: decodes what is held into `text`, 4 bytes at most.
  std::size_t finish(std::byte* text) noexcept;

  /// What is held back, as it was received.
  [[nodiscard]] std::span<const std::byte> held() const noexcept { return {held_.data(), held_size_}; }
  void forget_held() noexcept { held_size_ = 0; }
  /// Gives back what is held, as far as there is room, from its beginning; says how many bytes that are.
  std::size_t take_held(std::span<std::byte> bytes) noexcept;

 private:
  std::size_t decode_across(std::span<const std::byte>& bytes, std::byte* text) noexcept;
  void hold(std::span<const std::byte> bytes) noexcept;

  std::array<std::byte, 3> held_{};
  std::uint8_t held_size_ = 0;
  Encoding encoding_ = Encoding::bytes;
};

}  // namespace libnet::core
