#pragma once

#include <libnet/bytes.hpp>
#include <libnet/chunk.hpp>
#include <libnet/encoding.hpp>

#include <boost/asio/buffer.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// What `write`, `end` and their awaitable twins take: made implicitly from text, bytes, chunks and payloads.
///
/// Views ("literal", string_view, span, Chunk, const std::string&) are copied by `write`, `end` and `async_end` when they
/// start, and borrowed by `async_write` until it completes. `std::string&&` and `std::vector<std::byte>&&` are adopted
/// (what is smaller than its bookkeeping may be copied all the same); Bytes are shared.
/// Allocation: none for views and Bytes; what is adopted becomes a Bytes, which may throw std::bad_alloc.
class Payload {
 public:
  Payload() noexcept = default;
  Payload(const char* text) noexcept : Payload(std::string_view(text)) {}
  Payload(std::string_view text) noexcept : view_(std::as_bytes(std::span(text))) {}
  Payload(const std::string& text) noexcept : Payload(std::string_view(text)) {}
  Payload(std::string&& text) : Payload(Bytes(std::move(text))) {}
  Payload(std::span<const std::byte> bytes) noexcept : view_(bytes) {}
  Payload(std::same_as<std::span<std::byte>> auto bytes) noexcept : view_(bytes) {}
  Payload(const std::vector<std::byte>& bytes) noexcept : view_(bytes) {}
  Payload(std::vector<std::byte>&& bytes) : Payload(Bytes(std::move(bytes))) {}
  Payload(Chunk chunk) noexcept : view_(chunk.data(), chunk.size()) {}
  Payload(Bytes bytes) noexcept : view_(bytes.span()), owner_(std::move(bytes)) {}
  Payload(boost::asio::const_buffer buffer) noexcept
      : view_(static_cast<const std::byte*>(buffer.data()), buffer.size()) {}
  /// The bytes that `text` stands for. A view of the text if they are its own; else they are made here, and owned.
  /// Text that is not hex or base64 makes a payload that is not `valid()`.
  Payload(std::string_view text, Encoding encoding);

  /// False for a payload that cannot be sent: Errc::invalid_argument.
  [[nodiscard]] bool valid() const noexcept { return valid_; }

  /// True if the bytes belong to somebody else.
  [[nodiscard]] bool is_view() const noexcept { return owner_.empty(); }
  [[nodiscard]] std::span<const std::byte> view() const noexcept { return view_; }
  [[nodiscard]] std::size_t size() const noexcept { return view_.size(); }
  /// The bytes with their owner; nothing if they are a view.
  [[nodiscard]] Bytes take_bytes() noexcept { return std::move(owner_); }

 private:
  std::span<const std::byte> view_;
  Bytes owner_;  // of what is in view, unless that belongs to somebody else
  bool valid_ = true;
};

}  // namespace libnet

#pragma GCC visibility pop
