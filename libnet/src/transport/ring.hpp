#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace libnet::transport {

/// A ring buffer of bytes. Its memory is allocated with the first byte and then kept.
class Ring {
 public:
  /// @param capacity  At least one [bytes].
  explicit Ring(std::size_t capacity) noexcept : capacity_(std::max<std::size_t>(capacity, 1)) {}

  std::size_t size() const noexcept { return size_; }
  std::size_t room() const noexcept { return capacity_ - size_; }
  bool empty() const noexcept { return size_ == 0; }

  /// Appends what there is room for and returns how much that was [bytes].
  std::size_t push(std::span<const std::byte> source) {
    const std::size_t bytes = std::min(source.size(), room());
    if (bytes == 0) return 0;
    if (!memory_) memory_ = std::make_unique_for_overwrite<std::byte[]>(capacity_);
    const std::size_t tail = (head_ + size_) % capacity_;
    const std::size_t before_wrap = std::min(bytes, capacity_ - tail);
    std::memcpy(memory_.get() + tail, source.data(), before_wrap);
    if (bytes > before_wrap) std::memcpy(memory_.get(), source.data() + before_wrap, bytes - before_wrap);
    size_ += bytes;
    return bytes;
  }

  /// Takes the oldest bytes, as many as there are and fit, and returns how many [bytes].
  std::size_t pop(std::span<std::byte> target) noexcept {
    const std::size_t bytes = std::min(target.size(), size_);
    if (bytes == 0) return 0;
    const std::size_t before_wrap = std::min(bytes, capacity_ - head_);
    std::memcpy(target.data(), memory_.get() + head_, before_wrap);
    if (bytes > before_wrap) std::memcpy(target.data() + before_wrap, memory_.get(), bytes - before_wrap);
    head_ = (head_ + bytes) % capacity_;
    size_ -= bytes;
    return bytes;
  }

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::size_t capacity_;
  std::size_t head_ = 0;
  std::size_t size_ = 0;
};

}  // namespace libnet::transport
