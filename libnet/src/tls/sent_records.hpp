#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "libnet/detail/recycling.hpp"

namespace libnet::tls {

/// Tells from the encoded bytes that have left how many plain bytes have: those whose record has wholly left.
class SentRecords {
 public:
  /// Makes sure that one more record can be noted.
  /// @throws std::bad_alloc.
  void reserve() {
    if (ends_.size() == ends_.capacity()) ends_.reserve(ends_.empty() ? 8 : 2 * ends_.size());
  }

  /// A record of `plain` bytes ends at `encoded`, counted as the transport below counts what it has sent.
  void note(std::size_t plain, std::uint64_t encoded) noexcept {
    taken_ += plain;
    ends_.push_back({taken_, encoded});
  }

  /// Plain bytes that have left. [since the transport was made]
  /// @param encoded  How many the transport below has sent.
  std::uint64_t sent(std::uint64_t encoded) noexcept {
    while (first_ < ends_.size() && ends_[first_].encoded <= encoded) sent_ = ends_[first_++].plain;
    if (first_ == ends_.size()) {
      if (first_ != 0) Ends().swap(ends_);
      first_ = 0;
    } else if (first_ >= compact_after && 2 * first_ >= ends_.size()) {
      ends_.erase(ends_.begin(), ends_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
    return sent_;
  }

  std::uint64_t taken() const noexcept { return taken_; }

 private:
  struct End {
    std::uint64_t plain;
    std::uint64_t encoded;
  };
  using Ends = std::vector<End, detail::RecyclingAllocator<End>>;
  static constexpr std::size_t compact_after = 64;

  Ends ends_;  // those before first_ have left
  std::size_t first_ = 0;
  std::uint64_t taken_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace libnet::tls
