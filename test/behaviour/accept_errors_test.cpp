#include <algorithm>
#include <atomic>
#include <cerrno>
#include <limits>
#include <string>
#include <vector>

#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"

using namespace libnet::test;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// B275: errors of accept(2). In the place of the C library's function stands one that fails as often as a case wants.

namespace {

struct Failing {
  int code = 0;
  int left = 0;   // calls to fail
  int calls = 0;  // all
};
constinit Failing failing;

constexpr int for_ever = std::numeric_limits<int>::max();

/// While it lives, accept4 fails so often.
class AcceptFails {
 public:
  explicit AcceptFails(int code, int times = for_ever) { failing = {code, times, 0}; }
  AcceptFails(const AcceptFails&) = delete;
  AcceptFails& operator=(const AcceptFails&) = delete;
  ~AcceptFails() { failing = {}; }
};

}  // namespace

extern "C" int accept4(int descriptor, sockaddr* address, socklen_t* length, int flags) {
  ++failing.calls;
  if (failing.left == 0) return static_cast<int>(::syscall(SYS_accept4, descriptor, address, length, flags));
  if (failing.left != for_ever) --failing.left;
  errno = failing.code;
  return -1;
}

namespace {

struct Listening {
  explicit Listening(World& world) : server(world.io()) {
    server.on(event::connection, [this](Socket socket) {
      ++connections;
      socket.destroy();
    });
    server.on(event::error, [this](const Error& error) { errors.push_back(error); });
    world.listen(server);
    world.settle();
  }

  Server server;
  int connections = 0;
  std::vector<Error> errors;
};

const std::vector<int> passed_over{ECONNABORTED, EPROTO, EINTR};
const std::vector<int> told{EPERM,  ENETDOWN,     ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, ENETUNREACH, EMFILE,
                            ENFILE, ENOBUFS,      ENOMEM,      EINVAL,    EBADF,  EOPNOTSUPP,   ENOTSOCK,    EFAULT,
                            ENOSYS, ECONNREFUSED, ETIMEDOUT,   EACCES,    EIO,    ENOSR,        524};

}  // namespace

BEHAVIOUR(B275_what_concerns_one_connection_is_passed_over, real_wires) {
  for (const int code : passed_over) {
    for (const int times : {1, 31}) {
      Listening at(world);
      RawSocket client(at.server.address()->family());
      const AcceptFails fails(code, times);
      BOOST_REQUIRE(client.connect(at.server.address().value()) == 0);
      world.run_until([&] { return at.connections == 1; });
      world.settle();
      BOOST_TEST(at.errors.empty());
      BOOST_TEST(failing.left == 0);
      BOOST_TEST(failing.calls <= times + 2);
    }
  }
}

BEHAVIOUR(B275_the_32nd_of_a_step_is_an_error_and_accepting_goes_on_later, real_wires) {
  for (const int code : passed_over) {
    world.use_manual_clock();
    Listening at(world);
    RawSocket client(at.server.address()->family());
    const AcceptFails fails(code, 32);
    BOOST_REQUIRE(client.connect(at.server.address().value()) == 0);
    world.run_until([&] { return !at.errors.empty(); });
    world.settle();
    BOOST_TEST(failing.calls == 32);
    BOOST_TEST(at.errors.size() == 1U);
    BOOST_TEST(at.errors.front().code().value() == code);
    BOOST_TEST(at.errors.front().operation() == "accept");
    BOOST_TEST(at.connections == 0);
    world.advance(100ms);
    BOOST_TEST(at.connections == 1);
    BOOST_TEST(at.server.listening());
    at.server.close();
    world.settle();
  }
}

/// On a clock that the case moves: ten looks in a second, one 'error'.
BEHAVIOUR(B275_B254_an_error_that_comes_again_and_again_is_told_once_a_second, real_wires) {
  world.use_manual_clock();
  std::vector<int> all = told;
  all.insert(all.end(), passed_over.begin(), passed_over.end());
  for (const int code : all) {
    BOOST_TEST_CONTEXT("errno " << code) {
      Listening at(world);
      RawSocket client(at.server.address()->family());
      const bool counts = std::count(told.begin(), told.end(), code) != 0;
      const int calls_a_look = counts ? 1 : 32;
      {
        const AcceptFails fails(code);
        BOOST_REQUIRE(client.connect(at.server.address().value()) == 0);
        world.run_until([&] { return !at.errors.empty(); });
        for (int looks = 1; looks < 10; ++looks) world.advance(100ms);
        BOOST_TEST(failing.calls == 10 * calls_a_look);
        BOOST_TEST(at.errors.size() == 1U);
        world.advance(100ms);
        BOOST_TEST(at.errors.size() == 2U);
        BOOST_TEST(at.errors.back().code().value() == code);
      }
      world.advance(100ms);
      BOOST_TEST(at.connections == 1);
      at.server.close();
      world.settle();
    }
  }
}

BEHAVIOUR(B275_B254_an_error_of_accepting_does_not_complete_an_accept_awaited, real_wires) {
  Server server(world.io());
  world.listen(server);
  std::vector<std::string> log;
  server.on(event::error, [&](const Error& error) { log.push_back(error.name()); });
  RawSocket client(server.address()->family());
  BOOST_REQUIRE(client.connect(server.address().value()) == 0);
  std::optional<AcceptFails> fails(std::in_place, EPERM);
  world.spawn([](Server from, std::vector<std::string>& entries) -> asio::awaitable<void> {
    const Socket accepted = co_await from.async_accept();
    entries.push_back("accepted");
  }(server, log));
  world.run_until([&] { return !log.empty(); });
  fails.reset();
  world.run_until([&] { return log.size() == 2; });
  BOOST_TEST(log == (Log{"EPERM", "accepted"}), per_element);
}
