#include "random/resources.hpp"

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <string>

#include "detail/thread_cache.hpp"
#include "random/session.hpp"

// Every way to the heap is counted, in glibc's place. Sanitizers have the heap for themselves.
#if defined(__GLIBC__) && LIBNET_BYPASS_CACHES == 0 && !defined(LIBNET_SANITIZE_THREAD)
#define LIBNET_COUNTS_ALLOCATIONS 1
#else
#define LIBNET_COUNTS_ALLOCATIONS 0
#endif

namespace {

constinit std::atomic<std::ptrdiff_t> live{0};

#if LIBNET_COUNTS_ALLOCATIONS
void* counted(void* memory) noexcept {
  if (memory != nullptr) live.fetch_add(1, std::memory_order_relaxed);
  return memory;
}
void uncount(const void* memory) noexcept {
  if (memory != nullptr) live.fetch_sub(1, std::memory_order_relaxed);
}
#endif

}  // namespace

#if LIBNET_COUNTS_ALLOCATIONS
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* memory);

void* malloc(std::size_t size) { return counted(__libc_malloc(size)); }
void* calloc(std::size_t count, std::size_t size) { return counted(__libc_calloc(count, size)); }
void* realloc(void* memory, std::size_t size) {
  uncount(memory);
  return counted(__libc_realloc(memory, size));
}
void* memalign(std::size_t alignment, std::size_t size) { return counted(__libc_memalign(alignment, size)); }
void* aligned_alloc(std::size_t alignment, std::size_t size) { return memalign(alignment, size); }
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) {
  *memory = memalign(alignment, size);
  return *memory != nullptr ? 0 : ENOMEM;
}
void free(void* memory) {
  uncount(memory);
  __libc_free(memory);
}
}
#endif

namespace libnet::test::random {

Resources Resources::now() { return {open_descriptors(), live.load()}; }

namespace {

bool grew(const Resources& before, const Resources& after) {
  return after.descriptors > before.descriptors || after.allocations > before.allocations;
}

}  // namespace

void run_checked(const Case& given, Faults& faults) {
  Resources before;
  Resources after;
  for (int run = 0; run < 3; ++run) {
    before = Resources::now();
    run_case(given, faults);
    if (faults.any()) return;
    after = Resources::now();
    if (!grew(before, after)) return;
  }
  if (after.descriptors > before.descriptors) {
    faults.add("descriptors", std::to_string(after.descriptors - before.descriptors) + " descriptors stay open");
  } else {
    faults.add("memory", std::to_string(after.allocations - before.allocations) + " allocations stay live");
  }
}

}  // namespace libnet::test::random
