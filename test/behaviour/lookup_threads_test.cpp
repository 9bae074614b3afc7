#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "support/behaviour.hpp"
#include "support/stuck_names.hpp"

using namespace libnet::test;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Lookup;
using libnet::LookupAnswer;
using libnet::LookupOptions;
using libnet::LookupResult;
using libnet::Server;
using libnet::Socket;

// The threads that ask the system for addresses: what is given up, what cannot be had, and whom it may hold up.

namespace {

constexpr auto one_wire = static_cast<unsigned>(Wire::tcp4);
constexpr int most_wanted = 32;    // lookups that run at the same time
constexpr int most_threads = 128;  // of lookups

#if defined(__SANITIZE_THREAD__)
constexpr bool may_lack_threads = false;  // the sanitizer ends the program if its own memory cannot be had
constexpr int threads_of_the_sanitizer = 1;
#else
constexpr bool may_lack_threads = true;
constexpr int threads_of_the_sanitizer = 0;
#endif

bool skipped() {
  BOOST_WARN_MESSAGE(may_lack_threads, "SKIPPED: under the thread sanitizer every thread can be made");
  return !may_lack_threads;
}

/// The value of a line of /proc/self/status, [kB] where it has a unit.
long own_status(const std::string& name) {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    long value = 0;
    if (word == name + ":" && status >> value) return value;
  }
  BOOST_FAIL("no " + name + " in /proc/self/status");
  return 0;
}

int threads() { return static_cast<int>(own_status("Threads")); }

/// While it lives, no thread can be made: there is no room for its stack.
class NoThreads {
 public:
  NoThreads() {
    ::getrlimit(RLIMIT_AS, &before_);
    rlimit stack{};
    ::getrlimit(RLIMIT_STACK, &stack);
    const rlim_t smallest_stack = 2U << 20U;
    const rlim_t room = (stack.rlim_cur == RLIM_INFINITY ? smallest_stack : stack.rlim_cur) / 2;
    const rlimit none{static_cast<rlim_t>(own_status("VmSize")) * 1024 + room, before_.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_AS, &none) == 0);
  }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;
  ~NoThreads() { ::setrlimit(RLIMIT_AS, &before_); }

 private:
  rlimit before_{};
};

/// Sockets that look silent names up until all of them hang.
std::vector<Socket> stuck(World& world, int count) {
  const int before = gate().waiting();
  std::vector<Socket> sockets;
  for (int i = 0; i < count; ++i) {
    sockets.emplace_back(world.io());
    sockets.back().connect(80, new_name());
  }
  world.settle();
  gate().await(before + count);
  return sockets;
}

/// The same, given up.
void leave_stuck(World& world, int count) {
  for (Socket& socket : stuck(world, count)) socket.destroy();
  world.settle();
}

/// "localhost" is found although the gate is shut.
void expect_found(World& world) {
  bool found = false;
  Socket socket(world.io());
  socket.on(event::lookup, [&](const LookupResult& result) {
    BOOST_TEST(!result.error);
    found = true;
    socket.destroy();
  });
  socket.connect(80, "localhost");
  world.run_until([&] { return found; });
  world.settle();
}

void expect_no_thread(const Error& error, const std::string& host) {
  BOOST_TEST(error.code() == boost::system::errc::resource_unavailable_try_again);
  BOOST_TEST((error.code().category() == boost::system::system_category()));
  BOOST_TEST(error.operation() == "getaddrinfo");
  BOOST_TEST(error.host() == host);
  BOOST_TEST(error.message() == "getaddrinfo EAGAIN " + host);
}

/// Every thread that there is hangs, and so does every one that can be made of the stack of a former one.
void use_threads_up(World& world) { leave_stuck(world, most_wanted); }

}  // namespace

// 10^5 rounds were run by hand.
BEHAVIOUR(B257_an_equal_lookup_after_one_that_was_given_up, one_wire) {
  for (int round = 0; round < 2'000; ++round) {
    Socket first(world.io());
    Socket second(world.io());
    const Lookup in_its_place = [&](std::string_view host, const LookupOptions& options, LookupAnswer answer) {
      first.destroy();
      libnet::system_lookup(host, options, std::move(answer));
    };
    bool found = false;
    second.once(event::lookup, [&](const LookupResult& result) {
      BOOST_REQUIRE_MESSAGE(!result.error, result.error.message() << " in round " << round);
      found = true;
      second.destroy();
    });
    first.connect(80, "localhost");
    second.connect({.host = "localhost", .port = 80, .lookup = &in_its_place});
    world.run_until([&] { return found; });
    world.settle();
  }
}

BEHAVIOUR(B257_an_equal_lookup_after_one_that_was_cancelled_awaited, one_wire) {
  const libnet::ConnectOptions nobody = world.refusing_options();
  world.await([](World& here, int port) -> asio::awaitable<void> {
    for (int round = 0; round < 500; ++round) {
      Socket first(here.io());
      first.connect(port, "localhost");
      co_await asio::post(here.io(), asio::use_awaitable);
      Socket second(here.io());
      first.destroy();
      const auto [code] =
          co_await second.async_connect({.host = "localhost", .port = port, .family = 4}, libnet::as_tuple);
      BOOST_TEST_REQUIRE((code == asio::error::connection_refused));
    }
  }(world, *nobody.port));
}

BEHAVIOUR(B258_no_thread_can_be_made, one_wire) {
  if (skipped()) return;
  const GateShut shut;
  use_threads_up(world);
  const std::string name = new_name();
  Error failure;
  Socket socket(world.io());
  socket.on(event::error, [&](const Error& error) { failure = error; });
  Server server(world.io());
  Error server_failure;
  server.on(event::error, [&](const Error& error) { server_failure = error; });
  for (int time = 0; time < 3 * most_threads; ++time) {
    const NoThreads none;
    failure = server_failure = {};
    socket.connect(80, name);
    server.listen(0, name);
    world.run_until([&] { return failure && server_failure; });
    expect_no_thread(failure, name);
    expect_no_thread(server_failure, name);
    world.settle();
    socket.on(event::error, [&](const Error& error) { failure = error; });  // 'close' took the listener away
  }
  expect_found(world);
  BOOST_TEST(gate().asked_for(name) == 0);  // nothing was left behind
  socket.connect(80, name);
  world.settle();
  gate().await(most_wanted + 1);
  socket.destroy();
}

BEHAVIOUR(B258_no_thread_can_be_made_awaited, one_wire) {
  if (skipped()) return;
  const GateShut shut;
  use_threads_up(world);
  world.await([](World& here, std::string name) -> asio::awaitable<void> {
    Socket socket(here.io());
    Server server(here.io());
    {
      const NoThreads none;
      const auto [code] = co_await socket.async_connect({.host = name, .port = 80}, libnet::as_tuple);
      BOOST_TEST((code == asio::error::try_again));
      expect_no_thread(socket.error(), name);
      const auto [listen_code] = co_await server.async_listen({.host = name}, libnet::as_tuple);
      BOOST_TEST((listen_code == asio::error::try_again));
      expect_no_thread(server.error(), name);
    }
    co_await server.async_listen({.host = "localhost"});
    co_await socket.async_wait(event::close);
    co_await socket.async_connect({.host = "localhost", .port = server.address()->port()});
  }(world, new_name()));
}

BEHAVIOUR(B258_no_thread_for_a_lookup_called_directly, one_wire) {
  if (skipped()) return;
  const GateShut shut;
  use_threads_up(world);
  const std::string other = new_name();
  const Lookup direct = [&](std::string_view, const LookupOptions& options, LookupAnswer answer) {
    const NoThreads none;
    libnet::system_lookup(other, options, std::move(answer));
  };
  Error failure;
  Socket socket(world.io());
  socket.on(event::error, [&](const Error& error) { failure = error; });
  socket.connect({.host = "name.test", .port = 80, .lookup = &direct});
  world.run_until([&] { return static_cast<bool>(failure); });
  expect_no_thread(failure, "name.test");
  expect_found(world);
}

BEHAVIOUR(B259_no_signal_reaches_a_thread_of_libnets, one_wire) {
  sigset_t only;
  ::sigemptyset(&only);
  ::sigaddset(&only, SIGUSR1);
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &only, &before);
  {
    const GateShut shut;
    use_threads_up(world);
    ::kill(::getpid(), SIGUSR1);  // for any thread that does not block it, which would end the program
    const timespec patience{60, 0};
    BOOST_TEST(::sigtimedwait(&only, nullptr, &patience) == SIGUSR1);
    sigset_t now;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &now);
    BOOST_TEST(sigismember(&now, SIGUSR1) == 1);
    BOOST_TEST(sigismember(&now, SIGUSR2) == sigismember(&before, SIGUSR2));
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  BOOST_TEST(gate().heard_signals().empty());
}

BEHAVIOUR(B260_silent_names_that_were_given_up_hold_up_nobody, one_wire) {
  const GateShut shut;
  leave_stuck(world, most_wanted);
  leave_stuck(world, most_wanted);
  BOOST_TEST(gate().waiting() == 2 * most_wanted);
  expect_found(world);
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen({.host = "localhost"});
    Socket socket(here.io());
    co_await socket.async_connect({.host = "localhost", .port = server.address()->port()});
  }(world));
}

BEHAVIOUR(B260_ten_thousand_silent_names_that_were_given_up, one_wire) {
  const GateShut shut;
  const int before = threads();
  for (int round = 0; round < 100; ++round) {
    std::vector<Socket> sockets;
    for (int i = 0; i < 100; ++i) {
      sockets.emplace_back(world.io());
      sockets.back().connect(80, new_name());
    }
    world.settle();
    for (Socket& socket : sockets) socket.destroy();
    world.settle();
  }
  expect_found(world);
  BOOST_TEST(threads() - before <= most_threads);
}

/// The threads are nearly used up, each lookup gets one all the same, and there is always one more.
BEHAVIOUR(B260_who_waits_longer_than_those_who_gave_up_gets_a_thread, one_wire) {
  const GateShut shut;
  const int before = threads();
  for (int round = 0; round < 3; ++round) leave_stuck(world, most_wanted);
  for (int each = 0; each < 12; ++each) leave_stuck(world, 1);
  expect_found(world);
  BOOST_TEST(threads() - before <= most_threads);
}

BEHAVIOUR(B260_who_waits_behind_those_who_give_up, one_wire) {
  const GateShut shut;
  std::vector<Socket> held = stuck(world, most_wanted);
  bool found = false;
  Socket socket(world.io());
  socket.on(event::lookup, [&](const LookupResult& result) {
    BOOST_TEST(!result.error);
    found = true;
    socket.destroy();
  });
  socket.connect(80, "localhost");
  world.settle();
  for (Socket& each : held) each.destroy();
  world.run_until([&] { return found; });
}

BEHAVIOUR(B260_threads_without_work_go, one_wire) {
  const auto kept = [] { return threads() <= 1 + threads_of_the_sanitizer + 4; };
  {
    const GateShut shut;
    leave_stuck(world, most_wanted);
    BOOST_TEST(!kept());
  }
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!kept() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  BOOST_TEST(kept());
}
