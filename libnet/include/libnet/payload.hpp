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
#include <variant>
#include <vector>

namespace libnet {

/// What `write`, `end` and their awaitable twins take: made implicitly from text, bytes, chunks and payloads.
///
/// Views ("literal", string_view, span, Chunk, const std::string&) are copied by `write`, `end` and `async_end` when they
/// start, and borrowed by `async_write` until it completes. `std::string&&` and `std::vector<std::byte>&&` are adopted;
/// Bytes are shared. Of these two kinds nothing is copied but what is smaller than its bookkeeping.
class Payload {
 public:
  Payload() noexcept = default;
  Payload(const char* text) noexcept : Payload(std::string_view(text)) {}
  Payload(std::string_view text) noexcept : view_(std::as_bytes(std::span(text))) {}
  Payload(const std::string& text) noexcept : Payload(std::string_view(text)) {}
  Payload(std::string&& text) noexcept : owner_(std::move(text)) {}
  Payload(std::span<const std::byte> bytes) noexcept : view_(bytes) {}
  Payload(std::same_as<std::span<std::byte>> auto bytes) noexcept : view_(bytes) {}
  Payload(const std::vector<std::byte>& bytes) noexcept : view_(bytes) {}
  Payload(std::vector<std::byte>&& bytes) noexcept : owner_(std::move(bytes)) {}
  Payload(Chunk chunk) noexcept : view_(chunk.data(), chunk.size()) {}
  Payload(Bytes bytes) noexcept : owner_(std::move(bytes)) {}
  Payload(boost::asio::const_buffer buffer) noexcept
      : view_(static_cast<const std::byte*>(buffer.data()), buffer.size()) {}
  /// The bytes that `text` stands for. A view of the text if they are its own; else they are made here, and owned.
  /// Text that is not hex or base64 makes a payload that is not `valid()`.
  Payload(std::string_view text, Encoding encoding);

  /// What stands for text that is not hex or base64.
  struct Invalid {};
  using Owner = std::variant<std::monostate, std::string, std::vector<std::byte>, Bytes, Invalid>;

  /// False for a payload that cannot be sent: Errc::invalid_argument.
  [[nodiscard]] bool valid() const noexcept { return owner_.index() != 4; }

  /// True if the bytes belong to somebody else.
  [[nodiscard]] bool is_view() const noexcept { return owner_.index() == 0; }
  [[nodiscard]] std::span<const std::byte> view() const noexcept { return view_; }
  [[nodiscard]] Owner&& take_owner() noexcept { return std::move(owner_); }

  [[nodiscard]] std::size_t size() const noexcept {
    switch (owner_.index()) {
      case 1: return std::get_if<1>(&owner_)->size();
      case 2: return std::get_if<2>(&owner_)->size();
      case 3: return std::get_if<3>(&owner_)->size();
      default: return view_.size();
    }
  }

 private:
  std::span<const std::byte> view_;
  Owner owner_;
};

}  // namespace libnet
