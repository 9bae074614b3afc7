#include "core/write_queue.hpp"
#include "detail/thread_cache.hpp"
#include "support/allocation_fault.hpp"
#include "support/seed.hpp"
#include "support/socket_pair.hpp"
#include "transport/kernel_pipe.hpp"

#include <libnet/bytes.hpp>
#include <libnet/detail/operation.hpp>
#include <libnet/detail/recycling.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

namespace {

using libnet::Bytes;
using libnet::core::WriteQueue;
using libnet::detail::OperationOwner;
using libnet::detail::WriteOperation;

struct Write final : WriteOperation {
  std::chrono::nanoseconds watch_cancellation(OperationOwner&) override { return libnet::detail::no_time_limit; }
  void complete() override {}
  void abandon() noexcept override {}
  void refuse() override {}
};

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

// All that waits in the queue, read as a system call would read it.
std::string content(const WriteQueue& queue) {
  std::vector<iovec> entries(4096);
  std::string text;
  const std::size_t filled = queue.gather(entries);
  for (const iovec& entry : std::span(entries).first(filled)) {
    BOOST_REQUIRE_GT(entry.iov_len, 0U);
    text.append(static_cast<const char*>(entry.iov_base), entry.iov_len);
  }
  return text;
}

std::size_t segments(const WriteQueue& queue) {
  std::array<iovec, IOV_MAX> entries;
  return queue.gather(entries);
}

void write(WriteQueue& queue, std::string_view text, Write& operation) {
  const std::uint64_t begin = queue.appended();
  queue.append_copy(bytes_of(text));
  queue.push(operation, begin, queue.appended());
}

// As `write`, and without a copy: so it can be removed. The text lives as long as the queue.
void lend(WriteQueue& queue, std::string_view text, Write& operation) {
  const std::uint64_t begin = queue.appended();
  queue.append_borrowed(bytes_of(text));
  queue.push(operation, begin, queue.appended());
}

void drain_operations(WriteQueue& queue) {
  while (queue.pop_any(queue.consumed()) != nullptr) {
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(write_queue)

BOOST_AUTO_TEST_CASE(an_empty_queue_has_nothing) {
  WriteQueue queue;
  BOOST_TEST(queue.empty());
  BOOST_TEST(queue.size() == 0U);
  BOOST_TEST(!queue.has_operations());
  BOOST_TEST(segments(queue) == 0U);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == nullptr);
  BOOST_TEST(queue.pop_any(queue.consumed()) == nullptr);
  queue.consume(0);
  queue.drop_data();
  queue.reset();
}

BOOST_AUTO_TEST_CASE(every_kind_keeps_its_bytes_and_its_place) {
  const std::string kept(300, 'b');
  WriteQueue queue;
  queue.append_copy(bytes_of("copied "));
  queue.append_shared(Bytes(std::string(200, 's')));
  queue.append_shared(Bytes(std::vector<std::byte>(200, std::byte{'v'})));
  queue.append_shared(Bytes("shared "));
  queue.append_borrowed(bytes_of(kept));
  queue.append_copy(bytes_of(" end"));
  BOOST_TEST(content(queue) == "copied " + std::string(200, 's') + std::string(200, 'v') + "shared " + kept + " end");
  BOOST_TEST(queue.size() == 7U + 200 + 200 + 7 + 300 + 4);
  BOOST_TEST(queue.appended() == queue.size());
}

BOOST_AUTO_TEST_CASE(nothing_appended_is_no_segment) {
  WriteQueue queue;
  queue.append_copy({});
  queue.append_shared(Bytes());
  queue.append_borrowed({});
  BOOST_TEST(queue.empty());
  BOOST_TEST(segments(queue) == 0U);
}

BOOST_AUTO_TEST_CASE(adopted_shared_and_borrowed_memory_is_not_copied) {
  std::string text(5000, 't');
  std::vector<std::byte> bytes(5000);
  const Bytes payload("payload");
  const std::string kept = "kept";
  const std::array<const void*, 4> memory{text.data(), bytes.data(), payload.data(), kept.data()};
  WriteQueue queue;
  queue.append_shared(Bytes(std::move(text)));
  queue.append_shared(Bytes(std::move(bytes)));
  queue.append_shared(payload);
  queue.append_borrowed(bytes_of(kept));
  std::array<iovec, 8> entries;
  BOOST_REQUIRE(queue.gather(entries) == 4U);
  for (std::size_t i = 0; i < 4; ++i) BOOST_TEST(entries[i].iov_base == memory[i]);
}

BOOST_AUTO_TEST_CASE(a_shared_payload_is_let_go_with_its_last_byte) {
  const Bytes payload("payload");
  WriteQueue queue;
  queue.append_shared(payload);
  queue.consume(6);
  BOOST_TEST(payload.use_count() == 2U);
  queue.consume(1);
  BOOST_TEST(payload.use_count() == 1U);
  {
    WriteQueue dying;
    dying.append_shared(payload);
    BOOST_TEST(payload.use_count() == 2U);
  }
  BOOST_TEST(payload.use_count() == 1U);
  queue.append_shared(payload);
  queue.drop_data();
  BOOST_TEST(payload.use_count() == 1U);
}

BOOST_AUTO_TEST_CASE(small_copies_share_a_segment) {
  WriteQueue queue;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string text = std::to_string(i) + ' ';
    queue.append_copy(bytes_of(text));
    expected += text;
  }
  BOOST_TEST(content(queue) == expected);
  BOOST_TEST(segments(queue) <= 5U);
}

BOOST_AUTO_TEST_CASE(many_small_copies_are_one_piece) {
  WriteQueue queue;
  std::string expected;
  for (int i = 0; i < 40; ++i) {
    const std::string text(64, static_cast<char>('a' + i % 26));
    queue.append_copy(bytes_of(text));
    expected += text;
    BOOST_TEST(segments(queue) == 1U);
    if (i == 2) {
      queue.consume(100);  // the first segment, partly sent, moves as well
      expected.erase(0, 100);
    }
  }
  BOOST_TEST(content(queue) == expected);
  BOOST_TEST(queue.appended() == 40U * 64);
  BOOST_TEST(queue.consumed() == 100U);
  queue.consume(queue.size());
  BOOST_TEST(segments(queue) == 0U);
}

BOOST_AUTO_TEST_CASE(gather_fills_what_it_is_given) {
  WriteQueue queue;
  const std::string text = "abc";
  for (int i = 0; i < 3; ++i) queue.append_borrowed(bytes_of(text));
  std::array<iovec, 4> entries;
  BOOST_TEST(queue.gather(std::span(entries).first(0)) == 0U);
  BOOST_TEST(queue.gather(std::span(entries).first(2)) == 2U);
  BOOST_TEST(queue.gather(entries) == 3U);
}

BOOST_AUTO_TEST_CASE(operations_complete_in_order_with_their_counts) {
  WriteQueue queue;
  Write first, second;
  write(queue, "hello", first);
  queue.append_copy(bytes_of("nobody waits"));
  write(queue, "you", second);
  BOOST_TEST(queue.has_operations());
  queue.consume(4);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == nullptr);
  queue.consume(1);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &first);
  BOOST_TEST(first.transferred == 5U);
  BOOST_TEST(!first.linked());
  BOOST_TEST(queue.pop_completed(queue.consumed()) == nullptr);
  queue.consume(15);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &second);
  BOOST_TEST(second.transferred == 3U);
  BOOST_TEST(!queue.has_operations());
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_CASE(an_operation_without_bytes_completes_when_all_before_it_are_consumed) {
  WriteQueue queue;
  Write none, some, end;
  queue.push(none, queue.appended(), queue.appended());
  BOOST_TEST(queue.empty());
  BOOST_TEST(queue.has_operations());
  write(queue, "some", some);
  queue.push(end, queue.appended(), queue.appended());
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &none);
  BOOST_TEST(none.transferred == 0U);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == nullptr);
  queue.consume(4);
  BOOST_TEST(!queue.started(end));
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &some);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &end);
  BOOST_TEST(end.transferred == 0U);
}

BOOST_AUTO_TEST_CASE(an_operation_knows_its_queue_and_whether_it_started) {
  WriteQueue queue, other;
  Write first, second;
  BOOST_TEST(!queue.contains(first));
  write(queue, "first", first);
  write(queue, "second", second);
  BOOST_TEST(queue.contains(first));
  BOOST_TEST(!other.contains(first));
  BOOST_TEST(!queue.started(first));
  queue.consume(1);
  BOOST_TEST(queue.started(first));
  BOOST_TEST(!queue.started(second));
  queue.consume(4);
  BOOST_TEST(!queue.started(second));
  static_cast<void>(queue.pop_completed(queue.consumed()));
  BOOST_TEST(!queue.contains(first));
  libnet::detail::OperationList completed;
  completed.push_back(first);
  BOOST_TEST(!queue.contains(first));
  drain_operations(queue);
  BOOST_TEST(!queue.contains(second));
}

BOOST_AUTO_TEST_CASE(failing_tells_what_was_consumed_of_each) {
  WriteQueue queue;
  Write done, partly, untouched, none;
  write(queue, "done", done);
  write(queue, "partly", partly);
  write(queue, "untouched", untouched);
  queue.push(none, queue.appended(), queue.appended());
  queue.consume(7);
  BOOST_TEST(queue.consumed() == 7U);
  BOOST_TEST(queue.pop_any(queue.consumed()) == &done);
  BOOST_TEST(queue.pop_any(queue.consumed()) == &partly);
  BOOST_TEST(queue.pop_any(queue.consumed()) == &untouched);
  BOOST_TEST(queue.pop_any(queue.consumed()) == &none);
  BOOST_TEST(queue.pop_any(queue.consumed()) == nullptr);
  BOOST_TEST(done.transferred == 4U);
  BOOST_TEST(partly.transferred == 3U);
  BOOST_TEST(untouched.transferred == 0U);
  BOOST_TEST(none.transferred == 0U);
  queue.drop_data();
  BOOST_TEST(queue.empty());
  BOOST_TEST(segments(queue) == 0U);
  BOOST_TEST(queue.appended() == 19U);  // what is dropped stays counted
  queue.reset();
  BOOST_TEST(queue.appended() == 0U);
  BOOST_TEST(queue.consumed() == 0U);
}

BOOST_AUTO_TEST_CASE(a_removed_operation_takes_its_bytes_along) {
  WriteQueue queue;
  std::array<Write, 5> writes;
  lend(queue, "one", writes[0]);
  lend(queue, "two", writes[1]);
  lend(queue, "three", writes[2]);
  queue.push(writes[3], queue.appended(), queue.appended());
  lend(queue, "four", writes[4]);
  static_cast<void>(queue.remove(writes[1]));
  BOOST_TEST(!queue.contains(writes[1]));
  BOOST_TEST(writes[1].transferred == 0U);
  BOOST_TEST(content(queue) == "onethreefour");
  static_cast<void>(queue.remove(writes[3]));
  static_cast<void>(queue.remove(writes[4]));
  queue.append_copy(bytes_of("!"));
  BOOST_TEST(content(queue) == "onethree!");
  BOOST_TEST(queue.size() == 9U);
  BOOST_TEST(queue.appended() == 16U);  // what was taken out stays counted
  queue.consume(3);
  BOOST_TEST(queue.consumed() == 6U);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &writes[0]);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == nullptr);
  queue.consume(5);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &writes[2]);
  BOOST_TEST(writes[2].transferred == 5U);
}

BOOST_AUTO_TEST_CASE(offsets_that_are_not_used_any_more_are_a_gap_of_the_write_before) {
  WriteQueue queue;
  std::array<Write, 5> writes;
  for (Write& operation : writes) lend(queue, "three", operation);
  BOOST_TEST(queue.remove(writes[2]) == 0U);
  BOOST_TEST(writes[1].gap == 5U);
  BOOST_TEST(queue.remove(writes[1]) == 0U);  // with the gap behind it
  BOOST_TEST(writes[0].gap == 10U);
  BOOST_TEST(queue.remove(writes[0]) == 15U);  // nobody waits before it
  BOOST_TEST(queue.consumed() == 15U);
  BOOST_TEST(queue.remove(writes[4]) == 0U);
  BOOST_TEST(queue.remove(writes[3]) == 10U);
  BOOST_TEST(queue.empty());
  BOOST_TEST(queue.consumed() == 25U);
}

BOOST_AUTO_TEST_CASE(copies_do_not_join_across_a_gap) {
  WriteQueue queue;
  Write before, removed, behind;
  write(queue, "before", before);
  lend(queue, "removed", removed);
  static_cast<void>(queue.remove(removed));
  write(queue, "behind", behind);
  BOOST_TEST(segments(queue) == 2U);
  queue.consume(7);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &before);
  BOOST_TEST(queue.started(behind));
  BOOST_TEST(queue.pop_completed(queue.consumed()) == nullptr);
  queue.consume(5);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &behind);
}

BOOST_AUTO_TEST_CASE(the_last_operation_can_be_removed_from_any_kind_of_segment) {
  const Bytes payload("payload");
  const std::string kept = "kept";
  WriteQueue queue;
  Write operation;
  const auto check = [&](std::size_t size) {
    operation.gap = 0;
    queue.push(operation, queue.appended() - size, queue.appended());
    BOOST_TEST(queue.remove(operation) == size);
    BOOST_TEST(content(queue) == "begin");
    BOOST_TEST(queue.size() == 5U);
  };
  queue.append_copy(bytes_of("begin"));
  queue.append_shared(payload);
  check(payload.size());
  BOOST_TEST(payload.use_count() == 1U);
  queue.append_borrowed(bytes_of(kept));
  check(kept.size());
  queue.append_shared(Bytes(std::string(1000, 'a')));
  check(1000);
  queue.append_borrowed(bytes_of(kept));
  queue.append_shared(payload);
  queue.append_borrowed(bytes_of(kept));
  check(kept.size() + payload.size() + kept.size());
  queue.consume(5);
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_CASE(a_steady_flow_of_small_writes_stays_in_recycled_memory) {
  if (LIBNET_BYPASS_CACHES != 0) return;
  WriteQueue queue;
  Write operation;
  const auto message = [&] {
    write(queue, std::string_view("sixty-four bytes are what a small message has, more or less ..."), operation);
    queue.consume(queue.size());
    BOOST_TEST(queue.pop_completed(queue.consumed()) == &operation);
  };
  message();
  const std::size_t kept = libnet::detail::recycled_bytes();
  write(queue, "small", operation);
  BOOST_TEST(libnet::detail::recycled_bytes() < kept);
  queue.consume(queue.size());
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &operation);
  for (int i = 0; i < 100; ++i) message();
  BOOST_TEST(libnet::detail::recycled_bytes() == kept);
}

BOOST_AUTO_TEST_CASE(nothing_behind_a_barrier_is_gathered) {
  const std::string kept(300, 'k');
  WriteQueue queue;
  Write before, behind;
  write(queue, "before", before);
  queue.append_barrier(nullptr);
  BOOST_TEST(queue.has_barrier());
  BOOST_TEST(!queue.at_barrier());
  write(queue, "copied", behind);
  queue.append_borrowed(bytes_of(kept));
  queue.append_shared(Bytes(std::string(200, 's')));
  BOOST_TEST(queue.size() == 6U + 6 + 300 + 200);
  BOOST_TEST(content(queue) == "before");
  BOOST_TEST(queue.sendable());
  queue.consume(4);
  BOOST_TEST(content(queue) == "re");
  queue.consume(2);
  BOOST_TEST(content(queue) == "");
  BOOST_TEST(!queue.sendable());
  BOOST_TEST(!queue.bare());
  BOOST_TEST(queue.at_barrier());
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &before);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == nullptr);
  static_cast<void>(queue.pop_barrier());
  BOOST_TEST(!queue.has_barrier());
  BOOST_TEST(!queue.at_barrier());
  BOOST_TEST(content(queue) == "copied" + kept + std::string(200, 's'));
  queue.consume(queue.size());
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &behind);
  BOOST_TEST(behind.transferred == 6U);
}

BOOST_AUTO_TEST_CASE(a_barrier_in_an_empty_queue_is_met_at_once) {
  WriteQueue queue;
  BOOST_TEST(queue.bare());
  queue.append_barrier(nullptr);
  BOOST_TEST(queue.at_barrier());
  BOOST_TEST(queue.empty());
  BOOST_TEST(!queue.bare());
  BOOST_TEST(!queue.sendable());
  static_cast<void>(queue.pop_barrier());
  BOOST_TEST(queue.bare());
  queue.append_copy(bytes_of("after"));
  BOOST_TEST(content(queue) == "after");
}

BOOST_AUTO_TEST_CASE(small_copies_do_not_join_across_a_barrier) {
  WriteQueue queue;
  queue.append_copy(bytes_of("a"));
  queue.append_barrier(nullptr);
  for (int i = 0; i < 40; ++i) queue.append_copy(bytes_of(std::string(64, 'b')));
  BOOST_TEST(content(queue) == "a");
  queue.consume(1);
  static_cast<void>(queue.pop_barrier());
  BOOST_TEST(content(queue) == std::string(40 * 64, 'b'));
}

BOOST_AUTO_TEST_CASE(a_pipe_behind_a_barrier_is_not_the_first) {
  const auto pipe = libnet::transport::KernelPipe::open();
  BOOST_REQUIRE(pipe);
  const auto [near, far] = libnet::test::unix_pair();
  BOOST_REQUIRE(::send(near, "piped", 5, 0) == 5);
  BOOST_REQUIRE(pipe->take_from(far) == 5);
  ::close(near);
  ::close(far);
  WriteQueue queue;
  queue.append_barrier(nullptr);
  queue.append_piped(pipe);
  BOOST_TEST(queue.front_pipe() == nullptr);
  BOOST_TEST(queue.size() == 5U);
  static_cast<void>(queue.pop_barrier());
  BOOST_TEST(queue.front_pipe() == pipe.get());
}

BOOST_AUTO_TEST_CASE(an_operation_on_either_side_of_a_barrier_can_be_removed) {
  WriteQueue queue;
  std::array<Write, 4> writes;
  lend(queue, "one", writes[0]);
  lend(queue, "two", writes[1]);
  queue.append_barrier(nullptr);
  lend(queue, "three", writes[2]);
  lend(queue, "four", writes[3]);
  BOOST_TEST(queue.remove(writes[1]) == 0U);
  BOOST_TEST(queue.remove(writes[2]) == 0U);
  BOOST_TEST(content(queue) == "one");
  BOOST_TEST(queue.remove(writes[0]) == 11U);
  BOOST_TEST(queue.at_barrier());
  static_cast<void>(queue.pop_barrier());
  BOOST_TEST(content(queue) == "four");
  drain_operations(queue);
}

BOOST_AUTO_TEST_CASE(a_barrier_goes_with_the_data) {
  WriteQueue queue;
  queue.append_copy(bytes_of("before"));
  queue.append_barrier(nullptr);
  queue.append_copy(bytes_of("behind"));
  queue.drop_data();
  BOOST_TEST(!queue.has_barrier());
  BOOST_TEST(queue.bare());
  queue.append_barrier(nullptr);
  queue.reset();
  BOOST_TEST(!queue.has_barrier());
  queue.append_copy(bytes_of("anew"));
  BOOST_TEST(content(queue) == "anew");
}

BOOST_AUTO_TEST_CASE(what_was_appended_last_can_be_taken_back) {
  const std::string kept(300, 'k');
  const Bytes payload("payload");
  for (const bool behind_a_barrier : {false, true}) {
    WriteQueue queue;
    Write first;
    write(queue, "first", first);
    if (behind_a_barrier) queue.append_barrier(nullptr);
    const std::uint64_t begin = queue.appended();
    queue.append_borrowed(bytes_of(kept));
    queue.append_shared(payload);
    queue.append_borrowed(bytes_of(kept));
    queue.take_back(begin);
    BOOST_TEST(queue.appended() == begin);
    BOOST_TEST(payload.use_count() == 1U);
    BOOST_TEST(content(queue) == "first");
    queue.consume(5);
    BOOST_TEST(queue.at_barrier() == behind_a_barrier);
    if (behind_a_barrier) static_cast<void>(queue.pop_barrier());
    queue.append_copy(bytes_of("next"));
    BOOST_TEST(content(queue) == "next");
    BOOST_TEST(queue.pop_completed(queue.consumed()) == &first);
  }
}

BOOST_AUTO_TEST_CASE(an_append_without_memory_appends_nothing) {
  const std::string kept(300, 'k');
  const std::size_t failed = libnet::test::fail_each_allocation([&](libnet::test::AllocationFault& fault) {
    WriteQueue queue;
    std::string expected;
    // Into the first segment, out of it into a larger one, across two, and larger than any that is recycled.
    for (const std::size_t size : {10U, 200U, 400U, 3000U, 2000U, 7000U, 9000U, 20000U}) {
      const std::string text(size, static_cast<char>('a' + size % 26));
      fault.insist([&] { queue.append_copy(bytes_of(text)); });
      expected += text;
      BOOST_TEST(queue.size() == expected.size());
    }
    const Bytes payload(std::string(500, 'p'));
    fault.insist([&] { queue.append_shared(payload); });
    fault.insist([&] { queue.append_borrowed(bytes_of(kept)); });
    expected += std::string(500, 'p') + kept;
    BOOST_TEST(queue.appended() == expected.size());
    BOOST_TEST((content(queue) == expected));
    fault.insist([&] { queue.append_barrier(nullptr); });
    fault.insist([&] { queue.append_copy(bytes_of("behind")); });
    BOOST_TEST((content(queue) == expected));
    queue.consume(expected.size());
    BOOST_TEST(queue.at_barrier());
    static_cast<void>(queue.pop_barrier());
    BOOST_TEST(content(queue) == "behind");
    BOOST_TEST(payload.use_count() == 1U);
  });
  BOOST_TEST(failed >= 9U);
}

BOOST_AUTO_TEST_CASE(an_operation_completes_by_what_was_sent_and_not_by_what_was_consumed) {
  WriteQueue queue;
  Write first, second, third;
  write(queue, "first", first);
  write(queue, "second", second);
  write(queue, "third", third);
  queue.consume(queue.size());
  BOOST_TEST(queue.pop_completed(4) == nullptr);
  BOOST_TEST(queue.pop_completed(5) == &first);
  BOOST_TEST(queue.pop_completed(10) == nullptr);
  BOOST_TEST(queue.pop_any(10) == &second);
  BOOST_TEST(second.transferred == 5U);
  BOOST_TEST(queue.pop_any(10) == &third);
  BOOST_TEST(third.transferred == 0U);
}

// Twelve bytes in segments of all kinds, with operations whose ends fall at, before and behind the ends of segments.
BOOST_AUTO_TEST_CASE(every_chunking_consumes_and_completes_alike) {
  const std::string kept = "EF";
  const std::string text = "ABCDEFGHIJKL";
  for (unsigned cuts = 0; cuts < 1U << (text.size() - 1); ++cuts) {
    WriteQueue queue;
    std::array<Write, 6> writes;
    const std::array<std::size_t, 6> ends{0, 3, 6, 6, 8, 12};
    queue.push(writes[0], 0, queue.appended());
    write(queue, "ABC", writes[1]);
    queue.append_copy(bytes_of("D"));
    queue.append_borrowed(bytes_of(kept));
    queue.push(writes[2], 3, queue.appended());
    queue.push(writes[3], 6, queue.appended());
    queue.append_shared(Bytes("G"));
    queue.append_copy(bytes_of("H"));
    queue.push(writes[4], 6, queue.appended());
    write(queue, "IJKL", writes[5]);
    std::size_t consumed = 0, completed = 0;
    for (std::size_t begin = 0, end = 1; end <= text.size(); ++end) {
      if (end != text.size() && (cuts >> (end - 1) & 1U) == 0) continue;
      queue.consume(end - begin);
      consumed += end - begin;
      begin = end;
      while (completed < writes.size() && ends[completed] <= consumed) {
        BOOST_REQUIRE(queue.pop_completed(queue.consumed()) == &writes[completed]);
        BOOST_REQUIRE(writes[completed].transferred == writes[completed].end - writes[completed].begin);
        ++completed;
      }
      BOOST_REQUIRE(queue.pop_completed(queue.consumed()) == nullptr);
      BOOST_REQUIRE_EQUAL(queue.consumed(), consumed);
      BOOST_REQUIRE_EQUAL(content(queue), text.substr(consumed));
    }
    BOOST_REQUIRE(queue.empty());
    BOOST_REQUIRE(!queue.has_operations());
  }
}

namespace {

// The queue beside a model of it: plain bytes, and the operations with the bytes they wait for.
class Comparison {
 public:
  explicit Comparison(std::uint64_t seed) : random_(seed) {}

  void step() {
    switch (below(10)) {
      case 0:
      case 1:
      case 2:
      case 3: return write();
      case 4: return append(true);
      case 5:
      case 6:
      case 7: return consume();
      case 8: return remove();
      default: return below(20) == 0 ? fail() : compare();
    }
  }

  void compare() {
    BOOST_REQUIRE_EQUAL(queue_.size(), bytes_.size());
    BOOST_REQUIRE_EQUAL(queue_.empty(), bytes_.empty());
    BOOST_REQUIRE_EQUAL(queue_.consumed(), consumed());
    BOOST_REQUIRE_EQUAL(queue_.appended(), appended_);
    BOOST_REQUIRE_EQUAL(queue_.has_operations(), !waiting_.empty());
    std::string queued;
    for (const Byte& byte : bytes_) queued += byte.value;
    BOOST_REQUIRE(content(queue_) == queued);
    for (const Waiting& waiting : waiting_) {
      BOOST_REQUIRE(queue_.contains(*waiting.operation));
      BOOST_REQUIRE_EQUAL(queue_.started(*waiting.operation), waiting.started(consumed()));
    }
  }

 private:
  struct Waiting {
    bool started(std::uint64_t consumed) const { return begin < end && begin < consumed; }
    std::unique_ptr<Write> operation;
    std::uint64_t begin;
    std::uint64_t end;
    bool removable;
  };
  struct Byte {
    std::uint64_t offset;
    char value;
  };

  std::uint64_t consumed() const { return bytes_.empty() ? appended_ : bytes_.front().offset; }

  std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }

  std::string text() {
    constexpr std::array<std::size_t, 8> limits{1, 2, 20, 40, 300, 1000, 9000, 20000};
    std::string made(below(limits[below(below(4) == 0 ? limits.size() : 5)]), '\0');
    for (char& letter : made) letter = static_cast<char>('a' + below(26));
    return made;
  }

  void append(bool copies) {
    std::string made = text();
    for (const char value : made) bytes_.push_back({appended_++, value});
    switch (below(copies ? 7 : 3)) {
      case 0: return queue_.append_shared(Bytes(std::move(made)));
      case 1: {
        const auto bytes = bytes_of(made);
        return queue_.append_shared(Bytes(std::vector<std::byte>(bytes.begin(), bytes.end())));
      }
      case 2: borrowed_.push_back(std::move(made)); return queue_.append_borrowed(bytes_of(borrowed_.back()));
      case 3: return queue_.append_adopted(Bytes(made));
      default: return queue_.append_copy(bytes_of(made));
    }
  }

  void write() {
    const std::uint64_t begin = queue_.appended();
    const bool copies = below(2) == 0;
    for (std::size_t pieces = below(4); pieces != 0; --pieces) append(copies);
    waiting_.push_back({std::make_unique<Write>(), begin, appended_, !copies});
    queue_.push(*waiting_.back().operation, begin, queue_.appended());
  }

  void consume() {
    const std::size_t count = below(3) == 0 ? bytes_.size() : below(bytes_.size() + 1);
    queue_.consume(count);
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count));
    for (; !waiting_.empty() && waiting_.front().end <= consumed(); waiting_.pop_front()) {
      BOOST_REQUIRE(queue_.pop_completed(queue_.consumed()) == waiting_.front().operation.get());
      BOOST_REQUIRE_EQUAL(waiting_.front().operation->transferred, waiting_.front().end - waiting_.front().begin);
    }
    BOOST_REQUIRE(queue_.pop_completed(queue_.consumed()) == nullptr);
    compare();
  }

  void remove() {
    if (waiting_.empty()) return;
    const auto chosen = waiting_.begin() + static_cast<std::ptrdiff_t>(below(waiting_.size()));
    if (chosen->started(consumed()) || !chosen->removable) return;
    const std::uint64_t gap = chosen->end - chosen->begin + chosen->operation->gap;
    Write* const before = chosen != waiting_.begin() ? std::prev(chosen)->operation.get() : nullptr;
    const std::uint64_t gap_before = before != nullptr ? before->gap : 0;
    BOOST_REQUIRE_EQUAL(queue_.remove(*chosen->operation), before != nullptr ? 0 : gap);
    if (before != nullptr) BOOST_REQUIRE_EQUAL(before->gap, gap_before + gap);
    BOOST_REQUIRE(!queue_.contains(*chosen->operation));
    std::erase_if(bytes_, [&](const Byte& byte) { return chosen->begin <= byte.offset && byte.offset < chosen->end; });
    waiting_.erase(chosen);
    compare();
  }

  void fail() {
    for (; !waiting_.empty(); waiting_.pop_front()) {
      const Waiting& next = waiting_.front();
      BOOST_REQUIRE(queue_.pop_any(queue_.consumed()) == next.operation.get());
      const std::uint64_t transferred = std::clamp(consumed(), next.begin, next.end) - next.begin;
      BOOST_REQUIRE_EQUAL(next.operation->transferred, transferred);
    }
    BOOST_REQUIRE(queue_.pop_any(queue_.consumed()) == nullptr);
    queue_.drop_data();
    BOOST_REQUIRE_EQUAL(queue_.appended(), appended_);
    queue_.reset();
    bytes_.clear();
    borrowed_.clear();
    appended_ = 0;
    compare();
  }

  std::mt19937_64 random_;
  std::deque<std::string> borrowed_;
  WriteQueue queue_;
  std::deque<Byte> bytes_;
  std::deque<Waiting> waiting_;
  std::uint64_t appended_ = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(it_does_what_a_simple_model_does) {
  Comparison comparison(libnet::test::seed());
  for (int i = 0; i < 20000; ++i) comparison.step();
}

// What stands in a pipe of the kernel is a part of the queue like any other, but not of what memory gathers.
BOOST_AUTO_TEST_CASE(bytes_in_a_pipe_of_the_kernel_keep_their_place) {
  auto pipe = libnet::transport::KernelPipe::open();
  BOOST_REQUIRE(pipe != nullptr);
  const auto [first, second] = libnet::test::unix_pair();
  BOOST_REQUIRE(::send(first, "piped", 5, 0) == 5);
  BOOST_REQUIRE(pipe->take_from(second) == 5);
  ::close(first);
  ::close(second);
  WriteQueue queue;
  Write before;
  Write after;
  write(queue, "before", before);
  queue.append_piped(pipe);
  lend(queue, "after", after);
  BOOST_TEST(queue.size() == 16U);
  BOOST_TEST(queue.front_pipe() == nullptr);
  BOOST_TEST(content(queue) == "before");  // and no further
  queue.consume(6);
  BOOST_TEST(queue.pop_completed(queue.consumed()) == &before);
  BOOST_TEST(queue.front_pipe() == pipe.get());
  BOOST_TEST(content(queue).empty());
  queue.consume(2);
  BOOST_TEST(queue.front_pipe() == pipe.get());
  BOOST_TEST(!queue.started(after));
  queue.consume(3);
  BOOST_TEST(queue.front_pipe() == nullptr);
  BOOST_TEST(pipe.use_count() == 1);
  BOOST_TEST(content(queue) == "after");
  BOOST_TEST(queue.remove(after) == 5U);
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_SUITE_END()
