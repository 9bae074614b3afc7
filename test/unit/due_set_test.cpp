#include "core/due_set.hpp"

#include <array>
#include <cstdint>

#include <boost/test/unit_test.hpp>

namespace libnet::test {

namespace {

enum class Kind : std::uint8_t { first, second, third, last = 15 };
using Set = core::DueSet<Kind>;

constexpr std::array kinds{Kind::first, Kind::second, Kind::third, Kind::last};

static_assert(sizeof(Set) == 2);
static_assert(Set().empty());
static_assert(Set{Kind::last}.contains(Kind::last) && !Set{Kind::last}.contains(Kind::first));

}  // namespace

BOOST_AUTO_TEST_SUITE(due_set)

BOOST_AUTO_TEST_CASE(each_kind_is_due_once_however_often_it_was_added) {
  for (const Kind kind : kinds) {
    Set due;
    due.add(kind);
    due.add(kind);
    BOOST_TEST(due.contains(kind));
    BOOST_TEST(!due.empty());
    BOOST_TEST(due.take(kind));
    BOOST_TEST(!due.take(kind));
    BOOST_TEST(due.empty());
  }
}

BOOST_AUTO_TEST_CASE(taking_one_kind_leaves_all_others) {
  for (const Kind taken : kinds) {
    Set due{Kind::first, Kind::second, Kind::third, Kind::last};
    BOOST_TEST(due.take(taken));
    for (const Kind kind : kinds) BOOST_TEST(due.contains(kind) == (kind != taken));
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_due_is_not_taken_and_takes_nothing_along) {
  Set due{Kind::second};
  BOOST_TEST(!due.take(Kind::first));
  BOOST_TEST(!due.take(Kind::last));
  BOOST_TEST(due.contains(Kind::second));
}

BOOST_AUTO_TEST_CASE(sets_join_and_are_compared) {
  Set due{Kind::first};
  due.add(Set{Kind::last});
  BOOST_TEST(due.contains(Kind::first));
  BOOST_TEST(due.contains(Kind::last));
  BOOST_TEST(!due.contains(Kind::second));
  BOOST_TEST(due.contains_any({Kind::second, Kind::last}));
  BOOST_TEST(!due.contains_any({Kind::second, Kind::third}));
  BOOST_TEST(!due.contains_any({}));
}

BOOST_AUTO_TEST_CASE(nothing_is_due_of_what_was_abandoned) {
  Set due{Kind::first, Kind::last};
  due.abandon();
  BOOST_TEST(due.empty());
  BOOST_TEST(!due.take(Kind::first));
  BOOST_TEST(!due.take(Kind::last));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
