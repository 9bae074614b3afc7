#pragma once

#include <cstddef>
#include <limits>
#include <new>
#include <type_traits>

#pragma GCC visibility push(default)  // a shared library exports this

/// Memory for what comes and goes with every message: operations, completion handlers, queue segments.
///
/// Freed memory waits in lists of the freeing thread, one per size class, so a steady state never reaches the heap. The
/// lists are bounded, take no lock, and are given back when the thread ends. Memory may be freed by another thread than
/// allocated it. Builds with the address sanitizer keep nothing, so that a use after free is seen.
namespace libnet::detail {

/// Larger requests go to operator new. [bytes]
inline constexpr std::size_t largest_recycled = 8 * 1024;

/// The bytes that a request for `size` really gets: steps of 64 up to 1 KiB, then powers of two.
[[nodiscard]] constexpr std::size_t recycled_size(std::size_t size) noexcept {
  constexpr std::size_t step = 64;
  constexpr std::size_t largest_step = 1024;
  if (size == 0) return step;
  if (size <= largest_step) return (size + step - 1) / step * step;
  if (size > largest_recycled) return size;
  std::size_t rounded = 2 * largest_step;
  while (rounded < size) rounded *= 2;
  return rounded;
}

/// Memory for `size` [bytes], aligned as operator new aligns.
/// @throws std::bad_alloc.
[[nodiscard]] void* recycle_allocate(std::size_t size);

/// Gives memory of recycle_allocate back; `size` is what was asked for then, or anything up to its recycled_size().
void recycle_deallocate(void* memory, std::size_t size) noexcept;

/// What waits in the lists of this thread. [bytes]
[[nodiscard]] std::size_t recycled_bytes() noexcept;

/// A base of classes whose objects live in recycled memory. A polymorphic class needs a virtual destructor, as always.
struct Recycled {
  static void* operator new(std::size_t size) { return recycle_allocate(size); }
  static void* operator new(std::size_t size, std::align_val_t alignment) { return ::operator new(size, alignment); }
  static void* operator new(std::size_t, void* place) noexcept { return place; }
  static void operator delete(void* memory, std::size_t size) noexcept { recycle_deallocate(memory, size); }
  static void operator delete(void* memory, std::size_t, std::align_val_t alignment) noexcept {
    ::operator delete(memory, alignment);
  }
  static void operator delete(void*, void*) noexcept {}
};

/// An allocator of recycled memory. Over-aligned types go to operator new.
template <class T>
class RecyclingAllocator {
 public:
  using value_type = T;
  using is_always_equal = std::true_type;
  using propagate_on_container_move_assignment = std::true_type;

  RecyclingAllocator() noexcept = default;
  template <class U>
  RecyclingAllocator(const RecyclingAllocator<U>&) noexcept {}  // an allocator converts to its rebound kinds

  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_array_new_length();
    if constexpr (over_aligned<T>()) {
      return static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(alignof(T))));
    } else {
      return static_cast<T*>(recycle_allocate(count * sizeof(T)));
    }
  }

  void deallocate(T* memory, std::size_t count) noexcept {
    if constexpr (over_aligned<T>()) {
      ::operator delete(memory, std::align_val_t(alignof(T)));
    } else {
      recycle_deallocate(memory, count * sizeof(T));
    }
  }

  template <class U>
  friend bool operator==(const RecyclingAllocator&, const RecyclingAllocator<U>&) noexcept {
    return true;
  }

 private:
  template <class U>
  static constexpr bool over_aligned() noexcept {
    return alignof(U) > __STDCPP_DEFAULT_NEW_ALIGNMENT__;
  }
};

}  // namespace libnet::detail

#pragma GCC visibility pop
