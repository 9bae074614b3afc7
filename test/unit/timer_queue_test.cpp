#include "reactor/timer_queue.hpp"

#include <array>
#include <chrono>
#include <random>
#include <set>
#include <utility>

#include <boost/test/unit_test.hpp>

#include "support/seed.hpp"

namespace libnet::test {

namespace {

using reactor::TimePoint;
using reactor::Timer;
using reactor::TimerQueue;
using namespace std::chrono_literals;

struct Alarm final : Timer {
  void on_timer() override {}
};

TimePoint at(int milliseconds) { return TimePoint(std::chrono::milliseconds(milliseconds)); }

}  // namespace

BOOST_AUTO_TEST_SUITE(timer_queue)

BOOST_AUTO_TEST_CASE(the_first_deadline_is_in_front_whatever_the_order) {
  std::array<Alarm, 4> alarms;
  TimerQueue queue;
  BOOST_TEST(queue.empty());
  queue.add(alarms[0], at(30));
  queue.add(alarms[1], at(10));
  queue.add(alarms[2], at(40));
  queue.add(alarms[3], at(20));
  BOOST_TEST((&queue.first() == &alarms[1]));
  queue.remove(alarms[3]);
  queue.remove(alarms[1]);
  BOOST_TEST((&queue.first() == &alarms[0]));
  queue.remove(alarms[0]);
  BOOST_TEST((queue.first_deadline() == at(40)));
  queue.remove(alarms[2]);
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_CASE(it_agrees_with_a_sorted_set_through_random_additions_and_removals) {
  std::mt19937_64 random(seed());
  std::array<Alarm, 200> alarms;
  std::array<TimePoint, 200> deadlines{};
  std::set<std::pair<TimePoint, std::size_t>> expected;
  TimerQueue queue;
  for (int i = 0; i < 20'000; ++i) {
    const std::size_t which = random() % alarms.size();
    if (expected.contains({deadlines[which], which})) {
      queue.remove(alarms[which]);
      expected.erase({deadlines[which], which});
    } else {
      deadlines[which] = at(static_cast<int>(random() % 100));
      queue.add(alarms[which], deadlines[which]);
      expected.insert({deadlines[which], which});
    }
    BOOST_REQUIRE(queue.empty() == expected.empty());
    if (!expected.empty()) BOOST_REQUIRE((queue.first_deadline() == expected.begin()->first));
  }
  while (!queue.empty()) {
    BOOST_REQUIRE((queue.first_deadline() == expected.begin()->first));
    const auto which = static_cast<std::size_t>(static_cast<Alarm*>(&queue.first()) - alarms.data());
    queue.remove(queue.first());
    expected.erase({deadlines[which], which});
  }
  BOOST_TEST(expected.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
