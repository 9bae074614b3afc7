#include "core/sending.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

#include "support/allocation_fault.hpp"
#include "support/scripted_transport.hpp"
#include "support/sender.hpp"
#include "support/text_bytes.hpp"

namespace libnet::test {

using core::Sending;
using transport::KernelPipe;
using transport::Status;
using Holding = ScriptedTransport::Holding;
using Views = Sending::Views;

namespace {

const error_code broken = boost::asio::error::broken_pipe;

/// Writes of all kinds and of many sizes. What they borrow lives here.
struct Traffic {
  void queue(Sender& sender) {
    for (std::size_t i = 0, begin = 0; i < sizes.size(); begin += sizes[i++]) {
      const std::string_view piece = std::string_view(text).substr(begin, sizes[i]);
      const std::uint64_t from = sender.sending.appended();
      switch (i % 4) {
        case 0: sender.sending.append(Payload(piece), Views::copied); break;
        case 1: sender.sending.append(Payload(piece), Views::borrowed); break;
        case 2: sender.sending.append(Payload(std::string(piece)), Views::borrowed); break;
        default: sender.sending.append_borrowed(two_pieces(piece)); break;
      }
      sender.await(from);
    }
    sender.sending.owe_drain();
    sender.sending.end();
  }
  static detail::WriteBuffers two_pieces(std::string_view piece) {
    const std::size_t half = piece.size() / 2;
    const std::array buffers{boost::asio::buffer(piece.substr(0, half)), boost::asio::buffer(piece.substr(half))};
    return detail::WriteBuffers::from(buffers, piece.size());
  }

  const std::array<std::size_t, 9> sizes{5, 700, 300, 64, 1, 2, 1500, 0, 900};
  const std::string text = numbered(5 + 700 + 300 + 64 + 1 + 2 + 1500 + 900);
};

void check_all_sent(const Sender& sender, const ScriptedTransport& transport, const Traffic& traffic) {
  BOOST_REQUIRE(transport.left() == traffic.text);
  BOOST_TEST(sender.completed() == traffic.sizes.size());
  for (const Write& write : sender.writes) {
    BOOST_TEST(write.completions == 1);
    BOOST_TEST(!write.code);
    BOOST_TEST(write.transferred == write.size());
  }
  BOOST_TEST(sender.drains == 1);
  BOOST_TEST(sender.ends == 1);
  BOOST_TEST(transport.ends() == 1U);
}

void check_failed(const Sender& sender, const ScriptedTransport& transport, const Traffic& traffic) {
  BOOST_REQUIRE(traffic.text.starts_with(transport.left()));
  BOOST_TEST(sender.failure == broken);
  for (const Write& write : sender.writes) {
    const std::size_t sent = std::clamp<std::uint64_t>(transport.sent(), write.begin, write.end) - write.begin;
    BOOST_TEST(write.completions == 1);
    BOOST_TEST(write.transferred == sent);
    BOOST_TEST(write.code.failed() == (transport.sent() < write.end));
  }
  BOOST_TEST(sender.ends == 0);
  if (transport.ends() != 0) BOOST_TEST(transport.taken().size() == traffic.text.size());  // behind all bytes
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sending)

BOOST_AUTO_TEST_CASE(writes_of_every_kind_leave_in_order_however_little_a_call_takes) {
  for (const std::size_t most : {1U, 2U, 3U, 64U, 1000U, 100000U}) {
    ScriptedTransport transport;
    transport.limit_writes(most);
    Sender sender(transport);
    Traffic traffic;
    traffic.queue(sender);
    for (int i = 0; i < 5000 && sender.ends == 0; ++i) sender.step();
    check_all_sent(sender, transport, traffic);
    sender.steps(3);
    check_all_sent(sender, transport, traffic);
  }
}

BOOST_AUTO_TEST_CASE(a_call_that_fails_fails_every_write_that_has_not_left_and_no_other) {
  for (const Holding holding : {Holding::never, Holding::maybe}) {
    std::size_t faults = 0;
    for (std::size_t nth = 1;; ++nth) {
      ScriptedTransport transport(holding);
      transport.limit_writes(100);
      if (holding == Holding::maybe) transport.hold_last(50);
      transport.fail_call(nth, broken);
      Sender sender(transport);
      Traffic traffic;
      traffic.queue(sender);
      sender.steps(5);
      if (!sender.failure) transport.hold_last(0);
      sender.steps(2);
      if (!transport.fault_has_fired()) break;
      ++faults;
      check_failed(sender, transport, traffic);
    }
    BOOST_TEST(faults > 35U);
  }
}

BOOST_AUTO_TEST_CASE(a_call_that_would_block_only_delays) {
  std::size_t blocks = 0;
  for (std::size_t nth = 1;; ++nth) {
    ScriptedTransport transport(Holding::maybe);
    transport.limit_writes(100);
    transport.hold_last(50);
    transport.block_call(nth);
    Sender sender(transport);
    Traffic traffic;
    traffic.queue(sender);
    sender.steps(6);
    transport.hold_last(0);
    sender.steps(3);
    if (!transport.block_has_fired()) break;
    ++blocks;
    check_all_sent(sender, transport, traffic);
  }
  BOOST_TEST(blocks > 35U);
}

BOOST_AUTO_TEST_CASE(a_lent_view_is_not_copied_and_another_is) {
  std::string lent = "lent", copied = "copied";
  ScriptedTransport transport;
  Sender sender(transport);
  sender.write(copied, Views::copied);
  sender.write(lent, Views::borrowed);
  lent[0] = 'b';
  copied[0] = 'C';
  sender.step();
  BOOST_TEST(transport.left() == "copiedbent");
}

BOOST_AUTO_TEST_CASE(a_flush_makes_no_more_gathered_writes_than_it_may) {
  ScriptedTransport transport;
  transport.limit_writes(1);
  Sender sender(transport);
  sender.write("0123456789");
  const auto flush_up_to = [&](int most) { return flush(sender.sending, transport, most); };
  BOOST_TEST(flush_up_to(3).more);
  BOOST_TEST(transport.writes() == 3U);
  BOOST_TEST(transport.left() == "012");
  const Sending::Flushed rest = flush_up_to(7);
  BOOST_TEST(rest.moved);
  BOOST_TEST(!rest.more);
  BOOST_TEST(transport.left() == "0123456789");
  const Sending::Flushed nothing = flush_up_to(7);
  BOOST_TEST(!nothing.moved);
  BOOST_TEST(!nothing.more);
  BOOST_TEST(transport.writes() == 10U);
}

BOOST_AUTO_TEST_CASE(what_no_transport_takes_stays_and_nothing_has_moved) {
  ScriptedTransport transport;
  transport.set_writable(false);
  Sender sender(transport);
  const Write& write = sender.write("later");
  const Sending::Flushed flushed = flush(sender.sending, transport, 16);
  BOOST_TEST(!flushed.moved);
  BOOST_TEST(!flushed.more);
  BOOST_TEST(transport.writes() == 0U);
  BOOST_TEST(sender.sending.queued() == 5U);
  BOOST_TEST(!sender.sending.has_started(write));
  transport.set_writable(true);
  BOOST_TEST(flush(sender.sending, transport, 16).moved);
  BOOST_TEST(sender.sending.has_sent(write));
}

BOOST_AUTO_TEST_CASE(a_transport_that_would_block_and_is_ready_again_is_asked_again) {
  ScriptedTransport transport;
  transport.limit_writes(2);
  transport.say_that_was_all();
  Sender sender(transport);
  sender.write("abc");
  BOOST_TEST(flush(sender.sending, transport, 16).more);
  BOOST_TEST(transport.left() == "ab");
  BOOST_TEST(!flush(sender.sending, transport, 16).more);
  BOOST_TEST(transport.left() == "abc");
}

BOOST_AUTO_TEST_CASE(a_write_is_complete_when_its_own_bytes_have_left_whatever_is_held_of_later_ones) {
  ScriptedTransport transport(Holding::maybe);
  transport.hold_last(1000);
  Sender sender(transport);
  const std::string text(300, 'x');
  for (std::size_t i = 0; i < 50; ++i) {
    sender.write(text);
    sender.step();
    const std::size_t sent = std::max<std::size_t>(300 * (i + 1), 1000) - 1000;
    BOOST_TEST(sender.sending.sent() == sent);
    BOOST_TEST(sender.completed() == sent / 300);
    BOOST_TEST(sender.sending.queued() == 0U);
    BOOST_TEST(sender.sending.buffered() == 300 * (i + 1) - sent);
  }
  sender.sending.end();
  sender.step();
  BOOST_TEST(transport.ends() == 1U);
  BOOST_TEST(sender.ends == 0);
  transport.hold_last(0);
  sender.step();
  BOOST_TEST(sender.completed() == 50U);
  BOOST_TEST(transport.ends() == 1U);
  BOOST_TEST(sender.ends == 1);
}

BOOST_AUTO_TEST_CASE(a_failing_write_counts_what_has_left_and_not_what_is_held) {
  ScriptedTransport transport(Holding::maybe);
  transport.hold_last(4);
  Sender sender(transport);
  sender.write("0123456789");
  sender.step();
  transport.fail_call(1, broken);
  sender.write("more");
  sender.step();
  BOOST_TEST(sender.writes[0].code == broken);
  BOOST_TEST(sender.writes[0].transferred == 6U);
  BOOST_TEST(sender.writes[1].transferred == 0U);
}

BOOST_AUTO_TEST_CASE(a_write_that_has_not_started_is_taken_out_with_its_bytes) {
  ScriptedTransport transport;
  transport.limit_writes(5);
  Sender sender(transport);
  Write& first = sender.write("first");
  Write& second = sender.write("second");
  Write& third = sender.write("third");
  static_cast<void>(flush(sender.sending, transport, 1));
  BOOST_TEST(sender.sending.has_started(first));
  BOOST_TEST(!sender.sending.has_started(second));
  BOOST_TEST(sender.sending.contains(second));
  sender.sending.remove(second);
  BOOST_TEST(!sender.sending.contains(second));
  BOOST_TEST(sender.sending.appended() == 16U);  // it was written once
  BOOST_TEST(sender.sending.queued() == 5U);
  static_cast<void>(flush(sender.sending, transport, 16));
  BOOST_TEST(transport.left() == "firstthird");
  BOOST_TEST(sender.sending.pop_completed() == &first);
  BOOST_TEST(sender.sending.pop_completed() == &third);
  BOOST_TEST(sender.sending.pop_completed() == nullptr);
}

BOOST_AUTO_TEST_CASE(what_was_taken_out_delays_no_other_write_of_a_transport_that_holds) {
  // Taken out at the front, in the middle and behind writes that nobody waits for; what is held is never let go.
  for (const std::size_t held : {0U, 3U, 7U}) {
    ScriptedTransport transport(Holding::maybe, 1000);
    transport.hold_last(held);
    Sender sender(transport);
    const std::string text(5, 'x');
    Write& first = sender.write(text);
    sender.sending.append(Payload(text), Views::copied);  // nobody waits for it
    Write& second = sender.write(text);
    Write& third = sender.write(text);
    Write& fourth = sender.write(text);
    Write& fifth = sender.write(text);
    sender.sending.remove(first);
    sender.sending.remove(fourth);
    sender.sending.remove(third);
    BOOST_TEST(sender.sending.sent() == 5U);
    static_cast<void>(flush(sender.sending, transport, 16));
    const std::size_t left = 15 - held;
    BOOST_TEST(transport.left().size() == left);
    BOOST_TEST((sender.sending.pop_completed() == &second) == (left >= 10));
    if (left < 10) {
      BOOST_TEST(sender.sending.pop_any() == &second);
      BOOST_TEST(second.transferred == left - 5);
    }
    BOOST_TEST((sender.sending.pop_completed() == &fifth) == (left >= 15));
  }
}

BOOST_AUTO_TEST_CASE(what_was_taken_out_before_a_transport_was_there_delays_no_write) {
  ScriptedTransport before, after(Holding::maybe, 50);
  Sender sender(before);
  const std::string text(5, 'x');
  Write& first = sender.write(text);
  sender.sending.append_barrier(nullptr);
  sender.sending.append(Payload(text), Views::copied);
  Write& second = sender.write(text);
  Write& third = sender.write(text);
  static_cast<void>(flush(sender.sending, before, 16));
  BOOST_TEST(sender.sending.pop_completed() == &first);
  sender.sending.remove(second);
  sender.replace(after);
  after.hold_last(1);
  static_cast<void>(flush(sender.sending, after, 16));
  BOOST_TEST(sender.sending.pop_completed() == nullptr);
  after.hold_last(0);
  BOOST_TEST(sender.sending.pop_completed() == &third);
  BOOST_TEST(sender.sending.sent() == sender.sending.appended());
}

// --- offered -------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(all_that_is_queued_is_offered_once_however_many_pieces_it_has) {
  const std::string text = numbered(6000);
  ScriptedTransport transport;
  Sender sender(transport);
  for (std::size_t i = 0; i < 600; ++i) sender.write(std::string_view(text).substr(10 * i, 10));
  sender.sending.append_piped(pipe_with("piped"));
  error_code error;
  BOOST_TEST(sender.sending.offer(transport, error).moved);
  BOOST_TEST((transport.left() == text + "piped"));
  BOOST_TEST(transport.writes() == 3U);
  BOOST_TEST(!sender.sending.offer(transport, error).moved);
  BOOST_TEST(transport.writes() == 3U);
}

BOOST_AUTO_TEST_CASE(what_a_transport_does_not_take_is_not_offered_again) {
  ScriptedTransport transport;
  transport.limit_writes(3);  // and says that it could take more
  Sender sender(transport);
  sender.write("01234");
  error_code error;
  BOOST_TEST(sender.sending.offer(transport, error).moved);
  BOOST_TEST(transport.left() == "012");
  transport.set_writable(false);
  BOOST_TEST(!sender.sending.offer(transport, error).moved);
  BOOST_TEST(transport.writes() == 1U);
  transport.set_writable(true);
  transport.fail_call(2, broken);
  const Sending::Flushed failed = sender.sending.offer(transport, error);
  BOOST_TEST(failed.failed);
  BOOST_TEST(!failed.moved);
  BOOST_TEST(error == broken);
}

// --- written through -----------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_is_written_through_is_queued_only_as_far_as_it_was_not_taken) {
  for (const std::size_t most : {1U, 7U, 10U, 100U}) {
    ScriptedTransport transport;
    transport.limit_writes(most);
    Sender sender(transport);
    const std::size_t taken = std::min<std::size_t>(most, 10);
    BOOST_TEST(sender.sending.write_through(transport, bytes_of("0123456789")).bytes == taken);
    const Write& write = sender.await(0);
    BOOST_TEST(sender.sending.appended() == 10U);
    BOOST_TEST(sender.sending.sent() == taken);
    BOOST_TEST(sender.sending.queued() == 10 - taken);
    sender.write(" more");
    sender.step();
    BOOST_TEST(write.transferred == 10U);
    BOOST_TEST(transport.left() == "0123456789 more");
  }
}

BOOST_AUTO_TEST_CASE(what_is_written_through_may_be_held) {
  ScriptedTransport transport(Holding::maybe);
  transport.hold_last(4);
  Sender sender(transport);
  sender.sending.write_through(transport, bytes_of("0123456789"));
  const Write& write = sender.await(0);
  BOOST_TEST(sender.sending.sent() == 6U);
  BOOST_TEST(!sender.sending.is_bare());
  sender.step();
  BOOST_TEST(write.completions == 0);
  transport.hold_last(0);
  sender.step();
  BOOST_TEST(write.completions == 1);
}

BOOST_AUTO_TEST_CASE(a_failure_to_write_through_is_told_and_nothing_has_left) {
  ScriptedTransport transport;
  transport.fail_call(1, broken);
  Sender sender(transport);
  const transport::Result result = sender.sending.write_through(transport, bytes_of("lost"));
  BOOST_CHECK(result.status == Status::error);
  BOOST_TEST(result.error == broken);
  BOOST_TEST(sender.sending.sent() == 0U);
  BOOST_TEST(sender.sending.queued() == 4U);
}

// --- pipes of the kernel -------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_is_in_a_pipe_keeps_its_place_and_is_no_memory) {
  ScriptedTransport transport;
  Sender sender(transport);
  sender.sending.append_piped(pipe_with("piped "));
  BOOST_TEST(sender.sending.buffered() == 6U);
  BOOST_TEST(sender.sending.buffered_in_user_space() == 0U);
  const Write& write = sender.write("after");
  BOOST_TEST(sender.sending.buffered_in_user_space() == 5U);
  sender.step();
  BOOST_TEST(transport.left() == "piped after");
  BOOST_TEST(write.transferred == 5U);
}

BOOST_AUTO_TEST_CASE(a_pipe_behind_bytes_is_emptied_behind_them) {
  ScriptedTransport transport;
  Sender sender(transport);
  sender.write("before ");
  sender.sending.append_piped(pipe_with("piped"));
  sender.sending.end();
  sender.step();
  BOOST_TEST(transport.left() == "before piped");
  BOOST_TEST(transport.ends() == 1U);
}

// --- memory --------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_write_for_which_there_is_no_memory_has_queued_nothing) {
  const std::string text = numbered(30000);
  const std::string_view all = text;
  const std::size_t failed = fail_each_allocation([&](AllocationFault& fault) {
    ScriptedTransport before, after;
    Sender sender(before);
    const auto piped = pipe_with("piped");
    const auto adopted = Bytes(std::string(all.substr(1000, 500)));
    const auto pieces = Traffic::two_pieces(all.substr(30, 300));
    fault.insist([&] { sender.sending.append(Payload(all.substr(0, 20)), Views::copied); });
    fault.insist([&] { sender.sending.append(Payload(all.substr(20, 10)), Views::borrowed); });
    fault.insist([&] { sender.sending.append_borrowed(pieces); });
    fault.insist([&] { sender.sending.append(Payload(all.substr(330, 670)), Views::copied); });
    fault.insist([&] { sender.sending.append(Payload(adopted), Views::copied); });
    fault.insist([&] { sender.sending.append_barrier(nullptr); });
    fault.insist([&] { sender.sending.append(Payload(all.substr(1500, 28500)), Views::copied); });
    fault.insist([&] { sender.sending.append_piped(piped); });
    BOOST_TEST(sender.sending.appended() == 30005U);
    BOOST_TEST(fault.survives([&] { static_cast<void>(flush(sender.sending, before, 16)); }));
    sender.replace(after);
    BOOST_TEST(fault.survives([&] { static_cast<void>(flush(sender.sending, after, 16)); }));
    BOOST_REQUIRE(before.left() == all.substr(0, 1500));
    BOOST_REQUIRE(after.left() == std::string(all.substr(1500)) + "piped");
  });
  BOOST_TEST(failed >= 9U);
}

BOOST_AUTO_TEST_CASE(a_write_that_has_begun_and_has_no_memory_for_its_rest_fails_the_connection) {
  const std::string text = numbered(30000);
  const std::size_t failed = fail_each_allocation([&](AllocationFault& fault) {
    ScriptedTransport transport;
    transport.limit_writes(10000);
    Sender sender(transport);
    transport::Result result;
    BOOST_REQUIRE(fault.survives([&] { result = sender.sending.write_through(transport, bytes_of(text)); }));
    Write& write = sender.writes.emplace_back();
    sender.sending.await_bytes(write, 0, text.size());
    BOOST_TEST(result.bytes == 10000U);
    BOOST_TEST(sender.sending.pop_completed() == nullptr);
    if (!fault.has_fired()) return;
    BOOST_TEST(result.error == boost::asio::error::no_memory);
    BOOST_TEST(sender.sending.pop_any() == &write);
    BOOST_TEST(write.transferred == 10000U);
    sender.sending.drop_data();
    BOOST_TEST(sender.sending.is_bare());
  });
  BOOST_TEST(failed == 1U);
}

BOOST_AUTO_TEST_CASE(a_write_that_has_not_begun_and_has_no_memory_throws) {
  const std::string text = numbered(30000);
  const std::size_t failed = fail_each_allocation([&](AllocationFault& fault) {
    ScriptedTransport transport;
    transport.set_writable(false);
    Sender sender(transport);
    fault.insist([&] { sender.sending.write_through(transport, bytes_of(text)); });
    BOOST_TEST(sender.sending.queued() == text.size());
    transport.set_writable(true);
    sender.step();
    BOOST_TEST(transport.left() == text);
  });
  BOOST_TEST(failed == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
