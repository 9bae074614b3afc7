#include <libnet/bytes.hpp>
#include <libnet/chunk.hpp>

#include <boost/test/unit_test.hpp>

#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

using libnet::Bytes;

static_assert(!std::is_aggregate_v<Bytes>, "g++ 12 miscompiles aggregates inside co_await expressions");
static_assert(std::is_nothrow_copy_constructible_v<Bytes> && std::is_nothrow_move_constructible_v<Bytes>);
static_assert(std::is_nothrow_move_assignable_v<Bytes>);
static_assert(!std::is_convertible_v<std::string, Bytes>, "a copy of the payload must be asked for");

std::vector<std::byte> three_bytes() { return {std::byte{1}, std::byte{2}, std::byte{3}}; }

const void* address_of(const Bytes& bytes) { return bytes.data(); }

}  // namespace

BOOST_AUTO_TEST_SUITE(bytes)

BOOST_AUTO_TEST_CASE(the_default_is_empty) {
  const Bytes bytes;
  BOOST_TEST(bytes.empty());
  BOOST_TEST(bytes.size() == 0u);
  BOOST_TEST(bytes.view().empty());
  BOOST_TEST(bytes.span().empty());
  BOOST_TEST(bytes.use_count() == 0u);
}

BOOST_AUTO_TEST_CASE(an_empty_payload_is_the_default) {
  BOOST_TEST(Bytes("").use_count() == 0u);
  BOOST_TEST(Bytes(std::string()).use_count() == 0u);
  BOOST_TEST(Bytes(std::vector<std::byte>()).use_count() == 0u);
  BOOST_TEST(Bytes(std::span<const std::byte>()).use_count() == 0u);
  BOOST_TEST(Bytes(libnet::Chunk()).use_count() == 0u);
}

BOOST_AUTO_TEST_CASE(what_is_lent_is_copied) {
  std::string text(1000, 'a');
  const Bytes from_string(text);
  const Bytes from_view{std::string_view(text)};
  const Bytes from_span(std::as_bytes(std::span(text)));
  const Bytes from_chunk{libnet::Chunk(text)};
  text.assign(1000, 'b');
  for (const auto& bytes : {from_string, from_view, from_span, from_chunk}) {
    BOOST_TEST(bytes.view() == std::string(1000, 'a'));
  }
}

BOOST_AUTO_TEST_CASE(a_literal_and_bytes_with_zeros_are_taken_whole) {
  BOOST_TEST(Bytes("literal").view() == "literal");
  BOOST_TEST(Bytes(std::string_view("a\0b", 3)).view() == std::string_view("a\0b", 3));
  auto lent = three_bytes();
  const Bytes bytes(lent);
  BOOST_TEST((std::vector<std::byte>(bytes.span().begin(), bytes.span().end()) == three_bytes()));
  BOOST_TEST(lent.size() == 3u);
}

BOOST_AUTO_TEST_CASE(a_string_given_away_keeps_its_memory) {
  std::string text(1000, 'a');
  const void* const memory = text.data();
  const Bytes bytes(std::move(text));
  BOOST_TEST(address_of(bytes) == memory);
  BOOST_TEST(bytes.view() == std::string(1000, 'a'));
}

BOOST_AUTO_TEST_CASE(a_short_string_given_away_is_kept) {
  auto bytes = std::make_unique<Bytes>(std::string("short"));
  const Bytes copy = *bytes;
  bytes.reset();
  BOOST_TEST(copy.view() == "short");
}

BOOST_AUTO_TEST_CASE(a_vector_given_away_keeps_its_memory) {
  auto vector = three_bytes();
  const void* const memory = vector.data();
  const Bytes bytes(std::move(vector));
  BOOST_TEST(address_of(bytes) == memory);
  BOOST_TEST(bytes.size() == 3u);
}

BOOST_AUTO_TEST_CASE(copies_share_one_payload) {
  const Bytes first("payload");
  BOOST_TEST(first.use_count() == 1u);
  {
    const Bytes second = first;
    Bytes third;
    third = second;
    BOOST_TEST(first.use_count() == 3u);
    BOOST_TEST(address_of(third) == address_of(first));
  }
  BOOST_TEST(first.use_count() == 1u);
}

BOOST_AUTO_TEST_CASE(a_move_leaves_an_empty_payload) {
  Bytes first("payload");
  Bytes second = std::move(first);
  BOOST_TEST(first.empty());  // NOLINT(bugprone-use-after-move)
  BOOST_TEST(second.view() == "payload");
  BOOST_TEST(second.use_count() == 1u);
  first = std::move(second);
  BOOST_TEST(first.view() == "payload");
  BOOST_TEST(second.empty());  // NOLINT(bugprone-use-after-move)
}

BOOST_AUTO_TEST_CASE(assigning_to_itself_keeps_the_payload) {
  Bytes bytes("payload");
  const auto& itself = bytes;
  bytes = itself;
  BOOST_TEST(bytes.view() == "payload");
  BOOST_TEST(bytes.use_count() == 1u);
}

BOOST_AUTO_TEST_CASE(assigning_gives_up_the_former_payload) {
  Bytes bytes("one");
  const Bytes kept = bytes;
  bytes = Bytes("two");
  BOOST_TEST(kept.use_count() == 1u);
  BOOST_TEST(kept.view() == "one");
  BOOST_TEST(bytes.view() == "two");
}

BOOST_AUTO_TEST_CASE(copies_may_live_in_different_threads) {
  const Bytes bytes("payload");
  const auto copy_often = [&bytes] {
    for (int i = 0; i < 20'000; ++i) {
      const Bytes copy = bytes;
    }
  };
  std::thread one(copy_often);
  std::thread two(copy_often);
  one.join();
  two.join();
  BOOST_TEST(bytes.use_count() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
