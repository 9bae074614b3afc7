#include "support/record_transport.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include "support/drive.hpp"
#include "support/seed.hpp"
#include "support/socket_pair.hpp"
#include "support/transport_user.hpp"
#include "transport/descriptor_transport.hpp"
#include "transport/memory_transport.hpp"
#include "transport/native.hpp"

namespace libnet::test {

using transport::DescriptorTransport;
using transport::MemoryTransport;
using transport::Result;
using transport::Status;
using transport::system_error;
using transport::Transport;
using transport::Waiting;

namespace {

class Told final : public Transport::Observer {
 public:
  void on_transport_ready() override { ++times; }
  int times = 0;
};

/// Two record transports over a memory transport.
struct Connected {
  explicit Connected(std::size_t capacity = MemoryTransport::default_capacity, RecordTransport::Rules rules = {}) {
    auto [first, second] = MemoryTransport::pair(loop, loop, capacity);
    our_lower = first.get();
    their_lower = second.get();
    ours = std::make_unique<RecordTransport>(loop, std::move(first), rules);
    theirs = std::make_unique<RecordTransport>(loop, std::move(second), rules);
    ours->observe(&our_told);
    theirs->observe(&their_told);
  }

  boost::asio::io_context context{1};
  std::shared_ptr<reactor::Loop> loop = reactor::Loop::of(context.get_executor());
  Told our_told;
  Told their_told;
  MemoryTransport* our_lower;
  MemoryTransport* their_lower;
  std::unique_ptr<RecordTransport> ours;
  std::unique_ptr<RecordTransport> theirs;
};

Result write(Transport& to, std::string_view text) {
  const iovec only{const_cast<char*>(text.data()), text.size()};
  return to.try_write({&only, 1});
}

struct TextResult : Result {
  std::string text;
};

TextResult read(Transport& from, std::size_t most = 2000) {
  std::vector<char> buffer(most);
  const Result result = from.try_read(std::as_writable_bytes(std::span(buffer)));
  return {result, std::string(buffer.data(), result.bytes)};
}

/// Writes one record each until the window is used up, and returns how many those were.
std::size_t use_up_window(RecordTransport& transport) {
  std::size_t records = 0;
  while (write(transport, "x").bytes == 1) ++records;
  return records;
}

constexpr RecordTransport::Rules eager{.acknowledge_interval = 1, .window = 1, .most_payload = 50};

}  // namespace

BOOST_AUTO_TEST_SUITE(record_transport)

BOOST_AUTO_TEST_CASE(moves_bytes_in_records_of_its_own) {
  Connected ends;
  BOOST_TEST(write(*ends.ours, std::string(1500, 'x')).bytes == 1500U);
  BOOST_TEST(ends.ours->unsent() == 0U);
  const TextResult first = read(*ends.theirs);
  BOOST_TEST(first.text == std::string(1000, 'x'));
  BOOST_CHECK(first.status == Status::more);
  BOOST_TEST(read(*ends.theirs, 200).text == std::string(200, 'x'));
  BOOST_TEST(read(*ends.theirs).text == std::string(300, 'x'));
  BOOST_CHECK(read(*ends.theirs).status == Status::would_block);
  BOOST_TEST(!ends.theirs->ready_to_read());
}

BOOST_AUTO_TEST_CASE(what_travels_is_enciphered) {
  Connected ends;
  write(*ends.ours, "plain text");
  BOOST_TEST(read(*ends.their_lower).text.find("plain") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_decoded_rest_is_ready_although_nothing_waits_below) {
  Connected ends;
  write(*ends.ours, "hello");
  BOOST_TEST(read(*ends.theirs, 2).text == "he");
  BOOST_TEST(!ends.their_lower->ready_to_read());
  BOOST_TEST(ends.theirs->ready_to_read());
  BOOST_CHECK(ends.theirs->peek_end().waiting == Waiting::data);
  BOOST_TEST(read(*ends.theirs).text == "llo");
}

BOOST_AUTO_TEST_CASE(holds_what_the_lower_transport_does_not_take) {
  Connected ends;
  ends.our_lower->shape().hold_writable();
  const Result held = write(*ends.ours, "hello");
  BOOST_TEST(held.bytes == 5U);  // taken, never to be offered again
  BOOST_CHECK(held.status == Status::would_block);
  BOOST_TEST(ends.ours->unsent() == 8U);
  BOOST_TEST(!ends.ours->ready_to_write());
  const Result second = write(*ends.ours, "world");
  BOOST_TEST(second.bytes == 0U);
  BOOST_CHECK(second.status == Status::would_block);
  BOOST_CHECK(ends.ours->flush().status == Status::would_block);
  BOOST_TEST(!ends.ours->ready_to_write());
  ends.our_lower->shape().release_writable();
  drive_ready(ends.context);
  BOOST_TEST(ends.our_told.times == 1);
  BOOST_TEST(ends.ours->ready_to_write());
  BOOST_CHECK(ends.ours->flush().status == Status::more);
  BOOST_TEST(ends.ours->unsent() == 0U);
  BOOST_TEST(read(*ends.theirs).text == "hello");
}

BOOST_AUTO_TEST_CASE(the_end_is_a_record_behind_what_is_held) {
  Connected ends(4);
  write(*ends.ours, "hello");
  BOOST_TEST(!ends.ours->shutdown_write());
  BOOST_TEST(ends.ours->unsent() > 0U);
  BOOST_TEST(write(*ends.ours, "late").error == system_error(EPIPE));
  std::string text;
  Result result;
  while (result.status != Status::end) {
    const TextResult part = read(*ends.theirs);
    BOOST_REQUIRE(part.status != Status::error);
    text += part.text;
    result = part;
    ends.ours->flush();
  }
  BOOST_TEST(text == "hello");
  BOOST_TEST(ends.ours->unsent() == 0U);
  BOOST_CHECK(read(*ends.their_lower).status == Status::end);  // the lower one was ended too
  BOOST_CHECK(ends.theirs->peek_end().waiting == Waiting::end);
}

BOOST_AUTO_TEST_CASE(an_end_without_its_record_is_an_error_behind_the_bytes) {
  Connected ends;
  write(*ends.ours, "hello");
  BOOST_TEST(!ends.our_lower->shutdown_write());
  BOOST_TEST(read(*ends.theirs).text == "hello");
  BOOST_TEST(read(*ends.theirs).error == system_error(ECONNABORTED));
  BOOST_TEST(ends.theirs->peek_end().error == system_error(ECONNABORTED));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_decoded_is_an_error) {
  Connected ends;
  write(*ends.our_lower, "this is no record");
  BOOST_TEST(read(*ends.theirs).error == system_error(EBADMSG));
}

BOOST_AUTO_TEST_CASE(must_read_in_order_to_write) {
  Connected ends;
  BOOST_TEST(use_up_window(*ends.ours) == 8U);
  BOOST_TEST(!ends.ours->ready_to_write());
  BOOST_TEST(ends.ours->unsent() == 0U);
  write(*ends.theirs, "data before the acknowledgement");
  BOOST_TEST(ends.our_told.times == 0);
  for (int record = 0; record < 4; ++record) read(*ends.theirs);
  BOOST_TEST(ends.theirs->counters().acknowledgements_sent == 1U);
  drive_ready(ends.context);
  BOOST_TEST(ends.our_told.times > 0);

  // Nobody reads here; writing reads on its own, as far as one record.
  BOOST_TEST(ends.ours->ready_to_write());
  BOOST_CHECK(write(*ends.ours, "x").status == Status::would_block);
  BOOST_TEST(!ends.ours->ready_to_write());
  BOOST_TEST(ends.ours->ready_to_read());
  const int told_before = ends.our_told.times;

  // Taking that record makes writing possible, which is told from the loop.
  BOOST_TEST(read(*ends.ours).text == "data before the acknowledgement");
  BOOST_TEST(ends.our_told.times == told_before);
  drive_ready(ends.context);
  BOOST_TEST(ends.our_told.times > told_before);
  BOOST_TEST(ends.ours->counters().told_by_own_task > 0U);
  BOOST_TEST(ends.ours->ready_to_write());
  BOOST_TEST(use_up_window(*ends.ours) == 4U);
}

BOOST_AUTO_TEST_CASE(must_write_in_order_to_read) {
  Connected ends;
  for (int record = 0; record < 6; ++record) write(*ends.theirs, "x");
  ends.our_lower->shape().hold_writable();
  for (int record = 0; record < 4; ++record) BOOST_TEST(read(*ends.ours).text == "x");
  BOOST_TEST(ends.ours->unsent() == 3U);  // the acknowledgement
  const TextResult blocked = read(*ends.ours);
  BOOST_TEST(blocked.bytes == 0U);
  BOOST_CHECK(blocked.status == Status::would_block);
  BOOST_TEST(!ends.ours->ready_to_read());
  BOOST_CHECK(ends.ours->peek_end().waiting == Waiting::nothing);
  BOOST_TEST(ends.ours->counters().reads_blocked_by_writing > 0U);
  drive_ready(ends.context);
  BOOST_TEST(ends.our_told.times == 0);
  ends.our_lower->shape().release_writable();
  drive_ready(ends.context);
  BOOST_TEST(ends.our_told.times == 1);
  BOOST_TEST(ends.ours->ready_to_read());
  BOOST_TEST(read(*ends.ours).text == "x");
  BOOST_TEST(ends.ours->unsent() == 0U);
}

BOOST_AUTO_TEST_CASE(a_flush_that_makes_reading_possible_tells_the_reader) {
  Connected ends;
  for (int record = 0; record < 6; ++record) write(*ends.theirs, "x");
  ends.our_lower->shape().hold_writable();
  for (int record = 0; record < 4; ++record) read(*ends.ours);
  read(*ends.ours);
  BOOST_TEST(!ends.ours->ready_to_read());
  ends.our_lower->shape().release_writable();
  BOOST_CHECK(ends.ours->flush().status == Status::more);
  BOOST_TEST(ends.our_told.times == 0);
  drive_ready(ends.context);
  BOOST_TEST(ends.our_told.times > 0);
  BOOST_TEST(ends.ours->counters().told_by_own_task == 1U);
  BOOST_TEST(read(*ends.ours).text == "x");
}

BOOST_AUTO_TEST_CASE(who_has_ended_acknowledges_no_more_and_still_reads_all) {
  Connected ends;
  BOOST_TEST(!ends.ours->shutdown_write());
  TransportUser theirs(ends.loop, *ends.theirs, seed());
  TransportUser ours(ends.loop, *ends.ours, seed() + 1);
  const auto payload = random_bytes(100'000, seed() + 2);
  theirs.send(payload, true);
  BOOST_TEST(drive_until(ends.context, [&] { return theirs.ended_well() && ours.input_over(); }));
  BOOST_TEST((ours.received() == payload));
  BOOST_TEST(!ours.read_error());
  BOOST_TEST(ends.ours->counters().acknowledgements_sent == 0U);
}

BOOST_AUTO_TEST_CASE(a_write_error_loses_no_unread_bytes_and_no_clean_end_follows) {
  Connected ends;
  for (int record = 0; record < 6; ++record) write(*ends.theirs, "x");
  BOOST_TEST(!ends.theirs->shutdown_write());
  ends.our_lower->shape().fail_write(1, system_error(ETIMEDOUT));
  std::string text;
  TextResult part;
  do {
    part = read(*ends.ours);
    text += part.text;
  } while (part.status == Status::more);
  BOOST_TEST(text == "xxxxxx");
  BOOST_TEST(ends.our_lower->shape().write_faults() == 1U);
  BOOST_TEST(part.error == system_error(ETIMEDOUT));
  BOOST_TEST(write(*ends.ours, "y").error == system_error(ETIMEDOUT));
}

BOOST_AUTO_TEST_CASE(what_was_taken_and_failed_stays_unsent) {
  Connected ends;
  ends.our_lower->shape().fail_write(1, system_error(ETIMEDOUT));
  const Result taken = write(*ends.ours, "hello");
  BOOST_TEST(taken.bytes == 5U);
  BOOST_TEST(ends.ours->unsent() > 0U);
  BOOST_TEST(ends.ours->ready_to_write());
  BOOST_TEST(ends.ours->flush().error == system_error(ETIMEDOUT));
  BOOST_TEST(ends.ours->unsent() > 0U);
}

BOOST_AUTO_TEST_CASE(every_failing_call_below_comes_out_as_an_error) {
  for (std::size_t nth = 1; nth <= 40; ++nth) {
    for (const bool reading : {true, false}) {
      Connected ends(100, {.acknowledge_interval = 2, .window = 3, .most_payload = 50});
      auto& shape = ends.our_lower->shape();
      reading ? shape.fail_read(nth, system_error(EIO)) : shape.fail_write(nth, system_error(EIO));
      TransportUser ours(ends.loop, *ends.ours, seed() + nth);
      TransportUser theirs(ends.loop, *ends.theirs, seed() + nth + 1);
      ours.send(random_bytes(5000, 1), true);
      const auto payload = random_bytes(5000, 2);
      theirs.send(payload, true);
      const auto fired = [&] { return shape.read_faults() + shape.write_faults() == 1; };
      BOOST_REQUIRE(drive_until(ends.context, [&] { return fired() && (ours.output_over() || ours.input_over()); }));
      ends.theirs->close();
      BOOST_REQUIRE(drive_until(ends.context, [&] { return ours.input_over(); }));
      BOOST_TEST(ours.read_error() == system_error(EIO));
      const auto& got = ours.received();
      BOOST_TEST((std::equal(got.begin(), got.end(), payload.begin())));
    }
  }
}

BOOST_AUTO_TEST_CASE(blocked_in_both_directions_at_once_it_goes_on) {
  std::size_t blocked_reads = 0;
  std::size_t blocked_writes = 0;
  std::size_t rests = 0;
  for (std::size_t capacity : {1U, 2U, 3U, 4U, 7U, 50U, 53U, 56U, 200U}) {
    for (std::size_t chunk : {1U, 2U, 5U, 1000U}) {
      for (const auto& rules : {eager, RecordTransport::Rules{1, 3, 50}, RecordTransport::Rules{2, 5, 50}}) {
        Connected ends(capacity, rules);
        for (MemoryTransport* lower : {ends.our_lower, ends.their_lower}) {
          lower->shape().limit_reads(chunk);
          lower->shape().limit_writes(chunk);
        }
        TransportUser ours(ends.loop, *ends.ours, seed() + capacity);
        TransportUser theirs(ends.loop, *ends.theirs, seed() + chunk);
        ours.limit_pieces(1 + capacity);
        const auto there = random_bytes(6000, seed() + 1);
        const auto back = random_bytes(5000, seed() + 2);
        ours.send(there, true);
        theirs.send(back, true);
        BOOST_REQUIRE(drive_until(ends.context, [&] { return ours.ended_well() && theirs.ended_well(); }));
        BOOST_REQUIRE((theirs.received() == there));
        BOOST_REQUIRE((ours.received() == back));
        blocked_reads += ends.ours->counters().reads_blocked_by_writing;
        blocked_writes += ends.ours->counters().writes_blocked_by_reading;
        rests += ends.ours->counters().writes_with_rest;
      }
    }
  }
  BOOST_TEST(blocked_reads > 0U);
  BOOST_TEST(blocked_writes > 0U);
  BOOST_TEST(rests > 0U);
}

BOOST_AUTO_TEST_CASE(moves_megabytes_both_ways_through_tiny_rings) {
  for (std::size_t round = 0; round < 3; ++round) {
    Connected ends(5 + 40 * round);
    ends.our_lower->shape().limit_reads(1);
    ends.their_lower->shape().limit_writes(1);
    TransportUser ours(ends.loop, *ends.ours, seed() + round);
    TransportUser theirs(ends.loop, *ends.theirs, seed() + round + 1);
    const auto there = random_bytes(1'000'000, seed() + round + 2);
    const auto back = random_bytes(1'100'000, seed() + round + 3);
    ours.send(there, true);
    theirs.send(back, true);
    BOOST_TEST(drive_until(ends.context, [&] { return ours.ended_well() && theirs.ended_well(); }));
    BOOST_TEST((theirs.received() == there));
    BOOST_TEST((ours.received() == back));
    BOOST_TEST(ends.ours->counters().acknowledgements_received > 0U);
    // A vain read is one that met protocol bytes or half a record, never idle spinning.
    BOOST_TEST(ours.vain_reads() < 4 * ours.times_told() + 1000);
  }
}

BOOST_AUTO_TEST_CASE(a_paused_reader_stops_the_writer_at_the_window) {
  Connected ends;
  TransportUser ours(ends.loop, *ends.ours, seed());
  TransportUser theirs(ends.loop, *ends.theirs, seed() + 1);
  theirs.pause();
  const auto payload = random_bytes(100'000, seed() + 2);
  ours.send(payload, true);
  drive_ready(ends.context);
  BOOST_TEST(ours.sent() <= 8'000U);
  theirs.resume();
  theirs.send({}, true);
  BOOST_TEST(drive_until(ends.context, [&] { return ours.ended_well() && theirs.ended_well(); }));
  BOOST_TEST((theirs.received() == payload));
}

BOOST_AUTO_TEST_CASE(lies_on_another_record_transport) {
  Connected ends(60, {.acknowledge_interval = 2, .window = 3, .most_payload = 50});
  RecordTransport ours(ends.loop, std::move(ends.ours), {.acknowledge_interval = 1, .window = 2, .most_payload = 120});
  RecordTransport theirs(ends.loop, std::move(ends.theirs),
                         {.acknowledge_interval = 1, .window = 2, .most_payload = 120});
  TransportUser our_user(ends.loop, ours, seed());
  TransportUser their_user(ends.loop, theirs, seed() + 1);
  const auto there = random_bytes(50'000, seed() + 2);
  const auto back = random_bytes(60'000, seed() + 3);
  our_user.send(there, true);
  their_user.send(back, true);
  BOOST_TEST(drive_until(ends.context, [&] { return our_user.ended_well() && their_user.ended_well(); }));
  BOOST_TEST((their_user.received() == there));
  BOOST_TEST((our_user.received() == back));
}

namespace {

template <ReactorKind reactor, DescriptorTransport::Kind socket>
struct OverSockets {
  OverSockets() {
    use_reactor(context, reactor);
    loop = reactor::Loop::of(context.get_executor());
    const auto [first, second] = socket == DescriptorTransport::Kind::tcp ? tcp_pair() : unix_pair();
    ours = over(first);
    theirs = over(second);
  }

  std::unique_ptr<RecordTransport> over(int descriptor) {
    const int size = 4096;  // small, so that writing blocks often
    ::setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    const int on = 1;  // an acknowledgement must not wait for the kernel's own
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto lower = std::make_unique<DescriptorTransport>(loop, descriptor, socket);
    BOOST_REQUIRE(!lower->start());
    return std::make_unique<RecordTransport>(loop, std::move(lower),
                                             RecordTransport::Rules{.acknowledge_interval = 8, .window = 32});
  }

  boost::asio::io_context context{1};
  std::shared_ptr<reactor::Loop> loop;
  std::unique_ptr<RecordTransport> ours;
  std::unique_ptr<RecordTransport> theirs;
};

using Sockets = std::tuple<OverSockets<ReactorKind::epoll, DescriptorTransport::Kind::tcp>,
                           OverSockets<ReactorKind::epoll, DescriptorTransport::Kind::unix_stream>,
                           OverSockets<ReactorKind::portable, DescriptorTransport::Kind::tcp>,
                           OverSockets<ReactorKind::portable, DescriptorTransport::Kind::unix_stream>>;

}  // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(moves_megabytes_both_ways_over_sockets, Over, Sockets) {
  Over ends;
  TransportUser ours(ends.loop, *ends.ours, seed());
  TransportUser theirs(ends.loop, *ends.theirs, seed() + 1);
  const auto there = random_bytes(2'000'000, seed() + 2);
  const auto back = random_bytes(1'500'000, seed() + 3);
  ours.send(there, true);
  theirs.send(back, true);
  BOOST_TEST(drive_until(ends.context, [&] { return ours.ended_well() && theirs.ended_well(); }));
  BOOST_TEST((theirs.received() == there));
  BOOST_TEST((ours.received() == back));
  BOOST_TEST(ends.ours->counters().writes_with_rest > 0U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_reset_below_comes_behind_the_bytes, Over, Sockets) {
  Over ends;
  write(*ends.theirs, "hello");
  write(*ends.ours, "unread");  // so that closing a Unix socket resets it, too
  ends.theirs->reset();
  TransportUser ours(ends.loop, *ends.ours, seed());
  BOOST_TEST(drive_until(ends.context, [&] { return ours.input_over(); }));
  BOOST_TEST(ours.received().size() == 5U);
  BOOST_TEST(ours.read_error() == system_error(ECONNRESET));
}

BOOST_AUTO_TEST_CASE(passes_on_the_addresses_and_the_descriptor_below) {
  std::tuple_element_t<0, Sockets> ends;
  BOOST_TEST(*ends.ours->remote_address() == *ends.theirs->local_address());
  BOOST_TEST(ends.ours->native_handle() == ends.ours->lower().native_handle());
  ends.ours->close();
  BOOST_TEST(ends.ours->native_handle() == -1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
