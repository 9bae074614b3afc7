#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/connection.hpp"
#include "reactor/loop.hpp"
#include "support/behaviour.hpp"
#include "transport/transport.hpp"

/// What one socket may do until another one, or another handler of the context, has its turn.
namespace libnet::test {
namespace {

using transport::Peek;
using transport::Result;
using transport::Status;
using transport::Waiting;

constexpr unsigned memory_wire = static_cast<unsigned>(Wire::memory);

constexpr std::size_t most_reads = 1;    // of a step, that yield data
constexpr std::size_t most_writes = 16;  // of a step
constexpr std::size_t most_rounds = 8;   // of a turn

/// Counts what happens between two turns of somebody else.
class Between {
 public:
  void count() { ++now_; }
  void next() {
    most_ = std::max(most_, now_);
    total_ += now_;
    now_ = 0;
  }
  std::size_t most() const { return most_; }
  std::size_t total() const { return total_; }

 private:
  std::size_t now_ = 0;
  std::size_t most_ = 0;
  std::size_t total_ = 0;
};

/// A peer that always has bytes for us, and takes one byte of every write: neither direction ever blocks.
class EndlessTransport final : public transport::Transport {
 public:
  EndlessTransport(Between& reads, Between& writes, bool gives) : reads_(reads), writes_(writes), gives_(gives) {}

  void observe(Observer*) override {}
  bool ready_to_read() override { return gives_; }
  bool ready_to_write() override { return true; }
  Result try_read(std::span<std::byte> buffer) override {
    if (!gives_) return {0, Status::would_block, {}};
    reads_.count();
    std::fill(buffer.begin(), buffer.end(), std::byte{'x'});
    return {buffer.size(), Status::more, {}};
  }
  Result try_write(std::span<const iovec>) override {
    writes_.count();
    ++sent_;
    return {1, Status::more, {}};
  }
  std::uint64_t sent() const noexcept override { return sent_; }
  Peek peek_end() override { return {gives_ ? Waiting::data : Waiting::nothing, {}}; }
  error_code shutdown_write() override { return {}; }
  void close() noexcept override {}
  void reset() noexcept override {}
  std::optional<SocketAddress> local_address() const override { return std::nullopt; }
  std::optional<SocketAddress> remote_address() const override { return std::nullopt; }

 private:
  Between& reads_;
  Between& writes_;
  std::uint64_t sent_ = 0;
  bool gives_;
};

/// Somebody else in the same loop, who always wants to go on: a task that has a step in every round.
class Neighbour final : public reactor::Task {
 public:
  Neighbour(std::shared_ptr<reactor::Loop> loop, std::function<void()> step)
      : loop_(std::move(loop)), step_(std::move(step)) {
    loop_->schedule(*this);
  }
  ~Neighbour() { loop_->unschedule(*this); }
  void run_task() override {
    ++steps_;
    step_();
    if (steps_ < enough) loop_->schedule(*this);
  }
  bool is_done() const { return steps_ == enough; }

 private:
  static constexpr std::size_t enough = 200;

  std::shared_ptr<reactor::Loop> loop_;
  std::function<void()> step_;
  std::size_t steps_ = 0;
};

/// A socket with a peer that never lets it rest.
struct Busy {
  explicit Busy(World& world, bool gives = true, const SocketOptions& options = {})
      : loop(reactor::Loop::of(world.io().get_executor())) {
    auto* const connection = new core::Connection(loop, options);
    socket = connection->handle();
    connection->adopt(std::make_unique<EndlessTransport>(reads, writes, gives));
    world.run_until([&] { return !socket.connecting() && loop->round() > 0; });
  }
  ~Busy() { socket.destroy(); }

  /// Lets a neighbour have its steps, and counts between them.
  void run_beside_neighbour(World& world) {
    Neighbour neighbour(loop, [this] {
      reads.next();
      writes.next();
    });
    world.run_until([&] { return neighbour.is_done(); });
  }

  std::shared_ptr<reactor::Loop> loop;
  Between reads;
  Between writes;
  Socket socket;
};

void expect_one_read_a_step(World& world, Busy& busy) {
  busy.run_beside_neighbour(world);
  BOOST_TEST(busy.reads.most() <= most_reads);
  BOOST_TEST(busy.reads.total() >= 100U);  // it was always readable
}

asio::awaitable<void> read_for_ever(Socket socket) {
  while (true) {
    auto [code, chunk] = co_await socket.async_read(as_tuple);
    if (code) co_return;
  }
}

asio::awaitable<void> read_some_for_ever(Socket socket) {
  std::array<char, 1000> memory;
  while (true) {
    auto [code, bytes] = co_await socket.async_read_some(asio::buffer(memory), as_tuple);
    if (code) co_return;
  }
}

asio::awaitable<void> write_for_ever(Socket socket) {
  while (true) {
    auto [code, bytes] = co_await socket.async_write("0123456789", as_tuple);
    if (code) co_return;
  }
}

}  // namespace

BEHAVIOUR(B302_a_step_reads_once_for_listeners, memory_wire) {
  Busy busy(world);
  busy.socket.on(event::data, [](const Chunk&) {});
  expect_one_read_a_step(world, busy);
}

BEHAVIOUR(B302_a_step_reads_once_for_a_receiver, memory_wire) {
  Busy busy(world);
  std::array<std::byte, 512> memory;
  busy.socket.on_read(std::span<std::byte>(memory), [](std::size_t, std::span<std::byte>) {});
  expect_one_read_a_step(world, busy);
}

BEHAVIOUR(B302_a_step_reads_once_for_text, memory_wire) {
  Busy busy(world);
  busy.socket.set_encoding(Encoding::utf8);
  busy.socket.on(event::data, [](const Chunk&) {});
  expect_one_read_a_step(world, busy);
}

BEHAVIOUR(B302_a_step_reads_once_for_nobody, memory_wire) {
  Busy busy(world);
  busy.socket.resume();
  expect_one_read_a_step(world, busy);
}

BEHAVIOUR(B302_a_step_reads_once_while_it_lingers, memory_wire) {
  Busy busy(world, true, {.linger_bytes = SIZE_MAX});
  busy.socket.destroy_soon();
  expect_one_read_a_step(world, busy);
}

BEHAVIOUR(B302_a_step_reads_once_for_a_pipe, memory_wire) {
  Busy busy(world);
  const World::Pair pair = world.pair();
  Socket peer = pair.server;
  peer.on(event::data, [](const Chunk&) {});
  busy.socket.pipe(pair.client);
  busy.run_beside_neighbour(world);
  BOOST_TEST(busy.reads.most() == most_reads);
}

BEHAVIOUR(B302_a_step_reads_once_for_a_coroutine_awaited, memory_wire) {
  Busy busy(world);
  world.spawn(read_for_ever(busy.socket));
  expect_one_read_a_step(world, busy);
  busy.socket.destroy();
  world.settle();
}

BEHAVIOUR(B302_a_step_reads_once_for_read_some_awaited, memory_wire) {
  Busy busy(world);
  world.spawn(read_some_for_ever(busy.socket));
  expect_one_read_a_step(world, busy);
  busy.socket.destroy();
  world.settle();
}

BEHAVIOUR(B302_two_readers_take_turns, memory_wire) {
  Busy first(world);
  Busy second(world);
  first.socket.on(event::data, [&](const Chunk&) { second.reads.next(); });
  second.socket.on(event::data, [&](const Chunk&) { first.reads.next(); });
  world.run_until([&] { return first.reads.total() >= 200 && second.reads.total() >= 200; });
  BOOST_TEST(first.reads.most() == most_reads);
  BOOST_TEST(second.reads.most() == most_reads);
}

BEHAVIOUR(B302_a_step_makes_at_most_16_gathered_writes, memory_wire) {
  Busy busy(world, false);
  busy.socket.write(std::string(10'000, 'x'));
  busy.writes.next();  // what is large is offered in the call
  const std::size_t before = busy.writes.total();
  busy.run_beside_neighbour(world);
  BOOST_TEST(busy.writes.most() == most_writes);
  BOOST_TEST(busy.writes.total() - before >= 100 * most_writes);  // it was always writable
}

BEHAVIOUR(B302_a_step_makes_at_most_16_gathered_writes_awaited, memory_wire) {
  Busy busy(world, false);
  for (int i = 0; i < 8; ++i) world.spawn(write_for_ever(busy.socket));
  busy.run_beside_neighbour(world);
  BOOST_TEST(busy.writes.most() == most_writes);
  busy.socket.destroy();
  world.settle();
}

/// Both directions at once: neither takes the other's share.
BEHAVIOUR(B302_a_step_reads_once_and_makes_at_most_16_writes, memory_wire) {
  Busy busy(world);
  busy.socket.on(event::data, [](const Chunk&) {});
  busy.socket.write(std::string(10'000, 'x'));
  busy.run_beside_neighbour(world);
  BOOST_TEST(busy.reads.most() == most_reads);
  BOOST_TEST(busy.writes.most() == most_writes);
}

/// The handlers of the context that are not libnet's come after a bounded number of rounds, whatever is always readable.
BEHAVIOUR(B302_a_turn_has_8_rounds, memory_wire) {
  Busy busy(world);
  busy.socket.on(event::data, [](const Chunk&) {});
  std::size_t handlers = 0;
  std::function<void()> handler = [&] {
    busy.reads.next();
    if (++handlers < 100) asio::post(world.io(), handler);
  };
  asio::post(world.io(), handler);
  world.run_until([&] { return handlers == 100; });
  BOOST_TEST(busy.reads.most() == most_rounds * most_reads);
}

BEHAVIOUR(B302_a_turn_has_8_rounds_of_16_writes, memory_wire) {
  Busy busy(world, false);
  busy.socket.write(std::string(100'000, 'x'));
  busy.writes.next();
  std::size_t handlers = 0;
  std::function<void()> handler = [&] {
    busy.writes.next();
    if (++handlers < 100) asio::post(world.io(), handler);
  };
  asio::post(world.io(), handler);
  world.run_until([&] { return handlers == 100; });
  BOOST_TEST(busy.writes.most() == most_rounds * most_writes);
}

}  // namespace libnet::test
