#include "core/closing.hpp"

#include <chrono>

#include <boost/test/unit_test.hpp>

#include "support/allocation_fault.hpp"
#include "support/clock.hpp"

namespace libnet::test {

using core::Closing;
using namespace std::chrono_literals;

namespace {

struct Client final : core::TimeLimitClient {
  void on_idle() override {}
  void on_linger_time_up() override { ++times_up; }
  int times_up = 0;
};

/// The end of a connection that waits for two seconds.
struct Wait {
  void restart_time() { closing.restart_time(*clock.loop, client, 2000ms); }
  void start_time_once() { closing.start_time_once(*clock.loop, client, 2000ms); }

  ManualClock clock;
  Client client;
  Closing closing;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(closing)

BOOST_AUTO_TEST_CASE(a_connection_that_does_not_linger_discards_nothing) {
  Closing closing;
  closing.note_end_sent(5);
  closing.stop_time();
  BOOST_TEST(!closing.lingers());
  BOOST_TEST(!closing.has_discarded_more_than(0, 1000000));
  BOOST_TEST(closing.has_discarded_nothing(1000000));
}

BOOST_AUTO_TEST_CASE(a_connection_that_only_waits_for_its_reader_does_not_linger) {
  Wait waiting;
  waiting.start_time_once();
  waiting.closing.note_end_sent(5);
  BOOST_TEST(!waiting.closing.lingers());
  BOOST_TEST(!waiting.closing.has_discarded_more_than(0, 1000000));
  BOOST_TEST(waiting.closing.has_discarded_nothing(1000000));
}

BOOST_AUTO_TEST_CASE(what_was_read_before_the_lingering_was_not_discarded) {
  Client client;
  Closing closing;
  closing.linger(client, 100);
  BOOST_TEST(closing.lingers());
  BOOST_TEST(closing.has_discarded_nothing(100));
  BOOST_TEST(!closing.has_discarded_nothing(101));
}

BOOST_AUTO_TEST_CASE(only_what_comes_after_our_end_counts_against_the_bound) {
  Client client;
  Closing closing;
  closing.linger(client, 100);
  BOOST_TEST(!closing.has_discarded_more_than(10, 1000000));
  closing.note_end_sent(150);
  BOOST_TEST(!closing.has_discarded_more_than(10, 150));
  BOOST_TEST(!closing.has_discarded_more_than(10, 160));
  BOOST_TEST(closing.has_discarded_more_than(10, 161));
  BOOST_TEST(!closing.has_discarded_more_than(0, 150));
  BOOST_TEST(closing.has_discarded_more_than(0, 151));
}

BOOST_AUTO_TEST_CASE(the_time_is_up_once) {
  Wait waiting;
  waiting.restart_time();
  waiting.clock.advance(1999ms);
  BOOST_TEST(waiting.client.times_up == 0);
  waiting.clock.advance(1ms);
  BOOST_TEST(waiting.client.times_up == 1);
  waiting.clock.advance(10s);
  BOOST_TEST(waiting.client.times_up == 1);
}

BOOST_AUTO_TEST_CASE(progress_begins_the_time_anew) {
  Wait waiting;
  for (int i = 0; i < 5; ++i) {
    waiting.restart_time();
    waiting.clock.advance(1999ms);
  }
  BOOST_TEST(waiting.client.times_up == 0);
  waiting.clock.advance(1ms);
  BOOST_TEST(waiting.client.times_up == 1);
}

BOOST_AUTO_TEST_CASE(a_time_that_was_started_once_is_not_prolonged) {
  Wait waiting;
  waiting.start_time_once();
  waiting.clock.advance(1500ms);
  waiting.start_time_once();
  waiting.clock.advance(499ms);
  BOOST_TEST(waiting.client.times_up == 0);
  waiting.clock.advance(1ms);
  BOOST_TEST(waiting.client.times_up == 1);
}

BOOST_AUTO_TEST_CASE(a_time_that_was_stopped_is_never_up_and_can_begin_again) {
  Wait waiting;
  waiting.start_time_once();
  waiting.clock.advance(1500ms);
  waiting.closing.stop_time();
  waiting.clock.advance(10s);
  BOOST_TEST(waiting.client.times_up == 0);
  waiting.start_time_once();
  waiting.clock.advance(1999ms);
  BOOST_TEST(waiting.client.times_up == 0);
  waiting.clock.advance(1ms);
  BOOST_TEST(waiting.client.times_up == 1);
}

BOOST_AUTO_TEST_CASE(a_new_connection_lingers_not_and_has_no_time) {
  Wait waiting;
  waiting.closing.linger(waiting.client, 100);
  waiting.closing.note_end_sent(100);
  waiting.restart_time();
  waiting.closing.reset();
  waiting.clock.advance(10s);
  BOOST_TEST(waiting.client.times_up == 0);
  BOOST_TEST(!waiting.closing.lingers());
  BOOST_TEST(!waiting.closing.has_discarded_more_than(0, 1000));
  waiting.closing.linger(waiting.client, 5);
  BOOST_TEST(!waiting.closing.has_discarded_more_than(0, 1000));
  BOOST_TEST(waiting.closing.has_discarded_nothing(5));
}

BOOST_AUTO_TEST_CASE(a_time_limit_dies_with_its_connection) {
  ManualClock clock;
  Client client;
  {
    Closing closing;
    closing.restart_time(*clock.loop, client, 2000ms);
  }
  clock.advance(10s);
  BOOST_TEST(client.times_up == 0);
}

BOOST_AUTO_TEST_CASE(without_memory_lingering_can_begin_again) {
  const std::size_t failed = fail_each_allocation([](AllocationFault& fault) {
    Wait waiting;
    waiting.clock.loop->request_turn();
    if (!fault.survives([&] { waiting.closing.linger(waiting.client, 7); })) {
      BOOST_TEST(!waiting.closing.lingers());
      waiting.closing.linger(waiting.client, 7);
    }
    waiting.start_time_once();
    BOOST_TEST(waiting.closing.has_discarded_nothing(7));
    waiting.clock.advance(1999ms);
    BOOST_TEST(waiting.client.times_up == 0);
    waiting.clock.advance(1ms);
    BOOST_TEST(waiting.client.times_up == 1);
  });
  BOOST_TEST(failed == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
