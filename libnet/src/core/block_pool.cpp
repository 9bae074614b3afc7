#include "core/block_pool.hpp"

#include "libnet/detail/recycling.hpp"

namespace libnet::core {

std::size_t pooled_blocks() noexcept { return BlockCache::count(0); }

Block Block::take(std::size_t at_least) {
  if (at_least <= detail::largest_recycled) {
    const std::size_t size = detail::recycled_size(at_least);
    return {static_cast<std::byte*>(detail::recycle_allocate(size)), size};
  }
  if (at_least <= block_size) return take();
  return {static_cast<std::byte*>(::operator new(at_least)), at_least};
}

void Block::free(std::byte* data, std::size_t size) noexcept {
  if (size <= detail::largest_recycled) return detail::recycle_deallocate(data, size);
  ::operator delete(data);
}

}  // namespace libnet::core
