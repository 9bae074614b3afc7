#include "support/behaviour.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "support/log_lines.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::LogLevel;
using libnet::Server;
using libnet::Socket;

// What the library tells of what nobody else hears: where it goes, how often, and that it holds up nobody.

namespace {

constexpr unsigned one_wire = static_cast<unsigned>(Wire::tcp4);
constexpr unsigned stream_wires = all_wires & ~static_cast<unsigned>(Wire::unix_path);  // those that can reset

/// A socket that nobody holds or listens to fails.
void lose(World& world, const std::function<void(Socket& socket, Socket& peer)>& how) {
  {
    auto [socket, peer] = world.pair();
    how(socket, peer);
    world.run_until([socket = socket] { return socket.destroyed(); });
    peer.destroy();
    world.settle();
  }
  world.settle();  // beside other threads a handle that goes is told to the loop
}

void reset(Socket&, Socket& peer) { peer.reset(); }
void fail(Socket& socket, Socket&) { socket.destroy(Error(Errc::invalid_argument, "test")); }
void fail_in_listener(Socket& socket, Socket& peer) {
  socket.on(event::data, [](Chunk) { throw std::runtime_error("a listener's trouble"); });
  peer.write("x");
}

/// Standard error is a full pipe that nobody reads, as long as this lives. Who waits for room there is killed by SIGPIPE in
/// the end, and the test with it.
class FullStderr {
 public:
  FullStderr() : own_(::dup(STDERR_FILENO)) {
    if (::pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0) throw std::runtime_error("no pipe");
    const std::string filling(4096, '.');
    while (::write(ends_[1], filling.data(), filling.size()) > 0) {
    }
    ::fcntl(ends_[1], F_SETFL, 0);
    ::dup2(ends_[1], STDERR_FILENO);
    watch_ = std::thread([this] {
      std::unique_lock lock(mutex_);
      if (!done_.wait_for(lock, 60s, [this] { return over_; })) ::close(std::exchange(ends_[0], -1));
    });
  }
  FullStderr(const FullStderr&) = delete;
  FullStderr& operator=(const FullStderr&) = delete;
  ~FullStderr() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    done_.notify_one();
    watch_.join();
    ::dup2(own_, STDERR_FILENO);
    for (const int descriptor : {own_, ends_[0], ends_[1]}) ::close(descriptor);
  }

  /// Reads all that is in the pipe.
  std::string read_all() const {
    std::string text(1 << 20, '\0');
    std::size_t size = 0;
    for (ssize_t got = 0; (got = ::read(ends_[0], text.data() + size, text.size() - size)) > 0;) {
      size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;
  }
  static bool blocks() { return (::fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK) == 0; }

 private:
  int own_;
  int ends_[2] = {-1, -1};
  std::mutex mutex_;
  std::condition_variable done_;
  bool over_ = false;
  std::thread watch_;
};

}  // namespace

BEHAVIOUR(B295_what_a_peer_can_cause_is_told_at_level_debug_each_time, stream_wires) {
  LogLines lines;
  for (int i = 0; i < 5; ++i) lose(world, reset);
  const auto logged = lines.take();
  BOOST_TEST(logged.size() == 5U);
  for (const std::string& line : logged) {
    BOOST_TEST(line.starts_with("debug socket "), line);
    BOOST_TEST(line.ends_with("unhandled error: read ECONNRESET"), line);
  }
}

BEHAVIOUR(B295_a_peer_that_breaks_a_handler_awaited, stream_wires) {
  LogLines lines;
  Server server(world.io());
  server.serve([](Socket socket) -> asio::awaitable<void> { co_await socket.async_read(); });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  world.run_until([&] { return client.connected() && server.connections() == 1; });
  client.reset();
  world.run_until([&] { return server.connections() == 0; });
  server.close();
  world.run();
  lines.expect_one("serve handler: read ECONNRESET");
}

BEHAVIOUR(B295_each_other_kind_is_told_once_a_second_with_a_count, one_wire) {
  LogLines lines;
  for (int i = 0; i < 5; ++i) lose(world, fail);
  for (int i = 0; i < 3; ++i) lose(world, fail_in_listener);
  auto logged = lines.take();
  BOOST_REQUIRE(logged.size() == 2U);
  BOOST_TEST(logged[0].ends_with("unhandled error: test: invalid argument"), logged[0]);
  BOOST_TEST(logged[1].ends_with("a listener's trouble"), logged[1]);
  const auto later = std::chrono::steady_clock::now() + 1s;
  while (std::chrono::steady_clock::now() < later) ::poll(nullptr, 0, 50);
  lose(world, fail);
  logged = lines.take();
  BOOST_REQUIRE(logged.size() == 1U);
  BOOST_TEST(logged[0].ends_with("(4 more of this kind were left out)"), logged[0]);
}

BEHAVIOUR(B295_a_handler_takes_the_log_in_place_of_spdlog, stream_wires) {
  LogLines lines;
  std::vector<std::pair<LogLevel, std::string>> taken;
  libnet::set_log_handler([&](LogLevel level, std::string_view text) {
    taken.emplace_back(level, text);
    throw std::runtime_error("the handler's own trouble");
  });
  lose(world, reset);
  lose(world, fail);
  libnet::set_log_handler({});
  lines.expect_none();
  BOOST_REQUIRE(taken.size() == 2U);
  BOOST_TEST((taken[0].first == LogLevel::debug));
  BOOST_TEST((taken[1].first == LogLevel::error));
  BOOST_TEST(taken[1].second.find("unhandled error: test: invalid argument") != std::string::npos);
  lose(world, reset);
  lines.expect_one("read ECONNRESET");
}

BEHAVIOUR(B295_a_standard_error_that_nobody_reads_holds_up_nobody, one_wire) {
  libnet::core::forget_logged();
  spdlog::drop("libnet");
  spdlog::set_level(spdlog::level::debug);
  {
    const FullStderr full;
    for (int i = 0; i < 100; ++i) lose(world, reset);
    for (int i = 0; i < 20; ++i) {
      libnet::core::forget_logged();
      lose(world, fail_in_listener);
    }
    BOOST_TEST(FullStderr::blocks());  // it may be another program's as well
    BOOST_TEST(full.read_all().find("ECONNRESET") == std::string::npos);
    lose(world, reset);
    const std::string text = full.read_all();
    BOOST_TEST(text.starts_with("libnet: standard error did not take 120 lines of this log\n"), text);
    BOOST_TEST(text.find("read ECONNRESET\n") != std::string::npos, text);
  }
  spdlog::drop("libnet");
  spdlog::set_level(spdlog::level::info);
}
