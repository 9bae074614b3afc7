#pragma once

#include <boost/asio/buffer.hpp>

#include <cstddef>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// A view of received bytes; it owns nothing.
///
/// Given to a listener, it is valid until the listener returns. Completed by async_read, it is valid until the next read
/// on that socket starts or the socket's last handle goes. to_string() copies what has to live longer.
///
/// It converts to std::string_view, to std::span<const std::byte> (being a contiguous range) and to asio::const_buffer.
/// It is false when empty, which is how async_read says that the peer ended: `while (auto chunk = co_await ...)`.
class Chunk {
 public:
  /// An empty chunk.
  constexpr Chunk() noexcept = default;

  /// Views `size` [bytes] at `data`.
  constexpr Chunk(const std::byte* data, std::size_t size) noexcept : data_(data), size_(size) {}

  /// Views the characters of `text`.
  explicit Chunk(std::string_view text) noexcept
      : Chunk(reinterpret_cast<const std::byte*>(text.data()), text.size()) {}

  /// True if there is at least one byte.
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return size_ != 0; }
  [[nodiscard]] constexpr bool empty() const noexcept { return size_ == 0; }
  /// The number of bytes.
  [[nodiscard]] constexpr std::size_t size() const noexcept { return size_; }
  /// The first byte; may be null when empty.
  [[nodiscard]] constexpr const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] constexpr const std::byte* begin() const noexcept { return data_; }
  [[nodiscard]] constexpr const std::byte* end() const noexcept { return data_ + size_; }

  /// The bytes as characters; the view is valid as long as the chunk's bytes are.
  [[nodiscard]] operator std::string_view() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  /// The bytes as a buffer for Asio; valid as long as the chunk's bytes are.
  [[nodiscard]] operator boost::asio::const_buffer() const noexcept { return {data_, size_}; }
  /// A copy of the bytes.
  [[nodiscard]] std::string to_string() const { return std::string(std::string_view(*this)); }

  /// True if both have the same bytes.
  [[nodiscard]] friend bool operator==(Chunk left, Chunk right) noexcept {
    return std::string_view(left) == std::string_view(right);
  }
  [[nodiscard]] friend bool operator==(Chunk left, std::string_view right) noexcept {
    return std::string_view(left) == right;
  }

 private:
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// Writes the bytes as they are.
std::ostream& operator<<(std::ostream& out, Chunk chunk);

}  // namespace libnet

#pragma GCC visibility pop
