#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "detail/thread_cache.hpp"
#include "reactor/loop.hpp"
#include "support/behaviour.hpp"
#include "support/child.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Server;
using libnet::Socket;
using libnet::reactor::Loop;

// B296, B297: who is inside a loop, and who shares one.

// Sanitizers have the heap for themselves.
#if defined(__GLIBC__) && LIBNET_BYPASS_CACHES == 0 && !defined(LIBNET_SANITIZE_THREAD)
static constinit thread_local std::size_t asked_for = 0;  // [bytes]

extern "C" {
void* __libc_malloc(std::size_t size);
void* malloc(std::size_t size) {
  asked_for += size;
  return __libc_malloc(size);
}
}
#define LIBNET_COUNTS_BYTES 1
#else
#define LIBNET_COUNTS_BYTES 0
#endif

namespace {

constexpr auto one_wire = static_cast<unsigned>(Wire::tcp4);
constexpr int terminated = 77;

/// Clients and a server that send words back and forth, until `stop` is called or 20,000 have come.
class Echoes {
 public:
  Echoes(World& world, const std::function<asio::any_io_executor()>& executor, int clients) {
    server_ = Server(executor());
    server_.serve([](Socket socket) -> asio::awaitable<void> {
      while (const Chunk chunk = co_await socket.async_read()) co_await socket.async_write(chunk);
    });
    server_.listen(world.listen_options());
    for (int i = 0; i < clients; ++i) {
      Socket& client = clients_.emplace_back(executor());
      client.on(event::data, [this, client](const Chunk& chunk) mutable {
        if (++echoes < 20'000) client.write(chunk);
      });
      world.connect(client, server_);
      client.write("a word");
    }
  }

  std::atomic<int> echoes{0};

 private:
  Server server_;
  std::vector<Socket> clients_;
};

void run_in_two_threads_for(asio::io_context& io, std::chrono::milliseconds time) {
  std::thread other([&] { io.run_for(time); });
  io.run_for(time);
  other.join();
}

#if LIBNET_COUNTS_BYTES
/// In a thread of its own, whose caches are empty. [bytes]
std::size_t cost_of_further_sockets(const asio::any_io_executor& executor) {
  std::size_t cost = 0;
  std::thread([&] {
    std::vector<Socket> made;
    made.reserve(65);
    made.emplace_back(executor);
    const std::size_t before = asked_for;
    while (made.size() < 65) made.emplace_back(executor);
    cost = asked_for - before;
  }).join();
  return cost;
}
#endif

}  // namespace

BEHAVIOUR(B296_two_threads_inside_one_loop_end_the_program, one_wire) {
  for (int round = 0; round < 20; ++round) {
    const Death death = run_in_child([&world] {
      std::set_terminate([] { ::_exit(terminated); });
      asio::io_context io;
      libnet::use_reactor(io, world.reactor());
      const Echoes echoes(world, [&io] { return io.get_executor(); }, 8);
      run_in_two_threads_for(io, 10s);
    });
    BOOST_TEST(death.status == terminated);
    BOOST_TEST(death.message.find("libnet: two threads are inside one loop") == 0U, death.message);
  }
}

BEHAVIOUR(B296_threads_that_take_turns_are_left_alone, one_wire) {
  const Death death = run_in_child([&world] {
    asio::io_context io;
    libnet::use_reactor(io, world.reactor());
    const Echoes echoes(world, [&io] { return io.get_executor(); }, 8);
    std::mutex turn;
    const auto run = [&] {
      while (echoes.echoes < 5'000) {
        const std::lock_guard lock(turn);
        io.run_one_for(1s);
      }
    };
    std::thread other(run);
    run();
    other.join();
  });
  BOOST_TEST(death.status == 0);
  BOOST_TEST(death.message == "");
}

BEHAVIOUR(B296_strands_are_left_alone, one_wire) {
  const Death death = run_in_child([&world] {
    asio::io_context io;
    libnet::use_reactor(io, world.reactor());
    const Echoes echoes(world, [&io]() -> asio::any_io_executor { return asio::make_strand(io); }, 8);
    std::thread stopper([&] {
      while (echoes.echoes < 5'000) std::this_thread::yield();
      io.stop();
    });
    run_in_two_threads_for(io, 50s);
    stopper.join();
  });
  BOOST_TEST(death.status == 0);
  BOOST_TEST(death.message == "");
}

/// Between two of its runs a loop belongs to nobody, whoever ran it last.
BEHAVIOUR(B296_who_ran_a_loop_last_is_not_inside_it, one_wire) {
  asio::io_context io;
  libnet::use_reactor(io, world.reactor());
  const auto loop = Loop::of(io.get_executor());
  Socket socket(io);
  socket.destroy();
  io.poll();  // this thread ran it last
  std::promise<void> inside;
  std::promise<void> checked;
  asio::post(io, [&] {
    BOOST_TEST(loop->owns_this_thread());
    inside.set_value();
    checked.get_future().wait();
  });
  io.restart();
  std::thread other([&io] { io.run(); });
  inside.get_future().wait();
  BOOST_TEST(!loop->owns_this_thread());
  checked.set_value();
  other.join();
}

#if LIBNET_COUNTS_BYTES
BEHAVIOUR(B297_a_further_socket_on_a_strand_costs_what_one_on_the_context_costs, one_wire) {
  asio::io_context& io = world.io();
  const std::size_t on_context = cost_of_further_sockets(io.get_executor());
  BOOST_TEST(on_context > 0U);
  BOOST_TEST(cost_of_further_sockets(asio::make_strand(io)) == on_context);
}
#endif
