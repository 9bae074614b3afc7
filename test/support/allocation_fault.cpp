#include "support/allocation_fault.hpp"

#include <cstdlib>

namespace {

constinit thread_local bool counting = false;
constinit thread_local bool fired = false;
constinit thread_local std::size_t allocations_left = 0;

bool fails_now() noexcept {
  if (!counting || allocations_left == 0 || --allocations_left != 0) return false;
  fired = true;
  return true;
}

void* allocate(std::size_t size) noexcept { return fails_now() ? nullptr : std::malloc(size != 0 ? size : 1); }

}  // namespace

// In place of the standard library's, in every program that uses an AllocationFault.
void* operator new(std::size_t size) {
  if (void* const memory = allocate(size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return ::operator new(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace libnet::test {

AllocationFault::AllocationFault(std::size_t nth) noexcept {
  allocations_left = nth;
  fired = false;
}

AllocationFault::~AllocationFault() { allocations_left = 0; }

bool AllocationFault::has_fired() const noexcept { return fired; }

AllocationFault::Counted::Counted() noexcept { counting = true; }
AllocationFault::Counted::~Counted() { counting = false; }

}  // namespace libnet::test
