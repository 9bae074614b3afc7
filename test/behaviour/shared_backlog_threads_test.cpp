#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"

using namespace libnet::test;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// B276: several loops, each with a thread of its own, that accept from one socket.

static std::atomic<int> accept_calls{0};

extern "C" int accept4(int descriptor, sockaddr* address, socklen_t* length, int flags) {
  ++accept_calls;
  return static_cast<int>(::syscall(SYS_accept4, descriptor, address, length, flags));
}

namespace {

constexpr std::size_t loops = 4;

/// How often a thread has gone to sleep.
long sleeps_of(int thread) {
  std::ifstream status("/proc/self/task/" + std::to_string(thread) + "/status");
  const std::string field = "voluntary_ctxt_switches:";
  for (std::string word; status >> word;) {
    if (word != field) continue;
    long count = 0;
    status >> count;
    return count;
  }
  return 0;
}

/// A context with a server, and a thread that runs it.
class Member {
 public:
  explicit Member(libnet::ReactorKind kind) : io_(1), guard_(io_.get_executor()) {
    libnet::use_reactor(io_, kind);
    server = Server(io_);
  }
  ~Member() { stop(); }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;

  void start() {
    std::promise<int> id;
    thread_ = std::thread([this, &id] {
      id.set_value(static_cast<int>(::syscall(SYS_gettid)));
      io_.run();
    });
    thread_id_ = id.get_future().get();
  }
  void stop() {
    if (!thread_.joinable()) return;
    do_inside([this] { server.close(); });
    guard_.reset();
    io_.stop();
    thread_.join();
  }
  void do_inside(const std::function<void()>& action) {
    std::promise<void> done;
    asio::post(io_, [&] {
      action();
      done.set_value();
    });
    done.get_future().wait();
  }
  long sleeps() const { return sleeps_of(thread_id_); }

  std::atomic<int> taken{0};
  Server server;

 private:
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::thread thread_;
  int thread_id_ = 0;
};

/// Members that listen on one socket. Those of whom `wants` is true take each connection and close it.
class Farm {
 public:
  Farm(
      World& world, std::size_t size,
      const std::function<bool(std::size_t)>& wants = [](std::size_t) { return true; }) {
    for (std::size_t i = 0; i < size; ++i) {
      Member& member = *members.emplace_back(std::make_unique<Member>(world.reactor()));
      if (i == 0) {
        member.server.listen(world.listen_options());
      } else {
        member.server.listen(members.front()->server);
      }
      if (wants(i)) take_all(member);
    }
    address = members.front()->server.address().value();
    for (const auto& member : members) member->start();
    for (const auto& member : members) member->do_inside([] {});
  }

  int taken() const {
    int sum = 0;
    for (const auto& member : members) sum += member->taken;
    return sum;
  }
  long sleeps() const {
    long sum = 0;
    for (const auto& member : members) sum += member->sleeps();
    return sum;
  }

  std::vector<std::unique_ptr<Member>> members;
  SocketAddress address;

 private:
  static void take_all(Member& member) {
    member.server.on(event::connection, [&member](Socket socket) {
      socket.destroy();
      ++member.taken;
    });
  }
};

/// Connects, and waits until a server has closed the connection. False if none does.
bool visit(const SocketAddress& address) {
  RawSocket client(address.family());
  const timeval limit{.tv_sec = 30, .tv_usec = 0};
  ::setsockopt(client.descriptor(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (client.connect(address) != 0) return false;
  char byte;
  const ssize_t received = ::recv(client.descriptor(), &byte, 1, 0);
  return received == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

void expect_visits(const Farm& farm, int visits) {
  for (int i = 0; i < visits; ++i) {
    if (!visit(farm.address)) BOOST_FAIL("nobody serves visit " << i);
  }
  BOOST_TEST(visits > 0);
}

void expect_all_taken(const Farm& farm, int count) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (farm.taken() != count) {
    if (std::chrono::steady_clock::now() > deadline) BOOST_FAIL("taken: " << farm.taken());
    std::this_thread::yield();
  }
}

}  // namespace

BEHAVIOUR(B276_connections_one_after_another_wake_one_loop_each, real_wires) {
  constexpr int visits = 200;
  Farm farm(world, loops);
  const long sleeps = farm.sleeps();
  const int calls = accept_calls;
  expect_visits(farm, visits);
  expect_all_taken(farm, visits);
  const long wake_ups = farm.sleeps() - sleeps;
  BOOST_TEST_MESSAGE(wake_ups << " wake-ups, " << accept_calls - calls << " calls");
#ifndef LIBNET_SANITIZE_THREAD  // it goes to sleep by itself
  BOOST_TEST(wake_ups * 10 <= visits * 12);
#endif
  BOOST_TEST((accept_calls - calls) * 10 <= visits * 21);
}

BEHAVIOUR(B276_connections_at_once_cost_one_call_each, real_wires) {
  constexpr int visits = 200;
  Farm farm(world, loops);
  const int calls = accept_calls;
  std::vector<RawSocket> clients;
  for (int i = 0; i < visits; ++i) {
    clients.emplace_back(farm.address.family());
    ::fcntl(clients.back().descriptor(), F_SETFL, O_NONBLOCK);
    clients.back().reset_on_close();
    const int code = clients.back().connect(farm.address);
    BOOST_REQUIRE((code == 0 || code == EINPROGRESS));
  }
  expect_all_taken(farm, visits);
  BOOST_TEST_MESSAGE(accept_calls - calls << " calls");
  BOOST_TEST((accept_calls - calls) * 10 <= visits * 12);
}

/// A loop that is woken and takes nothing must not keep it from the others, wherever it stands among them.
BEHAVIOUR(B276_a_loop_where_nobody_wants_connections_passes_them_on, real_wires) {
  for (const std::size_t idle : {0U, 1U, 2U}) {
    const Farm farm(world, 3, [idle](std::size_t i) { return i != idle; });
    expect_visits(farm, 50);
    BOOST_TEST(farm.members[idle]->taken == 0);
  }
}

BEHAVIOUR(B276_a_loop_that_waits_for_one_connection_at_a_time, real_wires) {
  const Farm farm(world, 2, [](std::size_t) { return false; });
  expect_all_taken(farm, 0);
  for (int round = 0; round < 30; ++round) {
    Member& member = *farm.members[static_cast<std::size_t>(round % 2)];
    member.do_inside([&member] {
      member.server.async_accept([&member](error_code, Socket socket) {
        socket.destroy();
        ++member.taken;
      });
    });
    expect_visits(farm, 1);
  }
  expect_all_taken(farm, 30);
}

BEHAVIOUR(B276_a_loop_that_stops_listening_leaves_the_rest_to_the_others, real_wires) {
  for (const std::size_t first : {0U, 2U}) {
    const Farm farm(world, 3);
    expect_visits(farm, 20);
    Member& leaving = *farm.members[first];
    leaving.do_inside([&leaving] { leaving.server.close(); });
    if (first != 0 || !world.is_unix()) expect_visits(farm, 20);
  }
}

/// A connection that only loops were told of that did not want it, is there for the one that wants it later.
BEHAVIOUR(B276_a_connection_that_nobody_wanted_waits, real_wires) {
  const Farm farm(world, 2, [](std::size_t) { return false; });
  RawSocket early(farm.address.family());
  BOOST_REQUIRE(early.connect(farm.address) == 0);
  for (const auto& member : farm.members) member->do_inside([] {});
  Member& member = *farm.members.back();
  std::promise<void> accepted;
  member.do_inside([&] { member.server.async_accept([&](error_code, const Socket&) { accepted.set_value(); }); });
  BOOST_TEST((accepted.get_future().wait_for(30s) == std::future_status::ready));
}
