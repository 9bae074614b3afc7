#include <algorithm>
#include <cerrno>
#include <optional>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/strand.hpp>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <sstream>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// R50, B254: a server whose process is out of descriptors. A program of its own, since the limit is the process's.

namespace {

#ifdef LIBNET_SANITIZE_ADDRESS

// The sanitizer opens a pipe to look at an object whose type it has not met yet, and takes a failure for a broken object.
// There only accept finds no descriptor.
bool no_descriptors = false;

class NoDescriptors {
 public:
  NoDescriptors() { no_descriptors = true; }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { no_descriptors = false; }
};

#else

/// No descriptor can be opened while this lives.
class NoDescriptors {
 public:
  /// @param left  How many can be opened all the same.
  explicit NoDescriptors(int left = 0) {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const int lowest_free = ::dup(0);
    BOOST_REQUIRE(lowest_free >= 0);
    ::close(lowest_free);
    rlimit none = before_;
    none.rlim_cur = static_cast<rlim_t>(lowest_free + left);
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
    if (left == 0) BOOST_REQUIRE(::dup(0) < 0);  // it works
  }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

#endif

std::chrono::microseconds cpu_time() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto microseconds = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
}

/// The lines of logger "libnet" while this lives.
class LogLines {
 public:
  LogLines() {
    spdlog::drop("libnet");
    auto logger = std::make_shared<spdlog::logger>("libnet", std::make_shared<spdlog::sinks::ostream_sink_st>(text_));
    logger->set_pattern("%v");
    spdlog::register_logger(logger);
  }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;
  ~LogLines() { spdlog::drop("libnet"); }

  long count() const {
    const std::string text = text_.str();
    return std::count(text.begin(), text.end(), '\n');
  }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
};

void echo_all(Server server) {
  server.on(event::connection, [](Socket socket) {
    socket.on(event::data, [socket](const Chunk& chunk) mutable { socket.write(chunk); });
  });
}

/// Says something on an open connection and waits for its echo.
void expect_echo(World& world, Socket client) {
  std::string answer;
  const auto listener = client.scoped(client.on(event::data, [&](const Chunk& chunk) { answer += chunk; }));
  client.write("still served");
  world.run_until([&] { return answer == "still served"; });
}

struct Waiting {
  Waiting(const SocketAddress& address, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) clients.emplace_back(address.family());
  }
  void connect(const SocketAddress& address) {
    for (RawSocket& client : clients) BOOST_REQUIRE(client.connect(address) == 0);
  }
  std::vector<RawSocket> clients;
};

}  // namespace

#ifdef LIBNET_SANITIZE_ADDRESS
extern "C" int accept4(int descriptor, sockaddr* address, socklen_t* length, int flags) {
  if (!no_descriptors) return static_cast<int>(::syscall(SYS_accept4, descriptor, address, length, flags));
  errno = EMFILE;
  return -1;
}
#endif

BEHAVIOUR(R50_B254_out_of_descriptors_for_a_while, real_wires) {
  constexpr auto period = 1500ms;
  Server server(world.io());
  echo_all(server);
  world.listen(server);
  const SocketAddress address = server.address().value();
  Socket client(world.io());
  world.connect(client, server);
  world.run_until([&] { return server.connections() == 1 && !client.connecting(); });
  std::vector<Error> errors;
  server.on(event::error, [&](const Error& error) { errors.push_back(error); });

  Waiting waiting(address, 20);
  std::optional<NoDescriptors> none(std::in_place);
  waiting.connect(address);
  const auto began = std::chrono::steady_clock::now();
  const auto cpu_before = cpu_time();
  world.run_until([&] { return !errors.empty(); });
  expect_echo(world, client);
  world.io().run_for(period);
  const auto cpu = cpu_time() - cpu_before;
  const auto wall = std::chrono::steady_clock::now() - began;
  BOOST_TEST(cpu.count() * 20 < std::chrono::duration_cast<std::chrono::microseconds>(wall).count());
  BOOST_TEST(errors.size() >= 2u);  // it lasts
  BOOST_TEST(errors.size() <=
             static_cast<std::size_t>(std::chrono::duration_cast<std::chrono::seconds>(wall).count() + 1));
  for (const Error& error : errors) {
    BOOST_TEST(error.name() == "EMFILE");
    BOOST_TEST(error.operation() == "accept");
    BOOST_TEST((error.local_address() == address));
  }
  BOOST_TEST(server.listening());
  BOOST_TEST(server.connections() == 1u);
  expect_echo(world, client);

  none.reset();
  const auto free_again = std::chrono::steady_clock::now();
  world.run_until([&] { return server.connections() == 21; });
  BOOST_TEST((std::chrono::steady_clock::now() - free_again < 10s));  // 1 s, on a machine that is not busy
  expect_echo(world, client);
}

BEHAVIOUR(R50_B254_out_of_descriptors_does_not_complete_an_accept_awaited, real_wires) {
  Server server(world.io());
  world.listen(server);
  const SocketAddress address = server.address().value();
  std::vector<std::string> log;
  server.on(event::error, [&](const Error& error) { log.push_back(error.name()); });
  server.async_accept([&](error_code code, const Socket&) { log.push_back(code ? code.message() : "accepted"); });
  Waiting waiting(address, 1);
  std::optional<NoDescriptors> none(std::in_place);
  waiting.connect(address);
  world.run_until([&] { return !log.empty(); });
  BOOST_TEST(log == std::vector<std::string>{"EMFILE"}, per_element);
  none.reset();
  world.run_until([&] { return log.size() == 2; });
  BOOST_TEST(log == (std::vector<std::string>{"EMFILE", "accepted"}), per_element);
}

BEHAVIOUR(R50_B254_out_of_descriptors_under_serve, real_wires) {
  Server server(world.io());
  int served = 0;
  server.serve([&served](Socket) -> asio::awaitable<void> {
    ++served;
    co_return;
  });
  world.listen(server);
  const SocketAddress address = server.address().value();
  Waiting waiting(address, 5);
  std::optional<NoDescriptors> none(std::in_place);
  waiting.connect(address);
  LogLines lines;  // nobody listens to 'error': it is logged
  world.run_until([&] { return lines.count() == 1; });
  BOOST_TEST(lines.text().find("EMFILE") != std::string::npos);
  world.io().run_for(500ms);
  BOOST_TEST(lines.count() == 1);
  BOOST_TEST(served == 0);
  none.reset();
  world.run_until([&] { return served == 5; });
}

BEHAVIOUR(R50_close_while_out_of_descriptors, real_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.on(event::connection, [](const Socket&) {});
  world.listen(server);
  const SocketAddress address = server.address().value();
  Waiting waiting(address, 3);
  std::optional<NoDescriptors> none(std::in_place);
  waiting.connect(address);
  world.run_until([&] { return recorder.count("server:error(EMFILE)") == 1; });
  server.close();
  world.run();
  BOOST_TEST(recorder.of("server") == (std::vector<std::string>{"listening", "error(EMFILE)", "close"}), per_element);
}

#ifndef LIBNET_SANITIZE_ADDRESS

namespace {

/// Makes something in a new context with 0, 1, 2 … descriptors left, until that succeeds; and then once more with enough in
/// the context in which it failed.
template <class Make>
void expect_named_errors(World& world, Make make) {
  int failures = 0;
  for (bool made = false; !made; ++failures) {
    BOOST_REQUIRE(failures < 20);
    asio::io_context io;
    {
      const NoDescriptors few(failures);
      try {
        make(io, world.reactor());
        made = true;
      } catch (const libnet::SystemError& error) {
        BOOST_TEST(error.error().name() == "EMFILE");
        BOOST_TEST(!error.error().operation().empty());
        BOOST_TEST(std::string(error.what()).find("EMFILE") != std::string::npos);
      }
    }
    if (!made) BOOST_CHECK_NO_THROW(make(io, world.reactor()));
  }
  BOOST_TEST(failures > 1);
}

}  // namespace

BEHAVIOUR(B310_constructors_without_descriptors, static_cast<unsigned>(Wire::tcp4)) {
  using libnet::ReactorKind;
  expect_named_errors(world, [](asio::io_context& io, ReactorKind kind) { libnet::use_reactor(io, kind); });
  expect_named_errors(world, [](asio::io_context& io, ReactorKind kind) {
    libnet::use_reactor(io, kind);
    Socket socket(io);
  });
  expect_named_errors(world, [](asio::io_context& io, ReactorKind kind) {
    libnet::use_reactor(io, kind);
    Server server(io);
  });
  expect_named_errors(world, [](asio::io_context& io, ReactorKind) { Socket socket(asio::make_strand(io)); });
  expect_named_errors(world, [](asio::io_context& io, ReactorKind) { libnet::connect(io, {.port = 1}); });
  expect_named_errors(world, [](asio::io_context&, ReactorKind) {
    const libnet::BoundSocket bound(SocketAddress::ip("127.0.0.1", 0));
  });
}

#endif
