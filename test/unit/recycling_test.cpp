#include "detail/thread_cache.hpp"

#include <libnet/detail/recycling.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace {

using libnet::detail::largest_recycled;
using libnet::detail::recycle_allocate;
using libnet::detail::recycle_deallocate;
using libnet::detail::Recycled;
using libnet::detail::recycled_bytes;
using libnet::detail::recycled_size;
using libnet::detail::RecyclingAllocator;

constexpr bool keeps = LIBNET_BYPASS_CACHES == 0;

// Runs `body` on a thread whose lists are empty.
template <class F>
void on_new_thread(F body) {
  std::thread(body).join();
}

// Allocates `count` pieces, then frees them all.
void allocate_and_free(std::size_t count, std::size_t size) {
  std::vector<void*> pieces;
  pieces.reserve(count);
  for (std::size_t i = 0; i < count; ++i) pieces.push_back(recycle_allocate(size));
  for (void* piece : pieces) recycle_deallocate(piece, size);
}

bool aligned(const void* memory, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(memory) % alignment == 0;
}

struct Plain : Recycled {
  std::size_t value = 7;
};

struct alignas(64) Wide : Recycled {
  std::size_t value = 8;
};

struct Base : Recycled {
  virtual ~Base() = default;
};

struct Derived final : Base {
  std::byte more[500] = {};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(recycling)

BOOST_AUTO_TEST_CASE(every_size_gets_memory_that_can_be_filled) {
  for (std::size_t size = 0; size <= largest_recycled + 200; ++size) {
    const std::size_t whole = recycled_size(size);
    BOOST_REQUIRE_GE(whole, size);
    void* const memory = recycle_allocate(whole);
    BOOST_REQUIRE(aligned(memory, __STDCPP_DEFAULT_NEW_ALIGNMENT__));
    std::memset(memory, 0x5a, whole);
    recycle_deallocate(memory, whole);
  }
}

BOOST_AUTO_TEST_CASE(what_is_asked_for_may_be_given_back_under_that_size) {
  on_new_thread([] {
    for (std::size_t size = 0; size <= largest_recycled; ++size) {
      void* const memory = recycle_allocate(size);
      std::memset(memory, 0x5a, size);
      recycle_deallocate(memory, size);
      if (!keeps) continue;
      void* const again = recycle_allocate(recycled_size(size));
      BOOST_REQUIRE_EQUAL(again, memory);
      std::memset(again, 0x5a, recycled_size(size));
      recycle_deallocate(again, recycled_size(size));
    }
  });
}

BOOST_AUTO_TEST_CASE(sizes_are_steps_of_64_then_powers_of_two) {
  BOOST_TEST(recycled_size(0) == 64U);
  BOOST_TEST(recycled_size(1) == 64U);
  BOOST_TEST(recycled_size(64) == 64U);
  BOOST_TEST(recycled_size(65) == 128U);
  BOOST_TEST(recycled_size(1024) == 1024U);
  BOOST_TEST(recycled_size(1025) == 2048U);
  BOOST_TEST(recycled_size(4097) == 8192U);
  BOOST_TEST(recycled_size(8192) == 8192U);
  BOOST_TEST(recycled_size(8193) == 8193U);
}

BOOST_AUTO_TEST_CASE(freed_memory_is_used_again) {
  on_new_thread([] {
    BOOST_TEST(recycled_bytes() == 0U);
    void* const first = recycle_allocate(300);
    recycle_deallocate(first, 300);
    BOOST_TEST(recycled_bytes() == (keeps ? 320U : 0U));
    void* const second = recycle_allocate(320);
    if (keeps) BOOST_TEST(second == first);
    BOOST_TEST(recycled_bytes() == 0U);
    recycle_deallocate(second, 320);
  });
}

BOOST_AUTO_TEST_CASE(a_few_operations_of_256_connections_never_reach_the_heap) {
  if (!keeps) return;
  on_new_thread([] {
    for (std::size_t size : {64U, 128U, 256U}) {
      const std::size_t before = recycled_bytes();
      allocate_and_free(1024, size);
      BOOST_TEST(recycled_bytes() - before == 1024U * size);
    }
  });
}

BOOST_AUTO_TEST_CASE(what_a_thread_keeps_is_bounded) {
  on_new_thread([] {
    for (std::size_t size = 64; size <= largest_recycled; size *= 2) {
      const std::size_t before = recycled_bytes();
      allocate_and_free(10000, size);
      BOOST_TEST(recycled_bytes() - before <= 512U * 1024);
    }
  });
}

BOOST_AUTO_TEST_CASE(large_memory_is_not_kept) {
  on_new_thread([] {
    allocate_and_free(10, largest_recycled + 1);
    BOOST_TEST(recycled_bytes() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(freeing_nothing_is_harmless) {
  on_new_thread([] {
    recycle_deallocate(nullptr, 64);
    BOOST_TEST(recycled_bytes() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(memory_may_be_freed_by_another_thread) {
  void* const memory = recycle_allocate(100);
  std::memset(memory, 1, 100);
  on_new_thread([memory] {
    recycle_deallocate(memory, 100);
    void* const again = recycle_allocate(100);
    if (keeps) BOOST_TEST(again == memory);
    recycle_deallocate(again, 100);
  });
}

BOOST_AUTO_TEST_CASE(it_works_while_thread_local_objects_are_destroyed) {
  static std::size_t kept_before;
  static std::size_t kept_after;
  struct Late {
    ~Late() {
      kept_before = recycled_bytes();
      allocate_and_free(5, 200);
      kept_after = recycled_bytes();
    }
    void touch() {}
  };
  kept_before = kept_after = std::numeric_limits<std::size_t>::max();
  on_new_thread([] {
    static thread_local Late late;  // destroyed before the lists end, as all thread-local objects are
    late.touch();
    allocate_and_free(5, 200);
    BOOST_TEST(recycled_bytes() == (keeps ? 5U * 256 : 0U));
  });
  BOOST_TEST(kept_before == (keeps ? 5U * 256 : 0U));
  BOOST_TEST(kept_after == kept_before);
}

BOOST_AUTO_TEST_CASE(a_class_can_live_in_recycled_memory) {
  const auto plain = std::make_unique<Plain>();
  BOOST_TEST(plain->value == 7U);
  const auto wide = std::make_unique<Wide>();
  BOOST_TEST(aligned(wide.get(), alignof(Wide)));
  BOOST_TEST(wide->value == 8U);
}

BOOST_AUTO_TEST_CASE(a_derived_object_goes_back_under_its_own_size) {
  on_new_thread([] {
    std::unique_ptr<Base>(new Derived).reset();
    BOOST_TEST(recycled_bytes() == (keeps ? recycled_size(sizeof(Derived)) : 0U));
  });
}

BOOST_AUTO_TEST_CASE(containers_use_the_allocator) {
  std::vector<int, RecyclingAllocator<int>> numbers;
  for (int i = 0; i < 5000; ++i) numbers.insert(numbers.end(), i);
  BOOST_TEST(numbers[4999] == 4999);
  std::list<std::string, RecyclingAllocator<std::string>> texts{"a", "b"};
  const auto moved = std::move(texts);
  BOOST_TEST(moved.back() == "b");
  std::map<int, int, std::less<>, RecyclingAllocator<std::pair<const int, int>>> pairs;
  pairs[3] = 4;
  BOOST_TEST(pairs.at(3) == 4);
}

BOOST_AUTO_TEST_CASE(the_allocator_of_void_rebinds) {
  using Traits = std::allocator_traits<RecyclingAllocator<void>>;
  Traits::rebind_alloc<long> longs = RecyclingAllocator<void>();
  long* const three = longs.allocate(3);
  three[2] = 1;
  longs.deallocate(three, 3);
  BOOST_TEST((RecyclingAllocator<void>() == longs));
  static_assert(Traits::is_always_equal::value);
  const std::shared_ptr<int> shared = std::allocate_shared<int>(RecyclingAllocator<int>(), 5);
  BOOST_TEST(*shared == 5);
}

BOOST_AUTO_TEST_CASE(the_allocator_serves_over_aligned_types) {
  struct alignas(128) Line {
    std::byte bytes[128];
  };
  on_new_thread([] {
    RecyclingAllocator<Line> lines;
    Line* const two = lines.allocate(2);
    BOOST_TEST(aligned(two, alignof(Line)));
    lines.deallocate(two, 2);
    BOOST_TEST(recycled_bytes() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(the_allocator_refuses_what_overflows) {
  RecyclingAllocator<long> longs;
  BOOST_CHECK_THROW(static_cast<void>(longs.allocate(std::numeric_limits<std::size_t>::max() / 4)),
                    std::bad_array_new_length);
}

BOOST_AUTO_TEST_SUITE_END()
