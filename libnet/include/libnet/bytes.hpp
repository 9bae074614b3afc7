#pragma once

#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

class Chunk;

/// An immutable, reference-counted payload: made once, written to many sockets without a copy.
///
/// Copying a Bytes shares the payload and never throws; the payload is freed with its last Bytes. The count is atomic, so
/// copies may live in different threads. Nothing throws but the constructors, and those only std::bad_alloc.
/// Allocation: one for a payload that is copied or adopted, out of recycled memory if it is small; none for an empty one.
class Bytes {
 public:
  /// An empty payload.
  Bytes() noexcept = default;

  /// Copies the bytes given.
  explicit Bytes(std::string_view text);
  explicit Bytes(const char* text);
  explicit Bytes(std::span<const std::byte> bytes);
  explicit Bytes(const Chunk& chunk);

  /// Adopts the memory of `text` or `bytes` without copying it (a short std::string has no memory of its own).
  explicit Bytes(std::string&& text);
  explicit Bytes(std::vector<std::byte>&& bytes);

  Bytes(const Bytes& other) noexcept : header_(other.header_) {
    if (header_ != nullptr) header_->uses.fetch_add(1, std::memory_order_relaxed);
  }
  /// Takes the payload over; `other` is empty afterwards.
  Bytes(Bytes&& other) noexcept : header_(std::exchange(other.header_, nullptr)) {}
  Bytes& operator=(Bytes other) noexcept {
    std::swap(header_, other.header_);
    return *this;
  }
  ~Bytes() {
    if (header_ != nullptr) release(header_);
  }

  /// The first byte; null when empty. Stays valid as long as one Bytes of this payload lives.
  [[nodiscard]] const std::byte* data() const noexcept { return header_ != nullptr ? header_->data : nullptr; }
  /// The number of bytes.
  [[nodiscard]] std::size_t size() const noexcept { return header_ != nullptr ? header_->size : 0; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// The bytes as characters.
  [[nodiscard]] std::string_view view() const noexcept { return {reinterpret_cast<const char*>(data()), size()}; }
  /// The bytes as a span.
  [[nodiscard]] std::span<const std::byte> span() const noexcept { return {data(), size()}; }
  /// How many Bytes share the payload; 0 when empty. Exact only while no other thread copies or drops one.
  [[nodiscard]] std::size_t use_count() const noexcept {
    return header_ != nullptr ? header_->uses.load(std::memory_order_relaxed) : 0;
  }

 private:
  // Stands in front of the copied bytes, or beside the adopted container, in one allocation.
  struct Header {
    std::atomic<std::size_t> uses{1};
    std::size_t size = 0;
    const std::byte* data = nullptr;
    void (*free)(Header*) noexcept = nullptr;
  };
  template <class Container>
  struct Adopted;

  static Header* copy(std::span<const std::byte> bytes);
  template <class Container>
  static Header* adopt(Container& container);
  static void release(Header* header) noexcept;

  Header* header_ = nullptr;
};

}  // namespace libnet

#pragma GCC visibility pop
