#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "support/behaviour.hpp"
#include "support/case_report.hpp"
#include "support/socket_pair.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// B302: whoever awaits results that are known at once, for ever, lets the others have their turn. Counted, not timed: a
// handler of the program's own that posts itself again must come in between.

namespace {

/// What the coroutines of a case have in common.
struct Greedy {
  explicit Greedy(asio::io_context& io) : timer(io, 50ms) {
    timer.async_wait([this](const error_code&) { timer_fired = true; });
  }
  bool may_go_on() const { return resumptions < 20'000 || (!timer_fired && resumptions < 2'000'000); }

  asio::steady_timer timer;
  int resumptions = 0;
  int ended = 0;  // coroutines
  bool timer_fired = false;
};

/// Counts the resumptions between two runs of its own handler.
class Neighbour {
 public:
  Neighbour(asio::io_context& io, const Greedy& greedy) : io_(io), greedy_(greedy) { post(); }
  /// A descriptor's event brings a wake-up of its own, so that now and then two come in a row.
  void expect_bound() const {
    BOOST_TEST(most_ <= 2 * 128);
    BOOST_TEST(above_bound_ <= 8);
    BOOST_TEST(most_ >= 100, "the bound is reached, so that it is this one which holds");
  }

 private:
  void post() {
    asio::post(io_, [this] {
      const int between = greedy_.resumptions - last_;
      most_ = std::max(most_, between);
      if (between > 128) ++above_bound_;
      last_ = greedy_.resumptions;
      if (greedy_.may_go_on()) post();
    });
  }

  asio::io_context& io_;
  const Greedy& greedy_;
  int last_ = 0;
  int most_ = 0;
  int above_bound_ = 0;
};

asio::awaitable<void> read_the_end_for_ever(Socket socket, Greedy& greedy, int& own) {
  while (greedy.may_go_on()) {
    const Chunk nothing = co_await socket.async_read();
    BOOST_REQUIRE(nothing.empty());
    ++greedy.resumptions;
    ++own;
  }
  ++greedy.ended;
}

/// Each reads behind the end of a socket of its own, until a timer of Asio's fires.
void read_behind_the_end(World& world, int coroutines) {
  note_coroutine();
  std::vector<World::Pair> pairs;
  for (int i = 0; i < coroutines; ++i) {
    World::Pair& made = pairs.emplace_back(world.pair({.allow_half_open = true}, {.allow_half_open = true}));
    made.client.end();
  }
  world.settle();
  Greedy greedy(world.io());
  std::vector<int> own(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) world.spawn(read_the_end_for_ever(pairs[i].server, greedy, own[i]));
  const Neighbour neighbour(world.io(), greedy);
  world.run_until([&] { return greedy.ended == coroutines; });
  BOOST_TEST(greedy.timer_fired, "the timer did not fire");
  neighbour.expect_bound();
  BOOST_TEST(*std::min_element(own.begin(), own.end()) > 128, "all have their share");
  for (World::Pair& pair : pairs) {
    pair.client.destroy();
    pair.server.destroy();
  }
  world.run();
}

}  // namespace

BEHAVIOUR(B302_one_coroutine_that_awaits_known_results, all_wires) { read_behind_the_end(world, 1); }

BEHAVIOUR(B302_64_coroutines_that_await_known_results, all_wires) { read_behind_the_end(world, 64); }

BEHAVIOUR(B302_coroutines_that_await_known_results_of_each_others_sockets, all_wires) {
  note_coroutine();
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  client.end();
  server.end();
  world.settle();
  Greedy greedy(world.io());
  for (int i = 0; i < 64; ++i) {
    world.spawn([](Socket one, Socket other, Greedy& shared) -> asio::awaitable<void> {
      while (shared.may_go_on()) {
        co_await one.async_end();
        ++shared.resumptions;
        co_await other.async_drain();
        ++shared.resumptions;
      }
      ++shared.ended;
    }(client, server, greedy));
  }
  const Neighbour neighbour(world.io(), greedy);
  world.run_until([&greedy] { return greedy.ended == 64; });
  BOOST_TEST(greedy.timer_fired, "the timer did not fire");
  neighbour.expect_bound();
}

BEHAVIOUR(B302_a_server_that_is_not_listening_and_a_coroutine_that_accepts, static_cast<unsigned>(Wire::tcp4)) {
  note_coroutine();
  Server server(world.io());
  Greedy greedy(world.io());
  world.spawn([](Server from, Greedy& shared) -> asio::awaitable<void> {
    while (shared.may_go_on()) {
      const auto [code, socket] = co_await from.async_accept(libnet::as_tuple);
      BOOST_TEST(code == libnet::Errc::not_running);
      ++shared.resumptions;
    }
    ++shared.ended;
  }(server, greedy));
  const Neighbour neighbour(world.io(), greedy);
  world.run_until([&greedy] { return greedy.ended == 1; });
  BOOST_TEST(greedy.timer_fired, "the timer did not fire");
  neighbour.expect_bound();
}

namespace {

/// What the allocator has given out must not grow with the number of lives, by its own books.
template <class Life>
void expect_flat_memory(Life one, int lives) {
  for (int i = 0; i < 1'000; ++i) one();
  const std::size_t before = ::mallinfo2().uordblks;
  for (int i = 0; i < lives; ++i) one();
  BOOST_TEST(std::size_t{::mallinfo2().uordblks} <= before + 20'000);
}

void run_ready(asio::io_context& io) {
  io.restart();
  io.poll();
}

}  // namespace

BEHAVIOUR(B274_sockets_on_strands_with_an_hours_timeout_leave_nothing_behind, static_cast<unsigned>(Wire::tcp4)) {
  // 736 bytes each stayed when the timer's wait kept the loop of the strand.
  asio::io_context& io = world.io();
  expect_flat_memory(
      [&io] {
        const auto [ours, theirs] = unix_pair();
        Socket socket(asio::make_strand(io), {.fd = ours});
        socket.set_timeout(1h);
        run_ready(io);
        socket.destroy();
        socket = Socket();
        io.restart();
        io.run();
        ::close(theirs);
      },
      20'000);
}

BEHAVIOUR(B274_nor_do_those_with_limits_of_operations_and_of_lingering, static_cast<unsigned>(Wire::tcp4)) {
  asio::io_context& io = world.io();
  expect_flat_memory(
      [&io] {
        const auto [ours, theirs] = unix_pair();
        Socket socket(asio::make_strand(io), {.linger_time = 1h, .timeout = 1h, .fd = ours});
        bool read = false;
        socket.async_read(
            libnet::cancel_after(1h, [&read](const libnet::error_code&, const libnet::Chunk&) { read = true; }));
        socket.async_wait(event::close, libnet::cancel_after(1h, [](const libnet::error_code&, bool) {}));
        run_ready(io);
        socket.destroy_soon();
        run_ready(io);
        ::close(theirs);
        socket = Socket();
        io.restart();
        io.run();
        BOOST_REQUIRE(read);
      },
      20'000);
}

BEHAVIOUR(B274_nor_do_those_that_connect_or_listen, static_cast<unsigned>(Wire::tcp4)) {
  asio::io_context& io = world.io();
  const auto refusing = world.refusing_options();
  expect_flat_memory(
      [&] {
        Socket socket(asio::make_strand(io));
        socket.on(event::error, [](const libnet::Error&) {});
        socket.connect({.host = refusing.host, .port = refusing.port, .timeout = 1h});
        Server server(asio::make_strand(io));
        server.listen({.host = "127.0.0.1", .port = 0});
        server.async_accept(libnet::cancel_after(1h, [](const libnet::error_code&, const Socket&) {}));
        run_ready(io);
        server.close();
        socket = Socket();
        server = Server();
        io.restart();
        io.run();
      },
      4'000);
}
