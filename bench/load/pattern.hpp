#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

/// The bytes of a stream from any offset on: what was lost, doubled or mixed up does not fit.
/// Byte i of a block is i mod 251; the block repeats.
class Pattern {
 public:
  static constexpr std::size_t period = 251;
  /// The most that is moved or compared at once [bytes].
  static constexpr std::size_t reach = 256 * 1024;

  explicit Pattern(std::size_t block = period) : block_(block), bytes_(block + reach) {
    for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = static_cast<char>(i % block_ % period);
  }

  /// `reach` bytes of the stream.
  const char* at(std::uint64_t offset) const { return &bytes_[offset % block_]; }

 private:
  std::size_t block_;
  std::vector<char> bytes_;
};

}  // namespace bench
