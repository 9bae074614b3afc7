#include "core/block_pool.hpp"

#include <array>
#include <new>

#include "detail/thread_cache.hpp"
#include "libnet/detail/recycling.hpp"

namespace libnet::core {
namespace {

/// How many full blocks a thread keeps.
constexpr std::array<std::size_t, 1> kept_blocks{32};

using Pool = detail::ThreadCache<struct BlockTag, kept_blocks>;

void* take_full_block() {
  if (void* const memory = Pool::take(0)) return memory;
  return ::operator new(block_size);
}

}  // namespace

std::size_t pooled_blocks() noexcept { return Pool::count(0); }

Block Block::take(std::size_t at_least) {
  if (at_least <= detail::largest_recycled) {
    const std::size_t size = detail::recycled_size(at_least);
    return {static_cast<std::byte*>(detail::recycle_allocate(size)), size};
  }
  if (at_least <= block_size) return {static_cast<std::byte*>(take_full_block()), block_size};
  return {static_cast<std::byte*>(::operator new(at_least)), at_least};
}

void Block::give_back(std::byte* data, std::size_t size) noexcept {
  if (size <= detail::largest_recycled) return detail::recycle_deallocate(data, size);
  if (size == block_size && Pool::keep(data, 0)) return;
  ::operator delete(data);
}

}  // namespace libnet::core
