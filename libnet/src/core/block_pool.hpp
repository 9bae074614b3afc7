#pragma once

#include <cstddef>
#include <utility>

/// Memory to receive into.
namespace libnet::core {

/// The size of a full block. [bytes]
inline constexpr std::size_t block_size = 64 * 1024;

/// How many free full blocks this thread keeps, 32 at most.
[[nodiscard]] std::size_t pooled_blocks() noexcept;

/// Owns memory to receive into; gives it back to the pool of the thread that destroys it. The memory is not zeroed.
///
/// A thread keeps a few full blocks, so receiving does not allocate in steady state.
class Block {
 public:
  /// No memory.
  Block() noexcept = default;

  /// Memory for `at_least` bytes: a small request gets its size class, others a full block, or exactly what they ask
  /// for if that is more.
  /// @throws std::bad_alloc.
  [[nodiscard]] static Block take(std::size_t at_least = block_size);

  Block(Block&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, std::size_t{0})) {}
  Block& operator=(Block&& other) noexcept {
    Block moved(std::move(other));
    std::swap(data_, moved.data_);
    std::swap(size_, moved.size_);
    return *this;
  }
  ~Block() {
    if (data_ != nullptr) give_back(data_, size_);
  }

  [[nodiscard]] std::byte* data() noexcept { return data_; }
  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  /// How many bytes fit, at least as many as were asked for.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  Block(std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}
  static void give_back(std::byte* data, std::size_t size) noexcept;

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace libnet::core
