#include "core/receiving.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/test/unit_test.hpp>

#include "core/block_pool.hpp"
#include "support/allocation_fault.hpp"
#include "support/scripted_transport.hpp"
#include "support/text_bytes.hpp"
#include "support/waiting.hpp"
#include "transport/kernel_pipe.hpp"

namespace libnet::test {

using core::Block;
using core::Receiving;
using detail::Operation;
using transport::KernelPipe;
using transport::Result;
using transport::Status;
using Consumer = Receiving::Consumer;
using Flow = Receiving::Flow;

namespace {

const error_code reset_by_peer = boost::asio::error::connection_reset;

using Read = Waiting<detail::ReadOperation>;
using ReadSome = Waiting<detail::ReadSomeOperation>;

struct TextResult : Result {
  std::string text;
};

/// Into a block, as for listeners of 'data'.
TextResult read(Receiving& receiving, transport::Transport& transport) {
  Block block = Block::take();
  const Result result = receiving.read_block(transport, block);
  return {result, as_text(block.data(), result.bytes)};
}

/// Into memory of the caller's, as for a receiver.
TextResult read_into(Receiving& receiving, transport::Transport& transport, std::size_t size) {
  std::vector<std::byte> memory(size);
  const Result result = receiving.read_into(transport, memory);
  return {result, as_text(memory.data(), result.bytes)};
}

TextResult read_some(Receiving& receiving, transport::Transport& transport, const std::vector<std::size_t>& sizes) {
  std::vector<std::vector<std::byte>> pieces;
  std::vector<boost::asio::mutable_buffer> buffers;
  for (const std::size_t size : sizes) pieces.emplace_back(size);
  for (auto& piece : pieces) buffers.push_back(boost::asio::buffer(piece));
  ReadSome operation(Operation::Kind::read_some);
  operation.buffers = detail::ReadBuffers::from(buffers, ScriptedTransport::unlimited);
  const Result result = receiving.read_for(transport, operation);
  BOOST_TEST(result.bytes == std::get<0>(operation.results));
  std::string text;
  for (const auto& piece : pieces) text += as_text(piece.data(), piece.size());
  return {result, text.substr(0, result.bytes)};
}

/// All that there is to read now.
std::string read_all(Receiving& receiving, transport::Transport& transport) {
  std::string all;
  while (true) {
    const TextResult result = read(receiving, transport);
    all += result.text;
    if (result.bytes == 0 && result.status != Status::more) return all;
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(receiving)

// --- who consumes --------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_reader_comes_first_then_a_pause_then_the_receiver_then_discarding_then_listeners) {
  struct Row {
    Flow flow;
    bool listeners;
    bool receiver;
    Consumer expected;
  };
  constexpr std::array rows{
      Row{Flow::automatic, false, false, Consumer::nobody},     Row{Flow::automatic, true, false, Consumer::listeners},
      Row{Flow::automatic, false, true, Consumer::receiver},    Row{Flow::automatic, true, true, Consumer::receiver},
      Row{Flow::paused, false, false, Consumer::nobody},        Row{Flow::paused, true, false, Consumer::nobody},
      Row{Flow::paused, false, true, Consumer::nobody},         Row{Flow::paused, true, true, Consumer::nobody},
      Row{Flow::discarding, false, false, Consumer::discarded}, Row{Flow::discarding, true, false, Consumer::discarded},
      Row{Flow::discarding, false, true, Consumer::receiver},   Row{Flow::discarding, true, true, Consumer::receiver},
  };
  for (const Row& row : rows) {
    Receiving receiving;
    if (row.flow == Flow::paused) receiving.pause();
    if (row.flow == Flow::discarding) receiving.discard();
    BOOST_CHECK(receiving.flow() == row.flow);
    BOOST_CHECK(receiving.consumer(row.listeners, row.receiver) == row.expected);
  }
}

BOOST_AUTO_TEST_CASE(a_reader_of_each_kind_consumes_whoever_else_wants_to_and_also_while_paused) {
  using Pipe = Waiting<detail::PipeOperation>;
  Read whole(Operation::Kind::read);
  ReadSome some(Operation::Kind::read_some);
  Pipe pipe(Operation::Kind::pipe);
  const std::array<std::pair<Operation*, Consumer>, 3> readers{
      {{&whole, Consumer::read}, {&some, Consumer::read_some}, {&pipe, Consumer::pipe}}};
  for (const auto& [reader, expected] : readers) {
    for (const bool paused : {false, true}) {
      Receiving receiving;
      if (paused) receiving.pause();
      receiving.set_reader(*reader);
      BOOST_CHECK(receiving.consumer(true, true) == expected);
      BOOST_CHECK(receiving.consumer(false, false) == expected);
      BOOST_TEST(receiving.paused() == paused);
      BOOST_TEST(&receiving.take_reader() == reader);
      BOOST_TEST(!receiving.has_reader());
    }
  }
}

BOOST_AUTO_TEST_CASE(who_begins_to_consume_ends_the_discarding_and_no_pause) {
  Read operation(Operation::Kind::read);
  const std::array<void (*)(Receiving&, Operation&), 3> beginnings{
      [](Receiving& receiving, Operation&) { receiving.stop_discarding(); },
      [](Receiving& receiving, Operation& reader) { receiving.set_reader(reader); },
      [](Receiving& receiving, Operation&) { receiving.set_receiver(ListenerId{1}, {}); }};
  for (const auto begin : beginnings) {
    Receiving discarding, paused;
    discarding.discard();
    begin(discarding, operation);
    BOOST_CHECK(discarding.flow() == Flow::automatic);
    paused.pause();
    begin(paused, operation);
    BOOST_TEST(paused.paused());
    paused.flow_freely();
    BOOST_TEST(!paused.paused());
  }
}

BOOST_AUTO_TEST_CASE(only_the_reader_that_waits_is_forgotten) {
  Read waiting(Operation::Kind::read), other(Operation::Kind::read);
  Receiving receiving;
  receiving.set_reader(waiting);
  receiving.forget_reader(other);
  BOOST_TEST(receiving.reader() == &waiting);
  receiving.forget_reader(waiting);
  BOOST_TEST(!receiving.has_reader());
}

// --- how far the input is ------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_end_is_due_and_then_told) {
  Receiving receiving;
  BOOST_TEST(receiving.is_open());
  receiving.tell_no_end();
  BOOST_TEST(receiving.is_open());
  receiving.end();
  BOOST_TEST(receiving.end_is_due());
  receiving.reopen();  // an error came in its place
  BOOST_TEST(receiving.is_open());
  receiving.end();
  receiving.note_end_told();
  BOOST_TEST(receiving.has_ended());
  BOOST_TEST(!receiving.end_is_due());
  BOOST_TEST(receiving.end_is_told());
  receiving.reset();
  BOOST_TEST(receiving.is_open());
  receiving.end();
  BOOST_TEST(!receiving.end_is_told());
  receiving.tell_no_end();
  BOOST_TEST(receiving.is_open());  // nobody knows of it
}

BOOST_AUTO_TEST_CASE(an_end_that_a_read_gave_stays_told) {
  Receiving receiving;
  receiving.note_end_known();
  BOOST_TEST(receiving.is_open());
  receiving.end();
  receiving.note_end_known();
  BOOST_TEST(receiving.end_is_told());
  BOOST_TEST(receiving.end_is_due());
  BOOST_TEST(!receiving.has_ended());
  receiving.reopen();
  BOOST_TEST(receiving.end_is_told());
  receiving.tell_no_end();
  BOOST_TEST(receiving.has_ended());
  BOOST_TEST(!receiving.end_is_due());
}

BOOST_AUTO_TEST_CASE(a_new_connection_begins_with_nothing_unread_and_keeps_flow_and_encoding) {
  ScriptedTransport transport;
  transport.give("abc");
  Receiving receiving;
  receiving.set_encoding(Encoding::hex);
  receiving.pause();
  read(receiving, transport);
  receiving.put_back(bytes_of("unread"));
  receiving.end();
  receiving.reset();
  BOOST_TEST(receiving.bytes_read() == 0U);
  BOOST_TEST(!receiving.has_put_back());
  BOOST_TEST(receiving.is_open());
  BOOST_TEST(receiving.paused());
  BOOST_TEST(receiving.decodes());
}

BOOST_AUTO_TEST_CASE(what_nobody_took_is_gone_when_the_connection_is_over) {
  ScriptedTransport transport;
  transport.give("\xC3");
  Receiving receiving;
  receiving.set_encoding(Encoding::utf8);
  read(receiving, transport);
  receiving.put_back(bytes_of("unread"));
  receiving.drop_unread();
  BOOST_TEST(!receiving.has_put_back());
  BOOST_TEST(!receiving.flush_held());
  BOOST_TEST(receiving.take_unread() == "");
}

// --- what was put back ---------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_was_put_back_last_comes_first_and_all_of_it_before_the_transport) {
  ScriptedTransport transport;
  transport.give("new");
  Receiving receiving;
  receiving.put_back(bytes_of("second "));
  receiving.put_back(bytes_of("first "));
  BOOST_TEST(receiving.has_put_back());
  BOOST_TEST(read(receiving, transport).text == "first second ");
  BOOST_TEST(!receiving.has_put_back());
  BOOST_TEST(receiving.bytes_read() == 0U);
  BOOST_TEST(read(receiving, transport).text == "new");
  BOOST_TEST(receiving.bytes_read() == 3U);
}

BOOST_AUTO_TEST_CASE(what_was_put_back_goes_piece_by_piece_into_small_memory) {
  ScriptedTransport transport;
  transport.give("xyz");
  Receiving receiving;
  receiving.put_back(bytes_of("abcde"));
  for (const std::string_view expected : {"ab", "cd", "e", "xy", "z"}) {
    const TextResult result = read_into(receiving, transport, 2);
    BOOST_TEST(result.text == expected);
    BOOST_CHECK(result.status == Status::more);
  }
  BOOST_CHECK(read_into(receiving, transport, 2).status == Status::would_block);
}

BOOST_AUTO_TEST_CASE(what_was_put_back_can_be_taken_as_a_whole_or_dropped) {
  Receiving receiving;
  BOOST_TEST(!receiving.take_put_back());
  receiving.put_back(bytes_of("abc"));
  BOOST_TEST(*receiving.take_put_back() == "abc");
  BOOST_TEST(!receiving.has_put_back());
  receiving.put_back(bytes_of("abc"));
  receiving.drop_put_back();
  BOOST_TEST(!receiving.has_put_back());
}

BOOST_AUTO_TEST_CASE(a_new_transport_gets_what_was_put_back_and_then_what_the_decoder_held) {
  ScriptedTransport transport;
  transport.give("\xE2\x82");
  Receiving receiving;
  receiving.set_encoding(Encoding::utf8);
  BOOST_TEST(read(receiving, transport).text == "");
  receiving.put_back(bytes_of("back "));
  std::string unread = receiving.take_unread();
  BOOST_TEST(unread == "back \xE2\x82");
  BOOST_TEST(!receiving.has_put_back());
  BOOST_TEST(receiving.take_unread() == "");
  receiving.give_unread(unread.substr(0, 5));
  transport.give("new");
  BOOST_TEST(read_all(receiving, transport) == "back new");
  receiving.give_unread("");
  BOOST_TEST(!receiving.has_put_back());
}

// --- text ----------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(text_is_whole_however_the_bytes_are_cut) {
  const std::string text = "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80 end";
  for (std::size_t most = 1; most <= text.size(); ++most) {
    ScriptedTransport transport;
    transport.give(text);
    transport.limit_reads(most);
    Receiving receiving;
    receiving.set_encoding(Encoding::utf8);
    BOOST_TEST(receiving.decodes());
    BOOST_TEST(read_all(receiving, transport) == text);
    BOOST_TEST(receiving.bytes_read() == text.size());
  }
}

BOOST_AUTO_TEST_CASE(a_read_that_gave_no_whole_character_is_worth_another_look) {
  ScriptedTransport transport;
  transport.give("\xE2");
  Receiving receiving;
  receiving.set_encoding(Encoding::utf8);
  const TextResult result = read(receiving, transport);
  BOOST_TEST(result.bytes == 0U);
  BOOST_CHECK(result.status == Status::more);
  BOOST_CHECK(read(receiving, transport).status == Status::would_block);
}

BOOST_AUTO_TEST_CASE(no_more_is_read_than_has_room_in_the_block_as_text) {
  ScriptedTransport transport;
  transport.give(std::string(core::block_size, '\xAB'));
  transport.limit_reads(1);
  Receiving receiving;
  receiving.set_encoding(Encoding::hex);
  BOOST_TEST(read(receiving, transport).text == "ab");
  BOOST_REQUIRE(2 * transport.largest_read() <= core::block_size);
  transport.limit_reads(ScriptedTransport::unlimited);
  const std::string rest = read_all(receiving, transport);
  BOOST_TEST(rest.size() == 2 * core::block_size - 2);
  BOOST_TEST(rest.find_first_not_of("ab") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_was_put_back_is_not_decoded_again) {
  ScriptedTransport transport;
  transport.give("z");
  Receiving receiving;
  receiving.set_encoding(Encoding::hex);
  receiving.put_back(bytes_of("as it is "));
  BOOST_TEST(read_all(receiving, transport) == "as it is 7a");
}

BOOST_AUTO_TEST_CASE(another_encoding_begins_with_what_was_held) {
  ScriptedTransport transport;
  transport.give("\xE2\x82");
  Receiving receiving;
  BOOST_TEST(!receiving.set_encoding(Encoding::bytes));
  BOOST_TEST(!receiving.set_encoding(Encoding::utf8));
  read(receiving, transport);
  BOOST_TEST(!receiving.set_encoding(Encoding::utf8));
  BOOST_TEST(receiving.set_encoding(Encoding::hex));
  BOOST_TEST(read(receiving, transport).text == "e282");
  BOOST_TEST(!receiving.flush_held());
  BOOST_TEST(!receiving.set_encoding(Encoding::bytes));
  BOOST_TEST(!receiving.decodes());
}

BOOST_AUTO_TEST_CASE(who_wants_the_bytes_gets_what_was_held_behind_what_was_put_back) {
  ScriptedTransport transport;
  transport.give("a\xE2\x82");
  Receiving receiving;
  BOOST_TEST(!receiving.has_kept(Receiving::Consumer::read_some));
  receiving.set_encoding(Encoding::utf8);
  BOOST_TEST(!receiving.has_kept(Receiving::Consumer::read_some));
  read(receiving, transport);
  using Consumer = Receiving::Consumer;
  for (const Consumer raw : {Consumer::read_some, Consumer::pipe, Consumer::receiver}) {
    BOOST_TEST(receiving.has_kept(raw));
  }
  for (const Consumer text : {Consumer::read, Consumer::listeners}) BOOST_TEST(!receiving.has_kept(text));
  receiving.put_back(bytes_of("back "));
  BOOST_TEST(receiving.has_kept(Consumer::read));
  transport.give("\xAC");
  BOOST_TEST(read_into(receiving, transport, 100).text == "back ");
  BOOST_TEST(read_into(receiving, transport, 1).text == "\xE2");
  BOOST_TEST(read_into(receiving, transport, 100).text == "\x82");
  BOOST_TEST(read_into(receiving, transport, 100).text == "\xAC");
  BOOST_TEST(receiving.bytes_read() == 4U);
}

BOOST_AUTO_TEST_CASE(what_a_new_transport_leaves_passes_the_decoder) {
  ScriptedTransport transport;
  Receiving receiving;
  receiving.set_encoding(Encoding::base64);
  receiving.give_unread("abcd");
  BOOST_TEST(read(receiving, transport).text == "YWJj");
  receiving.give_unread("e");
  BOOST_TEST(!receiving.has_put_back());
  transport.give("f");
  BOOST_TEST(read(receiving, transport).text == "ZGVm");
}

BOOST_AUTO_TEST_CASE(what_is_held_at_the_end_is_the_last_piece_of_text_once) {
  ScriptedTransport transport;
  transport.give("a\xE2\x82");
  Receiving receiving;
  BOOST_TEST(!receiving.flush_held());
  receiving.set_encoding(Encoding::utf8);
  BOOST_TEST(read(receiving, transport).text == "a");
  BOOST_TEST(receiving.flush_held());
  BOOST_TEST(!receiving.flush_held());
  BOOST_TEST(read(receiving, transport).text == "\xEF\xBF\xBD");
  BOOST_TEST(!receiving.has_put_back());
}

// --- reading -------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_awaited_read_leases_what_it_got) {
  for (const std::size_t size : {1U, 4096U, 4097U, 65536U}) {
    const std::string text = numbered(size);
    ScriptedTransport transport;
    transport.give(text);
    Receiving receiving;
    Read operation(Operation::Kind::read);
    BOOST_TEST(receiving.read_for(transport, operation).bytes == size);
    const Chunk chunk = std::get<0>(operation.results);
    BOOST_TEST(as_text(chunk.data(), chunk.size()) == text);
    BOOST_TEST(receiving.bytes_read() == size);
    receiving.end_lease();
  }
}

BOOST_AUTO_TEST_CASE(a_small_awaited_read_holds_no_full_block) {
  if (LIBNET_BYPASS_CACHES != 0) return;
  static_cast<void>(Block::take());
  const auto blocks_held = [](std::size_t size) {
    const std::size_t before = core::pooled_blocks();
    ScriptedTransport transport;
    transport.give(std::string(size, 'x'));
    Receiving receiving;
    Read operation(Operation::Kind::read);
    receiving.read_for(transport, operation);
    return before - core::pooled_blocks();
  };
  BOOST_TEST(blocks_held(4096) == 0U);
  BOOST_TEST(blocks_held(4097) == 1U);
}

BOOST_AUTO_TEST_CASE(an_awaited_read_of_nothing_says_why) {
  ScriptedTransport transport;
  Receiving receiving;
  Read operation(Operation::Kind::read);
  BOOST_CHECK(receiving.read_for(transport, operation).status == Status::would_block);
  transport.end_input();
  BOOST_CHECK(receiving.read_for(transport, operation).status == Status::end);
  BOOST_TEST(!std::get<0>(operation.results));
}

BOOST_AUTO_TEST_CASE(a_read_into_several_pieces_fills_them_in_order) {
  ScriptedTransport transport;
  transport.give("cdefghij");
  Receiving receiving;
  receiving.put_back(bytes_of("ab"));
  const TextResult first = read_some(receiving, transport, {2, 3, 1});
  BOOST_TEST(first.text == "abcdef");
  const TextResult rest = read_some(receiving, transport, {2, 1, 100});
  BOOST_TEST(rest.text == "ghij");
  BOOST_TEST(receiving.bytes_read() == 8U);
}

BOOST_AUTO_TEST_CASE(a_short_piece_ends_a_read_into_several) {
  ScriptedTransport transport;
  transport.give("abcdef");
  transport.limit_reads(2);
  Receiving receiving;
  BOOST_TEST(read_some(receiving, transport, {2, 3, 1}).text == "abcd");
  BOOST_TEST(transport.unread() == 2U);
}

BOOST_AUTO_TEST_CASE(the_bytes_before_an_end_are_told_and_the_end_is_met_again) {
  ScriptedTransport transport;
  transport.give("ab");
  transport.end_input();
  Receiving receiving;
  BOOST_TEST(read_some(receiving, transport, {2, 2}).text == "ab");
  const TextResult end = read_some(receiving, transport, {2, 2});
  BOOST_TEST(end.bytes == 0U);
  BOOST_CHECK(end.status == Status::end);
}

BOOST_AUTO_TEST_CASE(what_is_spliced_counts_as_read) {
  ScriptedTransport transport;
  transport.give("through a pipe");
  Receiving receiving;
  const auto pipe = KernelPipe::open();
  BOOST_REQUIRE(pipe);
  BOOST_TEST(receiving.splice(transport, *pipe).bytes == 14U);
  BOOST_TEST(pipe->size() == 14U);
  BOOST_TEST(receiving.bytes_read() == 14U);
  BOOST_TEST(transport.unread() == 0U);
}

BOOST_AUTO_TEST_CASE(discarding_throws_away_a_block_at_a_time_and_what_was_put_back) {
  ScriptedTransport transport;
  transport.give(std::string(core::block_size + 10, 'x'));
  Receiving receiving;
  receiving.put_back(bytes_of("back"));
  BOOST_TEST(receiving.discard_block(transport).bytes == core::block_size);
  BOOST_TEST(!receiving.has_put_back());
  BOOST_TEST(receiving.discard_block(transport).bytes == 10U);
  BOOST_TEST(receiving.bytes_read() == core::block_size + 10);
}

BOOST_AUTO_TEST_CASE(a_receiver_has_memory_of_its_own) {
  std::array<std::byte, 4> memory, other;
  Receiving receiving;
  BOOST_CHECK(receiving.receiver() == ListenerId{});
  receiving.set_receiver(ListenerId{7}, memory);
  BOOST_CHECK(receiving.receiver() == ListenerId{7});
  BOOST_TEST(receiving.receiver_memory().data() == memory.data());
  receiving.set_receiver_memory(other);
  BOOST_TEST(receiving.receiver_memory().data() == other.data());
  BOOST_TEST(!receiving.decodes());
}

// --- faults --------------------------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_call_that_fails_loses_nothing_of_what_was_read_before) {
  const std::string text = numbered(200);
  std::size_t faults = 0;
  for (std::size_t nth = 1;; ++nth) {
    ScriptedTransport transport;
    transport.give(text);
    transport.end_input();
    transport.limit_reads(7);
    transport.fail_call(nth, reset_by_peer);
    Receiving receiving;
    std::string got;
    TextResult result;
    for (std::size_t turn = 0; result.status != Status::end && result.status != Status::error; ++turn) {
      result = turn % 3 == 0   ? read(receiving, transport)
               : turn % 3 == 1 ? read_some(receiving, transport, {3, 4, 5})
                               : read_into(receiving, transport, 5);
      got += result.text;
      if (result.bytes != 0 && result.status != Status::more) result.status = Status::more;  // it is met again
    }
    BOOST_TEST(receiving.bytes_read() == got.size());
    BOOST_TEST(transport.unread() == text.size() - got.size());
    BOOST_TEST(text.starts_with(got));
    if (!transport.fault_has_fired()) {
      BOOST_TEST(got == text);
      break;
    }
    ++faults;
    BOOST_TEST(result.error == reset_by_peer);
  }
  BOOST_TEST(faults > 30U);
}

BOOST_AUTO_TEST_CASE(a_call_that_would_block_only_delays) {
  const std::string text = numbered(200);
  std::size_t blocks = 0;
  for (std::size_t nth = 1;; ++nth) {
    ScriptedTransport transport;
    transport.give(text);
    transport.limit_reads(7);
    transport.block_call(nth);
    Receiving receiving;
    receiving.set_encoding(Encoding::utf8);
    std::string got = read_all(receiving, transport);
    got += read_all(receiving, transport);
    BOOST_TEST(got == text);
    if (!transport.block_has_fired()) break;
    ++blocks;
  }
  BOOST_TEST(blocks > 25U);
}

// A call that threw is made again: if it had moved a byte, that would be lost or come twice.
BOOST_AUTO_TEST_CASE(without_memory_no_byte_is_read_and_none_is_lost) {
  const std::string put_back = numbered(100);
  const std::string after = numbered(40000);
  const std::size_t failed = fail_each_allocation([&](AllocationFault& fault) {
    ScriptedTransport transport;
    transport.give("\xE2\x82");
    Receiving receiving;
    std::string got;
    const auto read_now = [&] {
      TextResult result;
      Block block;
      fault.insist([&] { block = Block::take(); });
      fault.insist([&] { static_cast<Result&>(result) = receiving.read_block(transport, block); });
      got += as_text(block.data(), result.bytes);
    };
    fault.insist([&] { receiving.set_encoding(Encoding::utf8); });
    read_now();
    fault.insist([&] { receiving.put_back(bytes_of("one ")); });
    fault.insist([&] { receiving.put_back(bytes_of(put_back)); });
    read_now();
    BOOST_TEST(got == put_back + "one ");
    fault.insist([&] { receiving.set_encoding(Encoding::utf16le); });
    BOOST_TEST(receiving.take_unread() == "\xE8\x8B\xA2");  // U+82E2
    transport.give("x");
    read_now();
    std::string unread;
    fault.insist([&] { unread = receiving.take_unread(); });
    BOOST_TEST(unread == "x");
    unread += 'y';
    fault.insist([&] { receiving.give_unread(std::move(unread)); });
    got.clear();
    read_now();
    BOOST_TEST(got == "\xE7\xA5\xB8");  // U+7978
    transport.give("y");
    read_now();
    fault.insist([&] { receiving.flush_held(); });
    read_now();
    BOOST_TEST(got == "\xE7\xA5\xB8\xEF\xBF\xBD");
    fault.insist([&] { receiving.set_encoding(Encoding::bytes); });
    transport.give(after);
    Read operation(Operation::Kind::read);
    transport.limit_reads(100);
    fault.insist([&] { receiving.read_for(transport, operation); });
    const Chunk chunk = std::get<0>(operation.results);
    BOOST_TEST(as_text(chunk.data(), chunk.size()) == after.substr(0, 100));
    fault.insist([&] { receiving.set_receiver(ListenerId{1}, {}); });
    fault.insist([&] { receiving.prepare_receiver(); });
    fault.insist([&] { receiving.discard_block(transport); });
    BOOST_TEST(transport.unread() == after.size() - 200);
  });
  BOOST_TEST(failed >= 9U);
}

BOOST_AUTO_TEST_CASE(bytes_that_could_not_be_put_back_leave_nothing_to_deliver) {
  const std::string text = numbered(1000);
  const std::size_t failed = fail_each_allocation([&](AllocationFault& fault) {
    Receiving receiving;
    if (!fault.survives([&] { receiving.put_back(bytes_of(text)); })) BOOST_TEST(!receiving.has_put_back());
  });
  BOOST_TEST(failed == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
