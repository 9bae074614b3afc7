#include "transport/kernel_pipe.hpp"

#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <utility>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/socket_pair.hpp"

using libnet::transport::KernelPipe;

namespace {

class Ends {
 public:
  explicit Ends(std::pair<int, int> pair) : near(pair.first), far(pair.second) {}
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    ::close(near);
    close_far();
  }
  void close_far() {
    if (far >= 0) ::close(std::exchange(far, -1));
  }

  int near;
  int far;
};

bool send_all(int descriptor, std::string_view text) {
  return ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

bool sigpipe_is_pending() {
  sigset_t pending;
  ::sigpending(&pending);
  return ::sigismember(&pending, SIGPIPE) == 1;
}

/// Has SIGPIPE blocked, or not, while it lives, and none left pending behind it.
class Blocked {
 public:
  explicit Blocked(int how) {
    ::sigemptyset(&sigpipe_);
    ::sigaddset(&sigpipe_, SIGPIPE);
    ::pthread_sigmask(how, &sigpipe_, &before_);
  }
  Blocked(const Blocked&) = delete;
  Blocked& operator=(const Blocked&) = delete;
  ~Blocked() {
    const timespec at_once{};
    if (sigpipe_is_pending()) ::sigtimedwait(&sigpipe_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t sigpipe_;
  sigset_t before_;
};

/// Gives to a socket whose peer is gone.
void give_in_vain(KernelPipe& pipe) {
  Ends source(libnet::test::unix_pair());
  BOOST_REQUIRE(send_all(source.far, "lost"));
  BOOST_REQUIRE(pipe.take_from(source.near) == 4);
  Ends sink(libnet::test::unix_pair());
  sink.close_far();
  BOOST_TEST(pipe.give_to(sink.near) == -1);
  BOOST_TEST(errno == EPIPE);
  BOOST_TEST(pipe.size() == 4U);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kernel_pipe)

BOOST_AUTO_TEST_CASE(passes_bytes_between_all_kinds_of_sockets) {
  for (const auto make_source : {libnet::test::tcp_pair, libnet::test::unix_pair}) {
    for (const auto make_sink : {libnet::test::tcp_pair, libnet::test::unix_pair}) {
      const auto pipe = KernelPipe::open();
      BOOST_REQUIRE(pipe != nullptr);
      Ends source(make_source());
      Ends sink(make_sink());
      BOOST_TEST(pipe->take_from(source.near) == -1);
      BOOST_TEST(errno == EAGAIN);
      BOOST_REQUIRE(send_all(source.far, "through"));
      BOOST_TEST(pipe->take_from(source.near) == 7);
      BOOST_TEST(pipe->size() == 7U);
      BOOST_TEST(pipe->give_to(sink.near) == 7);
      BOOST_TEST(pipe->size() == 0U);
      std::array<char, 16> got{};
      BOOST_TEST(::recv(sink.far, got.data(), got.size(), 0) == 7);
      BOOST_TEST(std::string_view(got.data(), 7) == "through");
      source.close_far();
      BOOST_TEST(pipe->take_from(source.near) == 0);
    }
  }
}

BOOST_AUTO_TEST_CASE(raises_no_sigpipe) {
  const Blocked open(SIG_UNBLOCK);
  const auto before = ::signal(SIGPIPE, [](int) { ::_exit(1); });
  give_in_vain(*KernelPipe::open());
  ::signal(SIGPIPE, before);
  BOOST_TEST(!sigpipe_is_pending());
}

// One call is several sends inside the kernel: of a later one that fails only the signal tells.
BOOST_AUTO_TEST_CASE(raises_no_sigpipe_when_only_a_part_gets_through) {
  const Blocked open(SIG_UNBLOCK);
  const auto before = ::signal(SIGPIPE, [](int) { ::_exit(1); });
  for (int round = 0; round < 50; ++round) {
    const auto pipe = KernelPipe::open();
    Ends source(libnet::test::tcp_pair());
    const int now = 1;
    ::setsockopt(source.far, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
    for (int i = 0; i < 60; ++i) BOOST_REQUIRE(send_all(source.far, "a piece of its own"));
    BOOST_REQUIRE(pipe->take_from(source.near) > 0);
    Ends sink(libnet::test::tcp_pair());
    ::shutdown(sink.far, SHUT_WR);
    sink.close_far();
    while (pipe->size() != 0 && pipe->give_to(sink.near) > 0) {
    }
    BOOST_TEST(!sigpipe_is_pending());
  }
  ::signal(SIGPIPE, before);
}

BOOST_AUTO_TEST_CASE(leaves_no_sigpipe_to_a_thread_that_blocks_it) {
  const Blocked blocked(SIG_BLOCK);
  give_in_vain(*KernelPipe::open());
  BOOST_TEST(!sigpipe_is_pending());
}

BOOST_AUTO_TEST_CASE(leaves_the_sigpipe_that_was_pending_before) {
  const Blocked blocked(SIG_BLOCK);
  ::pthread_kill(::pthread_self(), SIGPIPE);
  give_in_vain(*KernelPipe::open());
  BOOST_TEST(sigpipe_is_pending());
}

BOOST_AUTO_TEST_SUITE_END()
