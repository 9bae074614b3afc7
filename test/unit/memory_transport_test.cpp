#include "transport/memory_transport.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include "support/drive.hpp"
#include "support/seed.hpp"
#include "support/transport_user.hpp"
#include "transport/native.hpp"

namespace libnet::test {

using transport::MemoryTransport;
using transport::Peek;
using transport::Result;
using transport::Status;
using transport::system_error;
using transport::Waiting;

namespace {

class Told final : public transport::Transport::Observer {
 public:
  void on_transport_ready() override { ++times; }
  int times = 0;
};

/// Two connected transports; both observers count.
struct Connected {
  explicit Connected(std::size_t capacity = MemoryTransport::default_capacity) {
    std::tie(ours, theirs) = MemoryTransport::pair(loop, loop, capacity);
    ours->observe(&our_told);
    theirs->observe(&their_told);
  }

  std::unique_ptr<boost::asio::io_context> context = std::make_unique<boost::asio::io_context>(1);
  std::shared_ptr<reactor::Loop> loop = reactor::Loop::of(context->get_executor());
  Told our_told;
  Told their_told;
  std::unique_ptr<MemoryTransport> ours;
  std::unique_ptr<MemoryTransport> theirs;
};

Result write(transport::Transport& to, std::string_view text) {
  const iovec only{const_cast<char*>(text.data()), text.size()};
  return to.try_write({&only, 1});
}

struct TextResult : Result {
  std::string text;
};

TextResult read(transport::Transport& from, std::size_t most = 100) {
  std::vector<char> buffer(most);
  const Result result = from.try_read(std::as_writable_bytes(std::span(buffer)));
  return {result, std::string(buffer.data(), result.bytes)};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_transport)

BOOST_AUTO_TEST_CASE(every_chunking_delivers_the_same_bytes) {
  const auto there = random_bytes(23, seed());
  const auto back = random_bytes(17, seed() + 1);
  for (std::size_t capacity : {1U, 2U, 3U, 5U, 8U, 23U, 100U}) {
    for (std::size_t most_read = 1; most_read <= 24; ++most_read) {
      for (std::size_t most_write = 1; most_write <= 24; ++most_write) {
        Connected ends(capacity);
        ends.ours->shape().limit_writes(most_write);
        ends.theirs->shape().limit_reads(most_read);
        ends.theirs->shape().never_say_drained(most_read % 2 == 0);
        TransportUser ours(ends.loop, *ends.ours, seed());
        TransportUser theirs(ends.loop, *ends.theirs, seed());
        ours.limit_pieces(1 + most_write % 7);
        ours.send(there, true);
        theirs.send(back, true);
        BOOST_REQUIRE(drive_until(*ends.context, [&] { return ours.ended_well() && theirs.ended_well(); }));
        BOOST_REQUIRE((theirs.received() == there));
        BOOST_REQUIRE((ours.received() == back));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(moves_megabytes_both_ways_at_once) {
  Connected ends(1000);
  TransportUser ours(ends.loop, *ends.ours, seed());
  TransportUser theirs(ends.loop, *ends.theirs, seed() + 1);
  const auto there = random_bytes(3'000'000, seed() + 2);
  const auto back = random_bytes(2'000'000, seed() + 3);
  ours.send(there, true);
  theirs.send(back, true);
  BOOST_TEST(drive_until(*ends.context, [&] { return ours.ended_well() && theirs.ended_well(); }));
  BOOST_TEST((theirs.received() == there));
  BOOST_TEST((ours.received() == back));
}

BOOST_AUTO_TEST_CASE(says_whether_more_can_be_read) {
  Connected ends;
  write(*ends.ours, "hello");
  BOOST_CHECK(read(*ends.theirs, 4).status == Status::more);
  BOOST_CHECK(read(*ends.theirs, 4).status == Status::would_block);
  BOOST_CHECK(read(*ends.theirs).status == Status::would_block);
  write(*ends.ours, "!");
  BOOST_TEST(!ends.ours->shutdown_write());
  BOOST_CHECK(read(*ends.theirs).status == Status::more);  // the end
  BOOST_CHECK(read(*ends.theirs).status == Status::end);
  BOOST_CHECK(read(*ends.theirs).status == Status::end);
}

BOOST_AUTO_TEST_CASE(writes_until_the_ring_is_full) {
  Connected ends(4);
  const std::array pieces{iovec{const_cast<char*>("abc"), 3}, iovec{const_cast<char*>("def"), 3}};
  const Result partial = ends.ours->try_write(pieces);
  BOOST_TEST(partial.bytes == 4U);
  BOOST_CHECK(partial.status == Status::would_block);
  BOOST_TEST(!ends.ours->ready_to_write());
  BOOST_TEST(read(*ends.theirs).text == "abcd");
  BOOST_TEST(ends.ours->ready_to_write());
  BOOST_CHECK(write(*ends.ours, "efgh").status == Status::more);
  BOOST_CHECK(ends.ours->try_write({}).status == Status::more);
}

BOOST_AUTO_TEST_CASE(limits_one_call) {
  Connected ends;
  ends.ours->shape().limit_writes(2);
  ends.theirs->shape().limit_reads(1);
  const Result written = write(*ends.ours, "hello");
  BOOST_TEST(written.bytes == 2U);
  BOOST_CHECK(written.status == Status::more);
  const TextResult first = read(*ends.theirs);
  BOOST_TEST(first.text == "h");
  BOOST_CHECK(first.status == Status::more);
  const std::array pieces{iovec{const_cast<char*>("a"), 1}, iovec{const_cast<char*>("bc"), 2}};
  BOOST_TEST(ends.ours->try_write(pieces).bytes == 2U);
}

BOOST_AUTO_TEST_CASE(tells_from_the_loop_once_and_only_who_asked) {
  Connected ends;
  write(*ends.ours, "a");
  drive_ready(*ends.context);
  BOOST_TEST(ends.their_told.times == 0);
  BOOST_TEST(ends.theirs->ready_to_read());
  read(*ends.theirs);
  BOOST_TEST(!ends.theirs->ready_to_read());
  write(*ends.ours, "b");
  BOOST_TEST(ends.their_told.times == 0);
  write(*ends.ours, "c");
  drive_ready(*ends.context);
  BOOST_TEST(ends.their_told.times == 1);
  BOOST_TEST(ends.our_told.times == 0);
}

BOOST_AUTO_TEST_CASE(tells_a_writer_about_room) {
  Connected ends(2);
  write(*ends.ours, "abc");
  BOOST_TEST(!ends.ours->ready_to_write());
  read(*ends.theirs, 1);
  drive_ready(*ends.context);
  BOOST_TEST(ends.our_told.times == 1);
  BOOST_TEST(write(*ends.ours, "c").bytes == 1U);
}

BOOST_AUTO_TEST_CASE(peeking_takes_nothing) {
  Connected ends;
  BOOST_CHECK(ends.ours->peek_end().waiting == Waiting::nothing);
  write(*ends.theirs, "x");
  ends.theirs->close();
  BOOST_CHECK(ends.ours->peek_end().waiting == Waiting::data);
  BOOST_TEST(read(*ends.ours).text == "x");
  BOOST_CHECK(ends.ours->peek_end().waiting == Waiting::end);
}

BOOST_AUTO_TEST_CASE(holds_input_back_until_released) {
  Connected ends;
  ends.theirs->shape().hold_readable();
  write(*ends.ours, "x");
  BOOST_TEST(!ends.ours->shutdown_write());
  BOOST_TEST(!ends.theirs->ready_to_read());
  BOOST_CHECK(read(*ends.theirs).status == Status::would_block);
  BOOST_CHECK(ends.theirs->peek_end().waiting == Waiting::nothing);
  drive_ready(*ends.context);
  BOOST_TEST(ends.their_told.times == 0);
  BOOST_TEST(!ends.theirs->ready_to_read());
  ends.theirs->shape().release_readable();
  drive_ready(*ends.context);
  BOOST_TEST(ends.their_told.times == 1);
  BOOST_TEST(read(*ends.theirs).text == "x");
}

BOOST_AUTO_TEST_CASE(holds_room_back_until_released) {
  Connected ends;
  ends.ours->shape().hold_writable();
  BOOST_TEST(!ends.ours->ready_to_write());
  const Result held = write(*ends.ours, "x");
  BOOST_TEST(held.bytes == 0U);
  BOOST_CHECK(held.status == Status::would_block);
  ends.ours->shape().release_writable();
  drive_ready(*ends.context);
  BOOST_TEST(ends.our_told.times == 1);
  BOOST_TEST(write(*ends.ours, "x").bytes == 1U);
}

BOOST_AUTO_TEST_CASE(fails_exactly_the_nth_call) {
  for (std::size_t nth = 1; nth <= 5; ++nth) {
    Connected ends;
    ends.ours->shape().fail_write(nth, system_error(ETIMEDOUT));
    ends.theirs->shape().fail_read(nth, system_error(EIO));
    for (std::size_t call = 1; call <= 7; ++call) {
      const Result written = write(*ends.ours, "x");
      BOOST_CHECK((written.status == Status::error) == (call == nth));
      BOOST_TEST(written.error == (call == nth ? system_error(ETIMEDOUT) : error_code()));
      BOOST_TEST(ends.ours->shape().write_faults() == (call >= nth ? 1U : 0U));
      const Result got = read(*ends.theirs);
      BOOST_CHECK((got.status == Status::error) == (call == nth));
      BOOST_TEST(got.error == (call == nth ? system_error(EIO) : error_code()));
      BOOST_TEST(ends.theirs->shape().read_faults() == (call >= nth ? 1U : 0U));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_failure_is_reported_in_place_of_the_later_end) {
  Connected ends;
  ends.ours->shape().fail_shutdown(1, system_error(ENOBUFS));
  BOOST_TEST(ends.ours->shutdown_write() == system_error(ENOBUFS));
  BOOST_TEST(ends.ours->shape().shutdown_faults() == 1U);
  write(*ends.theirs, "x");
  ends.theirs->close();
  BOOST_TEST(read(*ends.ours).text == "x");
  BOOST_TEST(ends.ours->peek_end().error == system_error(ENOBUFS));
  BOOST_TEST(read(*ends.ours).error == system_error(ENOBUFS));
}

BOOST_AUTO_TEST_CASE(a_failure_that_is_next_wakes_who_waits) {
  Connected ends;
  BOOST_TEST(!ends.ours->ready_to_read());
  ends.ours->shape().fail_read(1, system_error(ETIMEDOUT));
  drive_ready(*ends.context);
  BOOST_TEST(ends.our_told.times == 1);
  BOOST_TEST(ends.ours->ready_to_read());
  BOOST_CHECK(ends.ours->peek_end().waiting == Waiting::error);
  BOOST_TEST(ends.ours->shape().read_faults() == 0U);
  BOOST_TEST(read(*ends.ours).error == system_error(ETIMEDOUT));
  BOOST_TEST(ends.ours->shape().read_faults() == 1U);
}

BOOST_AUTO_TEST_CASE(a_reset_comes_behind_the_bytes_and_stays_an_error) {
  Connected ends;
  write(*ends.theirs, "hello");
  BOOST_TEST(ends.ours->ready_to_write());
  ends.theirs->reset();
  BOOST_CHECK(ends.ours->peek_end().waiting == Waiting::data);
  const TextResult bytes = read(*ends.ours);
  BOOST_TEST(bytes.text == "hello");
  BOOST_CHECK(bytes.status == Status::more);
  BOOST_TEST(read(*ends.ours).error == system_error(ECONNRESET));
  BOOST_TEST(read(*ends.ours).error == system_error(ECONNRESET));
  BOOST_TEST(ends.ours->peek_end().error == system_error(ECONNRESET));
  BOOST_TEST(write(*ends.ours, "x").error == system_error(EPIPE));
  BOOST_TEST(ends.ours->shutdown_write() == system_error(ECONNRESET));
}

BOOST_AUTO_TEST_CASE(a_write_meets_the_reset_first) {
  Connected ends;
  write(*ends.theirs, "hello");
  ends.theirs->reset();
  BOOST_TEST(write(*ends.ours, "x").error == system_error(ECONNRESET));
  BOOST_TEST(write(*ends.ours, "x").error == system_error(EPIPE));
  BOOST_TEST(read(*ends.ours).text == "hello");
  BOOST_TEST(read(*ends.ours).error == system_error(ECONNRESET));
}

BOOST_AUTO_TEST_CASE(a_reset_wakes_both_directions) {
  Connected ends(1);
  write(*ends.ours, "full");
  BOOST_TEST(!ends.ours->ready_to_write());
  BOOST_TEST(!ends.ours->ready_to_read());
  ends.theirs->reset();
  drive_ready(*ends.context);
  BOOST_TEST(ends.our_told.times == 1);
  BOOST_TEST(ends.ours->ready_to_write());
  BOOST_TEST(ends.ours->ready_to_read());
}

BOOST_AUTO_TEST_CASE(a_reset_behind_the_end_is_a_broken_pipe) {
  Connected ends;
  BOOST_TEST(!ends.theirs->shutdown_write());
  ends.theirs->reset();
  BOOST_TEST(read(*ends.ours).error == system_error(EPIPE));
}

BOOST_AUTO_TEST_CASE(closing_with_unread_input_is_a_reset) {
  Connected ends;
  write(*ends.ours, "nobody reads this");
  write(*ends.theirs, "bye");
  ends.theirs->close();
  BOOST_TEST(read(*ends.ours).text == "bye");
  BOOST_TEST(read(*ends.ours).error == system_error(ECONNRESET));
}

BOOST_AUTO_TEST_CASE(closing_otherwise_is_an_end) {
  Connected ends;
  write(*ends.theirs, "bye");
  ends.theirs->close();
  ends.theirs->close();
  ends.theirs->reset();
  BOOST_TEST(read(*ends.ours).text == "bye");
  BOOST_CHECK(read(*ends.ours).status == Status::end);
  BOOST_TEST(!ends.ours->shutdown_write());
  BOOST_TEST(ends.ours->ready_to_write());
  BOOST_TEST(write(*ends.ours, "x").error == system_error(EPIPE));
  BOOST_TEST(read(*ends.ours).error == system_error(EPIPE));  // no clean end any more
}

BOOST_AUTO_TEST_CASE(one_direction_ends_alone) {
  Connected ends;
  BOOST_TEST(!ends.ours->shutdown_write());
  BOOST_TEST(write(*ends.ours, "x").error == system_error(EPIPE));
  BOOST_CHECK(read(*ends.theirs).status == Status::end);
  BOOST_TEST(write(*ends.theirs, "late").bytes == 4U);
  BOOST_TEST(read(*ends.ours).text == "late");
}

BOOST_AUTO_TEST_CASE(either_end_may_go_first_also_when_it_is_to_be_told) {
  for (const bool ours_first : {true, false}) {
    Connected ends;
    BOOST_TEST(!ends.theirs->ready_to_read());
    write(*ends.ours, "x");
    (ours_first ? ends.ours : ends.theirs).reset();
    drive_ready(*ends.context);
    BOOST_TEST(ends.their_told.times == (ours_first ? 1 : 0));
    (ours_first ? ends.theirs : ends.ours).reset();
  }
}

BOOST_AUTO_TEST_CASE(outlives_its_context) {
  Connected ends;
  BOOST_TEST(!ends.theirs->ready_to_read());
  write(*ends.ours, "x");
  ends.context.reset();
  BOOST_TEST(read(*ends.theirs).text == "x");
  BOOST_TEST(!ends.theirs->ready_to_read());
  write(*ends.ours, "y");
  ends.ours.reset();
  BOOST_TEST(ends.their_told.times == 0);
}

BOOST_AUTO_TEST_CASE(has_no_addresses_and_no_descriptor) {
  Connected ends;
  BOOST_TEST(!ends.ours->local_address().has_value());
  BOOST_TEST(!ends.ours->remote_address().has_value());
  BOOST_TEST(ends.ours->native_handle() == -1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
