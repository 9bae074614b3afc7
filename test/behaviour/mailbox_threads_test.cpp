#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "reactor/loop.hpp"
#include "support/behaviour.hpp"
#include "support/case_report.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Error;
using libnet::Server;
using libnet::Socket;
using libnet::reactor::Letter;
using libnet::reactor::Loop;

// The way into a loop from other threads: each letter once, in order, also in a context without locks, and also while the
// context ends. The thread sanitizer runs these.

namespace {

/// A letter that notes what becomes of it.
class NotedLetter final : public Letter {
 public:
  std::function<void()> on_delivery = [] {};
  std::atomic<int> delivered{0};
  std::atomic<int> discarded{0};

 private:
  void deliver_letter() override {
    ++delivered;
    on_delivery();
  }
  void discard_letter() noexcept override { ++discarded; }
};

asio::any_io_executor executor_of(asio::io_context& io, bool on_strand) {
  if (on_strand) return asio::make_strand(io);
  return io.get_executor();
}

constexpr auto one_wire = static_cast<unsigned>(Wire::tcp4);
constexpr std::array<bool, 2> both{false, true};
constexpr int most = 500;
using Letters = std::array<NotedLetter, most>;

}  // namespace

BEHAVIOUR(C11_letters_of_several_threads_come_once_each_and_in_order, one_wire) {
  for (const bool on_strand : both) {
    asio::io_context io(on_strand ? 2 : 1);
    libnet::use_reactor(io, world.reactor());
    const auto loop = Loop::of(executor_of(io, on_strand));
    constexpr std::size_t senders = 4;
    const auto letters = std::make_unique<std::array<Letters, senders>>();
    std::array<int, senders> last{};
    std::array<bool, senders> in_order{true, true, true, true};
    bool in_turn = true;
    int left = senders * most;
    auto guard = std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(io.get_executor());
    for (std::size_t sender = 0; sender < senders; ++sender) {
      for (int i = 0; i < most; ++i) {
        (*letters)[sender][static_cast<std::size_t>(i)].on_delivery = [&, sender, i] {
          in_order[sender] = in_order[sender] && last[sender]++ == i;
          in_turn = in_turn && loop->in_turn() && loop->owns_this_thread();
          if (--left == 0) guard.reset();
        };
      }
    }
    std::vector<std::thread> threads;
    std::atomic<int> refused{0};
    for (Letters& own : *letters) {
      threads.emplace_back([&own, &loop, &refused] {
        for (NotedLetter& letter : own) refused += loop->mailbox().send(letter) ? 0 : 1;
      });
    }
    std::thread other([&] {
      if (on_strand) io.run_for(60s);
    });
    io.run_for(60s);
    other.join();
    for (std::thread& thread : threads) thread.join();
    BOOST_TEST(refused == 0);
    BOOST_TEST(left == 0);
    BOOST_TEST(in_turn);
    for (const bool right : in_order) BOOST_TEST(right);
    for (const Letters& own : *letters) {
      for (const NotedLetter& letter : own) {
        if (letter.delivered != 1 || letter.discarded != 0) BOOST_ERROR("a letter came not once");
      }
    }
  }
}

BEHAVIOUR(C11_letters_race_with_the_end_of_the_context, one_wire) {
  for (int round = 0; round < 100; ++round) {
    for (const bool on_strand : both) {
      Letters letters;
      int taken = 0;
      auto io = std::make_unique<asio::io_context>(1);
      libnet::use_reactor(*io, world.reactor());
      auto loop = Loop::of(executor_of(*io, on_strand));
      std::atomic<bool> started{false};
      std::thread sender([&letters, &taken, &started, mailbox = loop->shared_mailbox()] {
        for (NotedLetter& letter : letters) {
          taken += mailbox->send(letter) ? 1 : 0;
          started = true;
        }
      });
      while (!started) std::this_thread::yield();
      io->poll();
      if (round % 2 == 0) loop.reset();
      io.reset();
      sender.join();
      int delivered = 0;
      int discarded = 0;
      for (const NotedLetter& letter : letters) {
        delivered += letter.delivered;
        discarded += letter.discarded;
      }
      BOOST_TEST(delivered + discarded == taken);
    }
  }
}

BEHAVIOUR(C12_a_mailbox_does_not_count_but_its_letters_do, one_wire) {
  for (const bool on_strand : both) {
    asio::io_context io(1);
    libnet::use_reactor(io, world.reactor());
    const auto loop = Loop::of(executor_of(io, on_strand));
    BOOST_TEST(io.run() == 0U);
    NotedLetter letter;
    std::thread([&] { BOOST_TEST(loop->mailbox().send(letter)); }).join();
    io.restart();
    io.run_for(60s);
    BOOST_TEST(letter.delivered == 1);
    BOOST_TEST(io.stopped());
  }
}

BEHAVIOUR(C11_a_letter_whose_handler_throws_loses_no_other, one_wire) {
  for (const bool on_strand : both) {
    asio::io_context io(1);
    libnet::use_reactor(io, world.reactor());
    const auto loop = Loop::of(executor_of(io, on_strand));
    std::array<NotedLetter, 4> letters;
    for (const std::size_t i : {0U, 2U}) letters[i].on_delivery = [] { throw std::runtime_error("a letter"); };
    for (NotedLetter& letter : letters) BOOST_TEST(loop->mailbox().send(letter));
    BOOST_CHECK_THROW(io.run(), std::runtime_error);
    BOOST_CHECK_THROW(io.run(), std::runtime_error);
    io.run();
    for (const NotedLetter& letter : letters) BOOST_TEST(letter.delivered == 1);
    BOOST_TEST(io.stopped());
  }
}

BEHAVIOUR(C11_a_context_without_locks_hears_of_lookups_stops_and_handles, one_wire) {
  note_coroutine();
  for (int round = 0; round < 20; ++round) {
    asio::io_context io(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE);
    libnet::use_reactor(io, world.reactor());
    std::vector<std::thread> threads;
    const libnet::Lookup answered_elsewhere = [&threads](std::string_view, const libnet::LookupOptions&,
                                                         libnet::LookupAnswer answer) {
      threads.emplace_back([answer] { answer({{"127.0.0.1", 4}}); });
    };
    std::stop_source source;
    const std::stop_token token = source.get_token();
    Server server(io);
    auto listen = world.listen_options();
    listen.stop = &token;
    server.listen(listen);
    std::string received;
    server.on(event::connection, [&](Socket socket) {
      socket.on(event::data, [&received, socket](Chunk chunk) { received += chunk; });
      socket.on(event::end, [&] { threads.emplace_back([&source] { source.request_stop(); }); });
    });
    auto where = world.connect_options(server);
    where.host = "answered.elsewhere";
    where.lookup = &answered_elsewhere;
    Socket client(io);
    client.connect(where, [&threads, &client] {
      threads.emplace_back([last = std::exchange(client, Socket())]() mutable { last = Socket(); });
    });
    client.write("hello");
    io.run_for(60s);
    for (std::thread& thread : threads) thread.join();
    BOOST_TEST(threads.size() == 3U);
    BOOST_TEST(received == "hello");
    BOOST_TEST(!server.listening());
    BOOST_TEST(io.stopped());
  }
}

BEHAVIOUR(C11_handles_dropped_while_the_context_ends, one_wire) {
  for (int round = 0; round < 100; ++round) {
    for (const bool on_strand : both) {
      auto io = std::make_unique<asio::io_context>(1);
      libnet::use_reactor(*io, world.reactor());
      auto executor = executor_of(*io, on_strand);
      std::vector<Socket> sockets;
      for (int i = 0; i < 8; ++i) sockets.emplace_back(executor);
      executor = {};  // a strand must not outlive its context
      sockets.front().destroy();
      io->run();  // before the loop runs, whoever sets it up counts as inside
      std::thread dropper([handles = std::move(sockets)]() mutable {
        while (!handles.empty()) handles.pop_back();
      });
      io.reset();
      dropper.join();
    }
  }
}

BEHAVIOUR(C11_sockets_are_made_on_a_used_strand_by_any_thread, one_wire) {
  asio::io_context io(2);
  const auto strand = asio::make_strand(io);
  Server server(strand);
  server.listen(world.listen_options());
  std::thread other([&io] { io.run_for(60s); });
  std::thread maker([&strand] {
    for (int i = 0; i < 200; ++i) const Socket made(strand);
  });
  for (int i = 0; i < 200; ++i) asio::post(strand, [&strand] { const Socket made(strand); });
  maker.join();
  asio::post(strand, [&server] { server.close(); });
  other.join();
  BOOST_TEST(io.stopped());
  BOOST_TEST(!server.listening());
}

// Stands in for the system's. To lower the limit of descriptors would do as well, but the sanitizers need some themselves.
static std::atomic<bool> no_descriptors{false};
static std::atomic<int> refused_descriptors{0};
extern "C" int eventfd(unsigned int count, int flags) {
  if (!no_descriptors) return static_cast<int>(::syscall(SYS_eventfd2, count, flags));
  ++refused_descriptors;
  errno = EMFILE;
  return -1;
}

BEHAVIOUR(B310_a_context_for_which_there_is_no_descriptor_says_so, one_wire) {
  asio::io_context io(1);
  libnet::use_reactor(io, world.reactor());
  asio::post(io, [] {});
  io.run();  // Asio has what it needs
  no_descriptors = true;
  const auto code = thrown_by([&io] { const Socket socket(asio::make_strand(io)); });
  no_descriptors = false;
  BOOST_TEST(refused_descriptors.exchange(0) == 1);
  BOOST_TEST(code.value() == EMFILE);
  const Socket socket(io);
  BOOST_TEST(Loop::of(io.get_executor())->alive());
}
