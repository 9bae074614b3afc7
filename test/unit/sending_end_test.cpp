#include <cstddef>

#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

#include "core/sending.hpp"
#include "support/scripted_transport.hpp"
#include "support/sender.hpp"
#include "support/text_bytes.hpp"

namespace libnet::test {

using core::Sending;
using Holding = ScriptedTransport::Holding;
using Views = Sending::Views;

namespace {

const error_code broken = boost::asio::error::broken_pipe;

}  // namespace

BOOST_AUTO_TEST_SUITE(sending_end)

// --- drain ---------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(one_drain_is_owed_however_often_it_was_asked_for) {
  ScriptedTransport transport;
  Sending sending;
  sending.attach(transport);
  BOOST_TEST(!sending.take_drain(0));
  sending.owe_drain();
  sending.owe_drain();
  BOOST_TEST(sending.owes_drain());
  BOOST_TEST(sending.take_drain(0));
  BOOST_TEST(!sending.owes_drain());
  BOOST_TEST(!sending.take_drain(0));
}

BOOST_AUTO_TEST_CASE(a_drain_waits_for_the_mark_and_for_an_empty_queue_after_the_end) {
  ScriptedTransport transport;
  transport.limit_writes(4);
  Sending sending;
  sending.attach(transport);
  sending.append_copy(bytes_of("0123456789"));
  sending.owe_drain();
  static_cast<void>(flush(sending, transport, 1));
  BOOST_TEST(!sending.take_drain(5));
  BOOST_TEST(sending.take_drain(6));
  sending.owe_drain();
  sending.end();
  BOOST_TEST(!sending.take_drain(6));
  static_cast<void>(flush(sending, transport, 16));
  BOOST_TEST(sending.take_drain(6));
}

BOOST_AUTO_TEST_CASE(what_a_transport_holds_delays_the_drain) {
  ScriptedTransport transport(Holding::maybe);
  transport.hold_last(3);
  Sending sending;
  sending.attach(transport);
  sending.append_copy(bytes_of("0123456789"));
  sending.owe_drain();
  static_cast<void>(flush(sending, transport, 16));
  BOOST_TEST(sending.queued() == 0U);
  BOOST_TEST(!sending.take_drain(2));
  BOOST_TEST(sending.take_drain(3));
}

// --- our side ------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_end_goes_out_once_and_behind_all_bytes) {
  ScriptedTransport transport(Holding::maybe);
  transport.limit_writes(1);
  transport.hold_last(1);
  Sending sending;
  sending.attach(transport);
  sending.append_copy(bytes_of("ab"));
  const auto ends_after = [&](int writes) {
    static_cast<void>(flush(sending, transport, writes));
    BOOST_TEST(!sending.send_end(transport));
    return transport.ends();
  };
  BOOST_TEST(ends_after(1) == 0U);
  sending.end();
  BOOST_TEST(sending.is_ending());
  BOOST_TEST(ends_after(0) == 0U);  // a byte is queued and one is held
  BOOST_TEST(ends_after(1) == 1U);  // one is held: the transport puts the end behind it
  BOOST_TEST(!sending.take_end_sent());
  transport.hold_last(0);
  BOOST_TEST(ends_after(1) == 1U);
  BOOST_TEST(!sending.end_is_sent());
  BOOST_TEST(sending.take_end_sent());
  BOOST_TEST(!sending.take_end_sent());
  BOOST_TEST(sending.finish_is_due());
  BOOST_TEST(sending.end_is_sent());
  sending.note_finish_told();
  BOOST_TEST(sending.has_finished());
  BOOST_TEST(sending.end_is_sent());
  BOOST_TEST(!sending.is_ending());
  BOOST_TEST(ends_after(1) == 1U);
}

BOOST_AUTO_TEST_CASE(an_end_that_a_transport_holds_is_not_sent_yet) {
  ScriptedTransport transport(Holding::maybe);
  transport.hold_end(20);
  Sender sender(transport);
  sender.write("before");
  sender.sending.end();
  sender.steps(3);
  BOOST_TEST(transport.ends() == 1U);
  BOOST_TEST(sender.ends == 0);
  BOOST_TEST(!sender.sending.end_is_sent());
  BOOST_TEST(sender.completed() == 1U);
  transport.hold_end(0);
  sender.steps(3);
  BOOST_TEST(transport.ends() == 1U);
  BOOST_TEST(sender.ends == 1);
}

BOOST_AUTO_TEST_CASE(an_end_that_fails_is_told_and_not_tried_again) {
  ScriptedTransport transport;
  Sending sending;
  sending.attach(transport);
  sending.end();
  transport.fail_call(1, broken);
  BOOST_TEST(sending.send_end(transport) == broken);
  BOOST_TEST(!sending.send_end(transport));
  BOOST_TEST(transport.ends() == 0U);
}

BOOST_AUTO_TEST_CASE(the_end_of_what_never_connected_counts_as_sent_if_it_was_wanted) {
  Sending sending;
  BOOST_TEST(!sending.end_unconnected());
  sending.end();
  BOOST_TEST(sending.end_unconnected());
  BOOST_TEST(sending.finish_is_due());
  BOOST_TEST(!sending.end_unconnected());
  sending.tell_no_finish();
  BOOST_TEST(sending.has_finished());
}

BOOST_AUTO_TEST_CASE(what_was_aborted_sends_no_end) {
  ScriptedTransport transport;
  Sending sending;
  sending.attach(transport);
  sending.end();
  sending.abort();
  BOOST_TEST(sending.is_aborted());
  BOOST_TEST(!sending.is_open());
  BOOST_TEST(!sending.send_end(transport));
  BOOST_TEST(!sending.take_end_sent());
  BOOST_TEST(!sending.end_unconnected());
  sending.tell_no_finish();
  BOOST_TEST(sending.is_aborted());
  BOOST_TEST(transport.ends() == 0U);
}

BOOST_AUTO_TEST_CASE(corks_are_counted_and_the_end_takes_them_out) {
  Sending sending;
  BOOST_TEST(!sending.uncork());
  sending.cork();
  sending.cork();
  BOOST_TEST(!sending.uncork());
  BOOST_TEST(sending.is_corked());
  BOOST_TEST(sending.uncork());
  BOOST_TEST(!sending.is_corked());
  BOOST_TEST(!sending.uncork());
  sending.cork();
  sending.end();
  BOOST_TEST(!sending.is_corked());
  BOOST_TEST(!sending.uncork());
}

// --- transports ----------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(nothing_behind_the_barrier_reaches_the_transport_before_it) {
  ScriptedTransport before, after;
  Sender sender(before);
  sender.write("before");
  sender.sending.append_barrier(nullptr);
  sender.write("copied ", Views::copied);
  sender.sending.append_piped(pipe_with("piped "));
  sender.write("lent");
  sender.sending.end();
  BOOST_TEST(!sender.sending.is_at_barrier());
  sender.steps(3);
  BOOST_TEST(before.left() == "before");
  BOOST_TEST(sender.completed() == 1U);
  BOOST_TEST(sender.sending.is_at_barrier());
  BOOST_TEST(!sender.sending.is_bare());
  BOOST_TEST(!flush(sender.sending, before, 16).more);
  sender.replace(after);
  BOOST_TEST(!sender.sending.is_at_barrier());
  sender.step();
  BOOST_TEST(before.left() == "before");
  BOOST_TEST(before.ends() == 0U);
  BOOST_TEST(after.left() == "copied piped lent");
  BOOST_TEST(after.ends() == 1U);
  BOOST_TEST(sender.completed() == 3U);
}

BOOST_AUTO_TEST_CASE(a_barrier_without_bytes_holds_the_end_and_what_would_be_written_through) {
  ScriptedTransport before, after;
  Sender sender(before);
  sender.sending.append_barrier(nullptr);
  BOOST_TEST(sender.sending.is_at_barrier());
  BOOST_TEST(!sender.sending.is_bare());
  sender.sending.end();
  sender.step();
  BOOST_TEST(before.ends() == 0U);
  sender.replace(after);
  BOOST_TEST(sender.sending.is_bare());
  sender.step();
  BOOST_TEST(after.ends() == 1U);
}

BOOST_AUTO_TEST_CASE(the_barrier_is_met_when_all_before_it_has_left_and_not_when_it_was_taken) {
  ScriptedTransport before(Holding::maybe);
  before.hold_last(2);
  Sender sender(before);
  sender.write("before");
  sender.sending.append_barrier(nullptr);
  sender.step();
  BOOST_TEST(sender.sending.queued() == 0U);
  BOOST_TEST(!sender.sending.is_at_barrier());
  before.hold_last(0);
  BOOST_TEST(sender.sending.is_at_barrier());
}

BOOST_AUTO_TEST_CASE(counts_go_on_over_transports_that_have_sent_for_others) {
  ScriptedTransport plain, first(Holding::maybe, 5000), second(Holding::maybe, 7);
  Sender sender(plain);
  const auto counts = [&](std::size_t appended, std::size_t sent) {
    sender.step();
    BOOST_TEST(sender.sending.appended() == appended);
    BOOST_TEST(sender.sending.sent() == sent);
  };
  const auto replace_by = [&](ScriptedTransport& next) {
    sender.sending.append_barrier(nullptr);
    sender.replace(next);
  };
  sender.write("0123456789");
  counts(10, 10);
  replace_by(first);
  counts(10, 10);
  first.hold_last(3);
  const Write& held = sender.write("abcde");
  counts(15, 12);
  BOOST_TEST(held.completions == 0);
  first.hold_last(0);
  counts(15, 15);
  BOOST_TEST(held.completions == 1);
  replace_by(second);
  second.hold_last(1);
  sender.write("xyz");
  counts(18, 17);
  second.hold_last(0);
  counts(18, 18);
  BOOST_TEST(held.transferred == 5U);
}

BOOST_AUTO_TEST_CASE(a_transport_that_has_sent_before_the_first_byte_counts_for_nothing) {
  ScriptedTransport transport(Holding::maybe, 5000);
  transport.hold_last(1);
  Sender sender(transport);
  BOOST_TEST(sender.sending.sent() == 0U);
  sender.write("abc");
  sender.step();
  BOOST_TEST(sender.sending.sent() == 2U);
  BOOST_TEST(sender.completed() == 0U);
}

BOOST_AUTO_TEST_CASE(a_new_connection_begins_with_nothing_of_the_last) {
  ScriptedTransport before(Holding::maybe, 40), after;
  before.hold_last(1);
  Sending sending;
  sending.attach(before);
  sending.append_copy(bytes_of("abc"));
  static_cast<void>(flush(sending, before, 16));
  sending.append_copy(bytes_of("never sent"));
  sending.append_barrier(nullptr);
  sending.cork();
  sending.owe_drain();
  sending.abort();
  sending.reset();
  BOOST_TEST(sending.is_open());
  BOOST_TEST(sending.is_bare());
  BOOST_TEST(!sending.is_corked());
  BOOST_TEST(!sending.owes_drain());
  BOOST_TEST(sending.appended() == 0U);
  BOOST_TEST(sending.sent() == 0U);
  BOOST_TEST(sending.buffered() == 0U);
  sending.attach(after);
  sending.append_copy(bytes_of("anew"));
  static_cast<void>(flush(sending, after, 16));
  BOOST_TEST(after.left() == "anew");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
