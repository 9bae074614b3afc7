#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <new>
#include <span>
#include <utility>

#include "detail/thread_cache.hpp"

namespace libnet::tls {

/// Encoded bytes on their way to the transport below, in one piece of memory. Empty, it owns none.
///
/// A thread keeps a few pieces, so a steady state never reaches the heap.
class OutputBlock {
 public:
  /// Room for what may be held before a write is refused, one more record of data, and records of the protocol. [bytes]
  static constexpr std::size_t capacity = 96 * 1024;

  OutputBlock() noexcept = default;
  OutputBlock(const OutputBlock&) = delete;
  OutputBlock& operator=(const OutputBlock&) = delete;
  ~OutputBlock() { give_back(); }

  /// Makes sure that there is memory, and that what has left makes room for `wanted` more bytes where it can.
  /// @throws std::bad_alloc.
  void reserve(std::size_t wanted) {
    if (memory_ == nullptr) {
      void* const kept = Cache::take(0);
      memory_ = static_cast<std::byte*>(kept != nullptr ? kept : ::operator new(capacity));
    } else if (capacity - end_ < wanted && begin_ > 0) {
      std::memmove(memory_, memory_ + begin_, size());
      end_ -= std::exchange(begin_, std::size_t{0});
    }
  }

  /// Where the next bytes go; nothing without memory.
  std::span<std::byte> room() noexcept {
    return memory_ != nullptr ? std::span(memory_ + end_, capacity - end_) : std::span<std::byte>();
  }
  void append(std::size_t bytes) noexcept { end_ += bytes; }

  std::span<std::byte> held() noexcept { return {memory_ + begin_, size()}; }
  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }

  void consume(std::size_t bytes) noexcept {
    begin_ += bytes;
    if (empty()) give_back();
  }

  /// Drops what it holds, and the memory.
  void give_back() noexcept {
    begin_ = end_ = 0;
    if (memory_ == nullptr) return;
    void* const memory = std::exchange(memory_, nullptr);
    if (!Cache::keep(memory, 0)) ::operator delete(memory);
  }

 private:
  static constexpr std::array<std::size_t, 1> kept_blocks{8};
  using Cache = detail::ThreadCache<OutputBlock, kept_blocks>;

  std::byte* memory_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace libnet::tls
