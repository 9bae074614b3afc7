#include "core/time_limits.hpp"

#include <chrono>

#include <boost/test/unit_test.hpp>

#include "support/allocation_fault.hpp"
#include "support/clock.hpp"

namespace libnet::test {

using core::IdleTimer;
using namespace std::chrono_literals;

namespace {

struct Client final : core::TimeLimitClient {
  void on_idle() override { ++idle; }
  void on_linger_time_up() override {}
  int idle = 0;
};

struct Idle {
  explicit Idle(std::chrono::milliseconds duration) { timer.restart(duration); }

  ManualClock clock;
  Client client;
  IdleTimer timer{*clock.loop, client};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(time_limits)

BOOST_AUTO_TEST_CASE(what_does_not_move_is_idle_when_the_time_is_up_and_is_told_so_once) {
  Idle idle(100ms);
  BOOST_CHECK(idle.timer.duration() == 100ms);
  idle.clock.advance(99ms);
  BOOST_TEST(idle.client.idle == 0);
  idle.clock.advance(1ms);
  BOOST_TEST(idle.client.idle == 1);
  idle.clock.advance(1000ms);
  BOOST_TEST(idle.client.idle == 1);
}

BOOST_AUTO_TEST_CASE(the_time_counts_from_the_last_activity) {
  Idle idle(100ms);
  idle.clock.advance(30ms);
  idle.timer.touch();
  idle.clock.advance(40ms);
  idle.timer.touch();
  idle.clock.advance(99ms);  // the timer that was set first has expired meanwhile
  BOOST_TEST(idle.client.idle == 0);
  idle.clock.advance(1ms);
  BOOST_TEST(idle.client.idle == 1);
}

BOOST_AUTO_TEST_CASE(activity_after_idleness_begins_another_wait) {
  Idle idle(100ms);
  idle.clock.advance(100ms);
  idle.timer.touch();
  idle.clock.advance(99ms);
  BOOST_TEST(idle.client.idle == 1);
  idle.clock.advance(1ms);
  BOOST_TEST(idle.client.idle == 2);
}

BOOST_AUTO_TEST_CASE(activity_in_a_step_counts_at_its_end) {
  Idle idle(100ms);
  idle.clock.advance(50ms);
  idle.timer.end_step();  // nothing moved
  idle.clock.advance(50ms);
  BOOST_TEST(idle.client.idle == 1);
  idle.timer.touch_in_step();
  idle.timer.touch_in_step();
  BOOST_TEST(!idle.timer.armed());
  idle.timer.end_step();
  BOOST_TEST(idle.timer.armed());
  idle.clock.advance(60ms);
  idle.timer.end_step();  // the step before was another one
  idle.clock.advance(40ms);
  BOOST_TEST(idle.client.idle == 2);
}

BOOST_AUTO_TEST_CASE(another_duration_begins_now_shorter_or_longer) {
  for (const auto duration : {20ms, 500ms}) {
    Idle idle(100ms);
    idle.clock.advance(10ms);
    idle.timer.restart(duration);
    BOOST_CHECK(idle.timer.duration() == duration);
    idle.clock.advance(duration - 1ms);
    BOOST_TEST(idle.client.idle == 0);
    idle.clock.advance(1ms);
    BOOST_TEST(idle.client.idle == 1);
  }
}

BOOST_AUTO_TEST_CASE(a_timer_is_started_without_memory) {
  const std::size_t failed = fail_each_allocation([](AllocationFault& fault) {
    ManualClock clock;
    Client client;
    IdleTimer timer(*clock.loop, client);
    clock.loop->request_turn();
    BOOST_TEST(fault.survives([&] { timer.restart(100ms); }));
    clock.advance(99ms);
    BOOST_TEST(client.idle == 0);
    clock.advance(1ms);
    BOOST_TEST(client.idle == 1);
  });
  BOOST_TEST(failed == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
