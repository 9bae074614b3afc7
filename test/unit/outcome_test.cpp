#include "core/outcome.hpp"

#include <array>
#include <string>
#include <type_traits>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

#include "support/allocation_fault.hpp"

namespace libnet::test {

using core::Outcome;

namespace {

const error_code reset_by_peer = boost::asio::error::connection_reset;
const error_code aborted = boost::asio::error::operation_aborted;
const error_code eof = boost::asio::error::eof;
const error_code none;
const error_code closed = Errc::closed;
const error_code destroyed = Errc::destroyed;

Outcome outcome_of(bool failed, bool by_destroy) {
  Outcome outcome;
  if (failed) outcome.keep(Error(reset_by_peer, "read"));
  if (by_destroy) outcome.note_destroyed();
  return outcome;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(outcome)

BOOST_AUTO_TEST_CASE(each_kind_of_call_gets_its_code_from_each_kind_of_end) {
  struct Row {
    bool failed;
    bool destroyed;
    error_code in_flight;
    error_code at_close;
    error_code of_closers;
    error_code when_over;
    error_code of_late_read_with_input_open;
    error_code of_late_read_after_the_end;
    error_code of_late_end;
  };
  const std::array rows{
      Row{false, false, aborted, closed, none, closed, closed, eof, none},
      Row{true, false, reset_by_peer, reset_by_peer, reset_by_peer, reset_by_peer, reset_by_peer, eof, reset_by_peer},
      Row{false, true, aborted, aborted, aborted, destroyed, destroyed, destroyed, destroyed},
      Row{true, true, reset_by_peer, reset_by_peer, reset_by_peer, destroyed, destroyed, destroyed, destroyed},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT("failed " << row.failed << ", destroyed " << row.destroyed) {
      const Outcome outcome = outcome_of(row.failed, row.destroyed);
      BOOST_TEST(outcome.failed() == row.failed);
      BOOST_TEST(outcome.code() == (row.failed ? reset_by_peer : none));
      BOOST_TEST(outcome.code_in_flight() == row.in_flight);
      BOOST_TEST(outcome.code_at_close() == row.at_close);
      BOOST_TEST(outcome.code_of_closers() == row.of_closers);
      BOOST_TEST(outcome.code_when_over() == row.when_over);
      BOOST_TEST(outcome.destroyed() == row.destroyed);
      BOOST_TEST(outcome.code_of_late_read(false) == row.of_late_read_with_input_open);
      BOOST_TEST(outcome.code_of_late_read(true) == row.of_late_read_after_the_end);
      BOOST_TEST(outcome.code_of_late_end() == row.of_late_end);
    }
  }
}

BOOST_AUTO_TEST_CASE(the_first_error_is_kept_with_its_story) {
  Outcome outcome;
  BOOST_TEST(!outcome.error());
  outcome.keep(Error(reset_by_peer, "read"));
  outcome.keep(Error(Errc::timed_out, "write"));
  BOOST_TEST(outcome.code() == reset_by_peer);
  BOOST_TEST(outcome.error().operation() == "read");
}

BOOST_AUTO_TEST_CASE(who_has_heard_of_the_error_has_heard_of_it) {
  Outcome outcome;
  BOOST_TEST(!outcome.unheard());  // there is none
  outcome.keep(Error(reset_by_peer, "read"));
  outcome.note_heard_if(false);
  BOOST_TEST(outcome.unheard());
  outcome.note_heard_if(true);
  BOOST_TEST(!outcome.unheard());
  outcome.note_heard_if(false);
  outcome.note_logged();
  BOOST_TEST(!outcome.unheard());
  for (const error_code& code :
       {outcome.code_when_over(), outcome.code_of_late_read(false), outcome.code_of_late_end()}) {
    BOOST_TEST(code == closed);
  }
  BOOST_TEST(outcome.code_of_late_read(true) == eof);
}

BOOST_AUTO_TEST_CASE(an_error_of_which_only_the_log_tells_is_still_to_be_told) {
  Outcome outcome = outcome_of(true, false);
  outcome.note_logged();
  BOOST_TEST(!outcome.unheard());
  BOOST_TEST(outcome.code_when_over() == reset_by_peer);
  outcome.note_heard();
  BOOST_TEST(outcome.code_when_over() == closed);
}

BOOST_AUTO_TEST_CASE(where_there_is_no_memory_for_an_error_that_is_the_error) {
  const std::size_t failed = fail_each_allocation([](AllocationFault& fault) {
    Outcome outcome;
    const Error error(reset_by_peer, "read");
    BOOST_TEST(fault.survives([&] { outcome.keep(error); }));
    BOOST_TEST(outcome.code() == (fault.has_fired() ? detail::out_of_memory() : error_code(reset_by_peer)));
  });
  BOOST_TEST(failed == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
