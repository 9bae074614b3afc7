#pragma once

#include <cstddef>
#include <type_traits>

#include "libnet/detail/recycling.hpp"

namespace libnet::detail {

/// Room for one handler that is posted again and again, so that posting it cannot fail for want of memory.
///
/// Whoever posts sees to it that there is one at a time; what finds the room taken or too small gets recycled memory.
class ReservedMemory {
 public:
  ReservedMemory() = default;
  ReservedMemory(const ReservedMemory&) = delete;
  ReservedMemory& operator=(const ReservedMemory&) = delete;

  void* allocate(std::size_t size) {
    if (taken_ || size > sizeof memory_) return recycle_allocate(size);
    taken_ = true;
    return memory_;
  }

  void deallocate(void* memory, std::size_t size) noexcept {
    if (memory != memory_) return recycle_deallocate(memory, size);
    taken_ = false;
  }

 private:
  alignas(std::max_align_t) std::byte memory_[112];
  bool taken_ = false;
};

/// The allocator of a handler that has its room in reserved memory.
template <class T>
class ReservedAllocator {
 public:
  using value_type = T;

  ReservedAllocator(ReservedMemory& memory) noexcept : memory_(&memory) {}
  template <class U>
  ReservedAllocator(const ReservedAllocator<U>& other) noexcept : memory_(other.memory_) {}

  [[nodiscard]] T* allocate(std::size_t count) { return static_cast<T*>(memory_->allocate(count * sizeof(T))); }
  void deallocate(T* memory, std::size_t count) noexcept { memory_->deallocate(memory, count * sizeof(T)); }

  template <class U>
  friend bool operator==(const ReservedAllocator& left, const ReservedAllocator<U>& right) noexcept {
    return left.memory_ == right.memory_;
  }

 private:
  template <class>
  friend class ReservedAllocator;

  ReservedMemory* memory_;
};

}  // namespace libnet::detail
