#include <libnet/chunk.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <sstream>
#include <string>
#include <type_traits>

namespace {

using libnet::Chunk;

constexpr std::array abc{std::byte{'a'}, std::byte{0}, std::byte{0xff}};

static_assert(std::is_trivially_copyable_v<Chunk>);
static_assert(!std::is_aggregate_v<Chunk>, "g++ 12 miscompiles aggregates inside co_await expressions");
static_assert(!std::is_convertible_v<Chunk, bool>, "only a condition may ask whether it is empty");
static_assert(std::is_convertible_v<Chunk, std::span<const std::byte>>);
static_assert(!std::is_convertible_v<Chunk, std::span<std::byte>>);

std::size_t as_view(std::string_view text) { return text.size(); }
std::size_t as_span(std::span<const std::byte> bytes) { return bytes.size(); }
std::size_t as_buffer(boost::asio::const_buffer buffer) { return buffer.size(); }

}  // namespace

BOOST_AUTO_TEST_SUITE(chunk)

BOOST_AUTO_TEST_CASE(the_default_is_empty_and_false) {
  const Chunk chunk;
  BOOST_TEST(!chunk);
  BOOST_TEST(chunk.empty());
  BOOST_TEST(chunk.size() == 0u);
  BOOST_TEST(chunk.to_string().empty());
  BOOST_TEST((chunk.begin() == chunk.end()));
}

BOOST_AUTO_TEST_CASE(it_views_the_bytes_given) {
  const Chunk chunk(abc.data(), abc.size());
  BOOST_TEST(bool(chunk));
  BOOST_TEST(!chunk.empty());
  BOOST_TEST((chunk.data() == abc.data()));
  BOOST_TEST(chunk.size() == 3u);
  BOOST_TEST((std::equal(chunk.begin(), chunk.end(), abc.begin(), abc.end())));
}

BOOST_AUTO_TEST_CASE(it_converts_where_views_and_buffers_are_wanted) {
  const Chunk chunk(abc.data(), abc.size());
  BOOST_TEST(as_view(chunk) == 3u);
  BOOST_TEST(as_span(chunk) == 3u);
  BOOST_TEST(as_buffer(chunk) == 3u);
  const boost::asio::const_buffer buffer = chunk;
  BOOST_TEST((buffer.data() == abc.data()));
}

BOOST_AUTO_TEST_CASE(a_copy_outlives_the_bytes) {
  std::string memory = "hello";
  const auto copy = Chunk(memory).to_string();
  memory.assign(5, 'x');
  BOOST_TEST(copy == "hello");
}

BOOST_AUTO_TEST_CASE(it_compares_by_content) {
  const std::string left = "hello";
  const std::string right = "hello";
  BOOST_TEST((Chunk(left) == Chunk(right)));
  BOOST_TEST((Chunk(left) == "hello"));
  BOOST_TEST(("hello" == Chunk(left)));
  BOOST_TEST((Chunk(left) == right));
  BOOST_TEST((Chunk(left) != "hell"));
  BOOST_TEST((Chunk(left) != Chunk()));
  BOOST_TEST((Chunk(abc.data(), abc.size()) == std::string_view("a\0\xff", 3)));
}

BOOST_AUTO_TEST_CASE(it_prints_its_bytes) {
  std::ostringstream out;
  out << Chunk("hello") << Chunk();
  BOOST_TEST(out.str() == "hello");
}

BOOST_AUTO_TEST_SUITE_END()
