#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/connection.hpp"
#include "support/behaviour.hpp"
#include "support/replacements.hpp"
#include "support/writes.hpp"
#include "transport/memory_transport.hpp"

/// The transport of a socket is replaced, by one that wraps it and back, in the middle of a stream that is busy in both
/// directions. No byte is lost, repeated, or read in the wrong form.
namespace libnet::test {
namespace {

using core::Connection;
using transport::MemoryTransport;

constexpr unsigned plain_wires = real_wires | static_cast<unsigned>(Wire::memory);

/// Where the form of the stream changes, in both directions, and where it ends. [bytes]
constexpr std::array<std::size_t, 4> places{100'000, 101'000, 260'000, 300'001};
constexpr std::size_t stream_size = 420'000;
constexpr std::size_t unknown_place = SIZE_MAX;

/// One end of a stream that changes its form at agreed places: it asks for the next transport as soon as it has written all
/// that goes in front of the place, and received all that the peer put there. It writes on at once; what the peer sent
/// behind the place is put back.
class Talker {
 public:
  Talker(Socket socket, std::uint64_t seed, std::uint64_t peer_seed)
      : socket_(std::move(socket)),
        outgoing_(random_bytes(stream_size, seed)),
        expected_(random_bytes(stream_size, peer_seed)),
        written_news_(socket_.get_executor()),
        seed_(seed) {}

  /// Reads and writes with listeners.
  void listen() {
    socket_.on(event::data, [this](const Chunk& chunk) {
      accept(chunk);
      pump();
    });
    socket_.on(event::drain, [this] {
      has_room_ = true;
      pump();
    });
    pump();
  }

  asio::awaitable<void> read() {
    while (received_ < stream_size) {
      const Chunk chunk = co_await socket_.async_read();
      if (!chunk) co_return;
      accept(chunk);
    }
  }

  asio::awaitable<void> write() {
    while (written_ < stream_size) {
      if (written_ == write_place_) {
        written_news_.expires_at(std::chrono::steady_clock::time_point::max());
        error_code ignored;
        co_await written_news_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
        continue;
      }
      const bool waits = tally_.started % 3 == 0;  // the others are queued, so that a change finds them there
      const std::string_view piece = next_piece();
      auto note = tally_.next();
      written_ += piece.size();
      if (waits) {
        auto [code, bytes] = co_await socket_.async_write(piece, as_tuple);
        note(code, bytes);
      } else {
        socket_.async_write(piece, note);
      }
      change_if_due();
    }
  }

  /// The next change is at these places.
  void change_at(std::size_t write_place, std::size_t read_place) {
    write_place_ = write_place;
    read_place_ = read_place;
    change_if_due();
    written_news_.cancel();
    if (listens_) pump();
  }
  void change_read_at(std::size_t read_place) {
    read_place_ = read_place;
    change_if_due();
    pump();
  }

  void listens() { listens_ = true; }
  void follow(std::span<const std::size_t> all_places, RecordTransport::Rules rules) {
    places_ = all_places;
    rules_ = rules;
    write_place_ = read_place_ = places_[0];
  }

  Socket& socket() { return socket_; }
  std::size_t written() const { return written_; }
  std::size_t received() const { return received_; }
  std::size_t changes() const { return changes_; }
  std::size_t changes_with_bytes_queued() const { return changes_with_bytes_queued_; }
  std::size_t changes_with_bytes_unread() const { return changes_with_bytes_unread_; }
  bool is_done() const { return received_ == stream_size && tally_.bytes() == stream_size; }

  void check() const {
    BOOST_TEST(first_wrong_ == unknown_place);
    BOOST_TEST(received_ == stream_size);
    BOOST_TEST(tally_.each_once_in_order());
    BOOST_TEST(tally_.all({}));
    BOOST_TEST(tally_.bytes() == stream_size);
    BOOST_TEST(socket_.bytes_written() == stream_size);
    BOOST_TEST(socket_.buffered() == 0U);
    BOOST_TEST((Connection::of(socket_).progress() == transport::Progress::plain));
  }

 private:
  std::string_view next_piece() {
    static constexpr std::array<std::size_t, 7> sizes{1, 700, 5000, 40'000, 17, 70'000, 2048};
    const std::size_t wanted = sizes[(seed_ + tally_.started) % sizes.size()];
    return std::string_view(outgoing_).substr(written_, std::min(wanted, write_limit() - written_));
  }

  std::size_t write_limit() const { return std::min(write_place_, stream_size); }

  void pump() {
    while (listens_ && has_room_ && written_ < write_limit()) {
      const std::string_view piece = next_piece();
      written_ += piece.size();
      has_room_ = socket_.write(piece, tally_.next());
      change_if_due();
    }
  }

  void accept(std::string_view chunk) {
    const std::size_t taken = std::min(chunk.size(), read_place_ - received_);
    const std::string_view wanted = std::string_view(expected_).substr(received_, taken);
    if (chunk.substr(0, taken) != wanted) first_wrong_ = std::min(first_wrong_, received_);
    received_ += taken;
    if (taken != chunk.size()) socket_.unshift(chunk.substr(taken));
    change_if_due();
  }

  void change_if_due() {
    if (written_ != write_place_ || received_ != read_place_) return;
    if (socket_.buffered() != 0) ++changes_with_bytes_queued_;
    const error_code code =
        replace(socket_, [this, leaves = records_](TransportPointer& transport, std::string& unread) {
          ++changes_;
          if (!unread.empty()) ++changes_with_bytes_unread_;
          BOOST_TEST((!leaves || unread.empty()));  // what records held would not be of the next form
          if (!leaves) return enter_records(socket_, rules_)(transport, unread);
          leave_records()(transport, unread);
          if (!unread.empty()) ++changes_with_bytes_unread_;
        });
    BOOST_TEST(code == error_code());
    records_ = !records_;
    ++requests_;
    write_place_ = read_place_ = requests_ < places_.size() ? places_[requests_] : unknown_place;
    written_news_.cancel();
  }

  Socket socket_;
  std::string outgoing_;
  std::string expected_;
  asio::steady_timer written_news_;
  std::span<const std::size_t> places_;
  RecordTransport::Rules rules_ = RecordTransport::Rules::without_acknowledgements();
  std::uint64_t seed_;
  WriteTally tally_;
  std::size_t written_ = 0;
  std::size_t received_ = 0;
  std::size_t write_place_ = unknown_place;
  std::size_t read_place_ = unknown_place;
  std::size_t requests_ = 0;
  std::size_t changes_ = 0;
  std::size_t first_wrong_ = unknown_place;
  std::size_t changes_with_bytes_queued_ = 0;
  std::size_t changes_with_bytes_unread_ = 0;
  bool has_room_ = true;
  bool records_ = false;
  bool listens_ = false;
};

/// Both ends, each with its listeners or its coroutines, until all bytes are there.
struct Conversation {
  explicit Conversation(const World::Pair& pair, std::span<const std::size_t> all_places = places,
                        RecordTransport::Rules rules = RecordTransport::Rules::without_acknowledgements())
      : client(pair.client, 1, 2), server(pair.server, 2, 1), expected_changes(all_places.size()) {
    client.follow(all_places, rules);
    server.follow(all_places, rules);
  }

  void finish(World& world) {
    world.run_until([this] { return client.is_done() && server.is_done(); });
    world.settle();
    for (Talker* const talker : {&client, &server}) {
      talker->check();
      BOOST_TEST(talker->changes() == expected_changes);
    }
    if (world.wire() != Wire::memory) return;  // elsewhere the kernel decides how busy it is
    BOOST_TEST(client.changes_with_bytes_queued() + server.changes_with_bytes_queued() > 0U);
    BOOST_TEST(client.changes_with_bytes_unread() + server.changes_with_bytes_unread() > 0U);
  }

  Talker client;
  Talker server;
  std::size_t expected_changes;
};

void use_listeners(Talker& talker) {
  talker.listens();
  talker.listen();
}

void use_coroutines(World& world, Talker& talker) {
  world.spawn(talker.read());
  world.spawn(talker.write());
}

}  // namespace

BEHAVIOUR(a_transport_is_replaced_in_a_busy_stream, plain_wires) {
  const World::Pair pair = world.pair();
  Conversation conversation(pair);
  use_listeners(conversation.client);
  use_listeners(conversation.server);
  conversation.finish(world);
}

BEHAVIOUR(a_transport_is_replaced_in_a_busy_stream_awaited, plain_wires) {
  const World::Pair pair = world.pair();
  Conversation conversation(pair);
  use_coroutines(world, conversation.client);
  use_coroutines(world, conversation.server);
  conversation.finish(world);
}

BEHAVIOUR(a_transport_is_replaced_between_the_two_styles, plain_wires) {
  const World::Pair pair = world.pair({.high_water_mark = 1024}, {.high_water_mark = 300'000});
  Conversation conversation(pair);
  use_listeners(conversation.client);
  use_coroutines(world, conversation.server);
  conversation.finish(world);
}

/// Records that must be acknowledged, as no program could agree on the place where they end: to the end of the stream.
BEHAVIOUR(a_stream_goes_on_in_acknowledged_records_to_its_end, plain_wires) {
  const World::Pair pair = world.pair();
  Recorder recorder;
  recorder.watch(pair.client, "client", Recorder::Data::ignore);
  recorder.watch(pair.server, "server", Recorder::Data::ignore);
  Conversation conversation(pair, std::span(places).first(1), {});
  use_listeners(conversation.client);
  use_coroutines(world, conversation.server);
  conversation.finish(world);
  conversation.client.socket().end();
  world.run_until([&] { return recorder.count("client:close(false)") + recorder.count("server:close(false)") == 2; });
  BOOST_TEST(recorder.count("server:end") == 1U);
  BOOST_TEST(recorder.count("client:end") == 1U);
}

/// Chunks of all sizes, so that a place falls inside of chunks, at their ends, and into the header of a record.
BEHAVIOUR(a_transport_is_replaced_whatever_the_chunks, static_cast<unsigned>(Wire::memory)) {
  for (const std::size_t size : {313U, 1003U, 4096U, 65'536U}) {
    const World::Pair pair = world.pair();
    world.memory_ends().client->shape().limit_reads(size);
    world.memory_ends().server->shape().limit_writes(size);
    world.memory_ends().server->shape().never_say_drained(true);
    Conversation conversation(pair);
    use_listeners(conversation.client);
    use_coroutines(world, conversation.server);
    conversation.finish(world);
  }
}

/// The sockets in the middle pass everything on in both directions; the transport of each is replaced while the one direction
/// is busy and the other one begins again at once.
BEHAVIOUR(a_transport_is_replaced_under_pipes, plain_wires) {
  const World::Pair left = world.pair();
  const World::Pair right = world.pair();
  Talker first(left.client, 1, 2);
  Talker last(right.server, 2, 1);
  Socket near_first = left.server;
  Socket near_last = right.client;
  near_first.pipe(near_last);
  near_last.pipe(near_first);

  const auto change = [&](Talker& talker, Socket& middle, std::size_t place) {
    talker.change_at(place, unknown_place);
    world.run_until([&] { return talker.written() == place && middle.bytes_read() >= place; });
    BOOST_TEST(middle.bytes_read() >= place);
    const error_code code = replace(middle, enter_records(middle));
    BOOST_TEST(code == error_code());
    BOOST_TEST(!Connection::of(middle).can_splice());
    talker.change_read_at(middle.bytes_written());
  };
  first.listens();
  last.listens();
  first.change_at(50'000, unknown_place);
  last.change_at(150'000, unknown_place);
  first.listen();
  last.listen();
  change(first, near_first, 50'000);
  change(last, near_last, 150'000);
  world.run_until([&] { return first.is_done() && last.is_done(); });
  world.settle();
  first.check();
  last.check();
  BOOST_TEST(first.changes() == 1U);
  BOOST_TEST(last.changes() == 1U);
}

}  // namespace libnet::test
