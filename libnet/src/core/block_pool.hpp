#pragma once

#include <array>
#include <cstddef>
#include <new>
#include <utility>

#include "detail/thread_cache.hpp"

/// Memory to receive into.
namespace libnet::core {

/// The size of a full block. [bytes]
inline constexpr std::size_t block_size = 64 * 1024;

/// How many full blocks a thread keeps.
inline constexpr std::array<std::size_t, 1> kept_blocks{32};

using BlockCache = detail::ThreadCache<struct BlockTag, kept_blocks>;

/// How many free full blocks this thread keeps, 32 at most.
[[nodiscard]] std::size_t pooled_blocks() noexcept;

/// Owns memory to receive into; gives it back to the pool of the thread that destroys it. The memory is not zeroed.
///
/// A thread keeps a few full blocks, so receiving does not allocate in steady state.
class Block {
 public:
  /// No memory.
  Block() noexcept = default;

  /// A full block.
  /// @throws std::bad_alloc.
  [[nodiscard]] static Block take() {
    void* const memory = BlockCache::take(0);
    return {static_cast<std::byte*>(memory != nullptr ? memory : ::operator new(block_size)), block_size};
  }

  /// Memory for `at_least` bytes: a small request gets its size class, others a full block, or exactly what they ask
  /// for if that is more.
  /// @throws std::bad_alloc.
  [[nodiscard]] static Block take(std::size_t at_least);

  Block(Block&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, std::size_t{0})) {}
  Block& operator=(Block&& other) noexcept {
    if (this == &other) return *this;
    give_back();
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, std::size_t{0});
    return *this;
  }
  ~Block() { give_back(); }

  /// Owns no memory any more.
  void give_back() noexcept {
    if (data_ == nullptr) return;
    std::byte* const memory = std::exchange(data_, nullptr);
    if (size_ != block_size || !BlockCache::keep(memory, 0)) free(memory, size_);
    size_ = 0;
  }

  [[nodiscard]] std::byte* data() noexcept { return data_; }
  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  /// How many bytes fit, at least as many as were asked for.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  Block(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}
  static void free(std::byte* data, std::size_t size) noexcept;

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace libnet::core
