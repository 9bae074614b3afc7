#include <libnet/bytes.hpp>
#include <libnet/chunk.hpp>
#include <libnet/detail/recycling.hpp>

#include <cstring>
#include <new>
#include <type_traits>

namespace libnet {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) noexcept { return std::as_bytes(std::span(text)); }

}  // namespace

template <class Container>
struct Bytes::Adopted : Header {
  explicit Adopted(Container& from) noexcept : container(std::move(from)) {
    // The place of the bytes is known only now: a short string lives inside the container.
    size = container.size();
    data = reinterpret_cast<const std::byte*>(container.data());
    free = [](Header* header) noexcept {
      static_cast<Adopted*>(header)->~Adopted();
      detail::recycle_deallocate(header, sizeof(Adopted));
    };
  }

  Container container;
};

Bytes::Bytes(std::string_view text) : header_(copy(bytes_of(text))) {}
Bytes::Bytes(const char* text) : Bytes(std::string_view(text)) {}
Bytes::Bytes(std::span<const std::byte> bytes) : header_(copy(bytes)) {}
Bytes::Bytes(const Chunk& chunk) : header_(copy(chunk)) {}
Bytes::Bytes(std::string&& text) : header_(adopt(text)) {}
Bytes::Bytes(std::vector<std::byte>&& bytes) : header_(adopt(bytes)) {}

Bytes::Header* Bytes::copy(std::span<const std::byte> bytes) {
  if (bytes.empty()) return nullptr;
  static_assert(std::is_trivially_destructible_v<Header>);
  void* const memory = detail::recycle_allocate(sizeof(Header) + bytes.size());
  auto* const header = ::new (memory) Header;
  auto* const payload = static_cast<std::byte*>(memory) + sizeof(Header);
  std::memcpy(payload, bytes.data(), bytes.size());
  header->size = bytes.size();
  header->data = payload;
  header->free = [](Header* unused) noexcept { detail::recycle_deallocate(unused, sizeof(Header) + unused->size); };
  return header;
}

template <class Container>
Bytes::Header* Bytes::adopt(Container& container) {
  if (container.empty()) return nullptr;
  return ::new (detail::recycle_allocate(sizeof(Adopted<Container>))) Adopted<Container>(container);
}

void Bytes::release(Header* header) noexcept {
  // The last one must see what the others did with the payload before it frees it. Who is alone stays alone.
  const bool alone = header->uses.load(std::memory_order_acquire) == 1;
  if (alone || header->uses.fetch_sub(1, std::memory_order_acq_rel) == 1) header->free(header);
}

}  // namespace libnet
