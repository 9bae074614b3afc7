#include "core/block_pool.hpp"
#include "detail/thread_cache.hpp"

#include <libnet/detail/recycling.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using libnet::core::Block;
using libnet::core::block_size;
using libnet::core::pooled_blocks;
using libnet::detail::largest_recycled;

constexpr bool keeps = LIBNET_BYPASS_CACHES == 0;

template <class F>
void on_new_thread(F body) {
  std::thread(body).join();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(block_pool)

static_assert(!std::is_copy_constructible_v<Block> && std::is_nothrow_move_constructible_v<Block>);
static_assert(std::is_nothrow_move_assignable_v<Block>);

BOOST_AUTO_TEST_CASE(no_block_is_false_and_empty) {
  const Block none;
  BOOST_TEST(!none);
  BOOST_TEST(none.size() == 0U);
  BOOST_TEST(none.data() == nullptr);
}

BOOST_AUTO_TEST_CASE(a_block_is_a_full_one_by_default) {
  Block block = Block::take();
  BOOST_TEST(!!block);
  BOOST_TEST(block.size() == block_size);
  std::memset(block.data(), 1, block.size());
}

BOOST_AUTO_TEST_CASE(a_block_has_at_least_what_was_asked_for) {
  for (std::size_t asked : {0U, 1U, 64U, 65U, 1000U, 1025U, 8192U, 8193U, 65535U, 65536U, 65537U, 300000U}) {
    Block block = Block::take(asked);
    BOOST_TEST(!!block);
    BOOST_TEST(block.size() >= asked);
    BOOST_TEST(block.size() <= std::max({asked, std::size_t{64}, asked <= largest_recycled ? 2 * asked : block_size}));
    std::memset(block.data(), 1, block.size());
  }
}

BOOST_AUTO_TEST_CASE(a_full_block_is_used_again) {
  if (!keeps) return;
  on_new_thread([] {
    BOOST_TEST(pooled_blocks() == 0U);
    Block first = Block::take();
    const std::byte* const memory = first.data();
    first = Block();
    BOOST_TEST(pooled_blocks() == 1U);
    const Block second = Block::take(largest_recycled + 1);
    BOOST_TEST(second.data() == memory);
    BOOST_TEST(pooled_blocks() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(what_is_larger_than_a_full_block_is_not_kept) {
  on_new_thread([] {
    {
      const Block large = Block::take(block_size + 1);
    }
    BOOST_TEST(pooled_blocks() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_small_block_goes_back_to_the_recycled_memory) {
  on_new_thread([] {
    {
      const Block small = Block::take(1500);
    }
    BOOST_TEST(libnet::detail::recycled_bytes() == (keeps ? 2048U : 0U));
  });
}

BOOST_AUTO_TEST_CASE(a_thread_keeps_32_full_blocks) {
  on_new_thread([] {
    std::vector<Block> blocks(40);
    for (Block& block : blocks) block = Block::take();
    BOOST_TEST(pooled_blocks() == 0U);
    blocks.clear();
    BOOST_TEST(pooled_blocks() == (keeps ? 32U : 0U));
    const Block one = Block::take();
    const Block other = Block::take();
    BOOST_TEST(pooled_blocks() == (keeps ? 30U : 0U));
  });
}

BOOST_AUTO_TEST_CASE(moving_hands_the_memory_over) {
  Block first = Block::take(100);
  std::byte* const memory = first.data();
  Block second(std::move(first));
  BOOST_TEST(!first);  // NOLINT(bugprone-use-after-move): a moved block has no memory
  BOOST_TEST(second.data() == memory);
  Block third = Block::take();
  third = std::move(second);
  BOOST_TEST(third.data() == memory);
  BOOST_TEST(third.size() == 128U);
  Block& same = third;
  third = std::move(same);
  BOOST_TEST(third.data() == memory);
}

BOOST_AUTO_TEST_CASE(a_block_may_die_in_another_thread) {
  Block block = Block::take();
  Block small = Block::take(64);
  std::thread([taken = std::move(block), also = std::move(small)]() mutable {
    taken.data()[0] = also.data()[0] = std::byte{1};
  }).join();
  BOOST_TEST(!block);  // NOLINT(bugprone-use-after-move)
}

BOOST_AUTO_TEST_CASE(a_block_may_die_while_thread_local_objects_are_destroyed) {
  static bool ran;
  struct Late {
    ~Late() {
      block = Block();
      ran = static_cast<bool>(Block::take());
    }
    Block block;
  };
  ran = false;
  on_new_thread([] {
    static thread_local Late late;
    late.block = Block::take();
    const Block other = Block::take();
  });
  BOOST_TEST(ran);
}

BOOST_AUTO_TEST_SUITE_END()
