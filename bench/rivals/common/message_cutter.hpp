#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace bench {

/// Cuts a stream of bytes into messages of one size (fan_out).
class MessageCutter {
 public:
  explicit MessageCutter(std::size_t size) : size_(size) {}

  /// Calls `on_message(std::span<const char>)` for each message that these bytes make whole. What is whole in them is not
  /// copied; the span is valid during the call.
  template <class OnMessage>
  void feed(std::span<const char> bytes, OnMessage&& on_message) {
    if (!begun_.empty()) {
      bytes = complete(bytes);
      if (begun_.size() < size_) return;
      on_message(std::span<const char>(begun_));
      begun_.clear();
    }
    for (; bytes.size() >= size_; bytes = bytes.subspan(size_)) on_message(bytes.first(size_));
    begun_.assign(bytes.begin(), bytes.end());
  }

 private:
  /// @return What is left.
  std::span<const char> complete(std::span<const char> bytes) {
    const std::size_t taken = std::min(bytes.size(), size_ - begun_.size());
    begun_.insert(begun_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
    return bytes.subspan(taken);
  }

  std::size_t size_;         // [bytes]
  std::vector<char> begun_;  // a message whose end has not come yet
};

}  // namespace bench
