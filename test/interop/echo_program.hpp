#pragma once

#include "support/process.hpp"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <csignal>
#include <filesystem>
#include <ostream>
#include <string>
#include <string_view>

/// The program libnet-echo, which tests against other programs talk to.
namespace libnet::test {

/// How libnet-echo serves.
struct Serving {
  std::string_view style;
  std::string_view reactor;

  friend std::ostream& operator<<(std::ostream& out, const Serving& serving) {
    return out << serving.style << " over " << serving.reactor;
  }
};

inline constexpr Serving all_servings[] = {
    {"events", "epoll"}, {"events", "portable"}, {"await", "epoll"}, {"await", "portable"}};

/// A running libnet-echo, on a free port of all addresses and on a Unix path of its own.
class EchoProgram {
 public:
  explicit EchoProgram(const Serving& serving)
      : process_({LIBNET_ECHO, "--port", "0", "--path", path(), "--style", std::string(serving.style), "--reactor",
                  std::string(serving.reactor)}) {
    port_ = process_.read_until("listening on [::]:");
    BOOST_REQUIRE_EQUAL(process_.read_until("listening on "), path());
  }

  const std::string& port() const { return port_; }
  std::string path() const { return directory_.file("echo.sock"); }
  std::size_t resident_size() const { return test::resident_size(process_.id()); }

  /// Asks it to end, and checks that it does so cleanly.
  void stop() {
    process_.signal(SIGTERM);
    BOOST_TEST(process_.wait() == 0);
    BOOST_TEST(!std::filesystem::exists(path()));
  }

 private:
  TemporaryDirectory directory_;
  Process process_;
  std::string port_;
};

}  // namespace libnet::test
