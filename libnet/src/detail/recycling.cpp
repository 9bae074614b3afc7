#include "libnet/detail/recycling.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "detail/thread_cache.hpp"

namespace libnet::detail {
namespace {

constexpr std::size_t step = 64;
constexpr std::size_t largest_step = 1024;
constexpr std::size_t steps = largest_step / step;

/// The list of a size that is at least 1 and at most largest_recycled.
constexpr std::size_t index_of(std::size_t size) noexcept {
  if (size <= largest_step) return (size - 1) / step;
  return steps - 1 + static_cast<std::size_t>(std::bit_width((size - 1) / largest_step));
}

constexpr std::size_t lists = index_of(largest_recycled) + 1;

constexpr std::size_t size_of(std::size_t index) noexcept {
  return index < steps ? (index + 1) * step : largest_step << (index - steps + 1);
}

/// A list keeps 256 KiB, and in any case enough for one operation of each of 64 connections.
constexpr auto limits = [] {
  std::array<std::size_t, lists> made{};
  for (std::size_t index = 0; index < lists; ++index) {
    made[index] = std::max(std::size_t{256} * 1024 / size_of(index), std::size_t{64});
  }
  return made;
}();

static_assert(index_of(1) == 0 && index_of(64) == 0 && index_of(65) == 1 && index_of(1024) == steps - 1);
static_assert(index_of(1025) == steps && index_of(2049) == steps + 1 && index_of(8192) == steps + 2);
static_assert(recycled_size(1025) == size_of(steps) && recycled_size(largest_recycled) == size_of(lists - 1));

using Cache = ThreadCache<struct RecyclingTag, limits>;

}  // namespace

void* recycle_allocate(std::size_t size) {
  if (size > largest_recycled) return ::operator new(size);
  const std::size_t index = index_of(std::max(size, std::size_t{1}));
  if (void* const memory = Cache::take(index)) return memory;
  return ::operator new(LIBNET_BYPASS_CACHES != 0 ? size : size_of(index));
}

void recycle_deallocate(void* memory, std::size_t size) noexcept {
  if (memory == nullptr) return;
  if (size <= largest_recycled) {
    const std::size_t index = index_of(std::max(size, std::size_t{1}));
    if (Cache::keep(memory, index)) return;
  }
  ::operator delete(memory);
}

std::size_t recycled_bytes() noexcept {
  std::size_t bytes = 0;
  for (std::size_t index = 0; index < lists; ++index) bytes += Cache::count(index) * size_of(index);
  return bytes;
}

}  // namespace libnet::detail
