#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/behaviour.hpp"
#include "support/network_namespace.hpp"
#include "support/raw_socket.hpp"

using namespace libnet::test;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Family;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// Servers on Unix-domain paths, and what becomes of the socket file.

namespace {

namespace fs = std::filesystem;

constexpr unsigned unix_wire = static_cast<unsigned>(Wire::unix_path);

bool is_socket(const std::string& path) { return fs::is_socket(fs::symlink_status(path)); }

/// A socket file behind which nobody listens any more, as a crashed server leaves it.
void leave_stale_socket(const std::string& path) {
  RawSocket crashed(Family::unix_path);
  BOOST_REQUIRE(crashed.bind(SocketAddress::unix_socket(path)) == 0);
  BOOST_REQUIRE(crashed.listen() == 0);
}

/// What listening on `path` comes to: "listening" or the error's name.
std::string outcome(World& world, Server server, const std::string& path) {
  std::string seen;
  const auto error = server.scoped(server.on(event::error, [&](const Error& what) { seen = what.name(); }));
  server.listen(path, [&] { seen = "listening"; });
  world.run_until([&] { return !seen.empty(); });
  return seen;
}

/// Of processes that listen on one path at the same time, what each of them came to: 'L' listening, 'U' in use, '?' else.
class Race {
 public:
  Race(World& world, const std::string& path, int contestants) {
    BOOST_REQUIRE(::pipe2(start_, O_CLOEXEC) == 0 && ::pipe2(results_, O_CLOEXEC) == 0 &&
                  ::pipe2(finish_, O_CLOEXEC) == 0);
    for (int i = 0; i < contestants; ++i) {
      const pid_t child = ::fork();
      if (child == 0) compete(world.reactor(), path);
      BOOST_REQUIRE(child > 0);
      children_.push_back(child);
    }
    ::close(start_[1]);
    for (int i = 0; i < contestants; ++i) {
      char result = '?';
      BOOST_TEST(::read(results_[0], &result, 1) == 1);
      outcome_ += result;
    }
    std::sort(outcome_.begin(), outcome_.end());
  }
  Race(const Race&) = delete;
  Race& operator=(const Race&) = delete;
  ~Race() {
    ::close(finish_[1]);
    for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
    for (const int end : {start_[0], results_[0], results_[1], finish_[0]}) ::close(end);
  }

  const std::string& outcome() const { return outcome_; }

 private:
  [[noreturn]] void compete(libnet::ReactorKind reactor, const std::string& path) {
    ::alarm(60);
    ::close(start_[1]);
    ::close(finish_[1]);
    {
      asio::io_context io;
      libnet::use_reactor(io, reactor);
      Server server(io);
      char result = '?';
      server.on(event::error, [&](const Error& error) { result = error.name() == "EADDRINUSE" ? 'U' : '?'; });
      await_end(start_[0]);
      server.listen(path, [&] { result = 'L'; });
      io.poll();
      static_cast<void>(::write(results_[1], &result, 1) == 1);
      await_end(finish_[0]);
    }
    ::_exit(0);
  }
  static void await_end(int pipe) {
    char unused = 0;
    static_cast<void>(::read(pipe, &unused, 1) == 0);
  }

  int start_[2];
  int results_[2];
  int finish_[2];
  std::vector<pid_t> children_;
  std::string outcome_;
};

/// Another current directory while it lives.
class InDirectory {
 public:
  explicit InDirectory(const fs::path& directory) : before_(fs::current_path()) { fs::current_path(directory); }
  InDirectory(const InDirectory&) = delete;
  InDirectory& operator=(const InDirectory&) = delete;
  ~InDirectory() { fs::current_path(before_); }

 private:
  fs::path before_;
};

/// Has a child process do something; it ends without the exit of this program.
template <class Part>
void in_child(Part part) {
  const pid_t child = ::fork();
  if (child == 0) {
    part();
    ::_exit(0);
  }
  int status = -1;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
}

}  // namespace

BEHAVIOUR(B30_the_address_is_the_path, unix_wire) {
  const std::string path = world.new_path();
  Server server(world.io());
  server.listen(path);
  const SocketAddress address = server.address().value();
  BOOST_TEST(address.address() == path);
  BOOST_TEST(address.family_name() == "unix");
  BOOST_TEST(address.port() == 0);
  BOOST_TEST(address.to_string() == path);
}

BEHAVIOUR(B31_all_forms_of_listen_and_connect, unix_wire) {
  Log log;
  const auto serve_one = [&](Server server, const std::string& path, const std::string& name) {
    const auto count = std::count(log.begin(), log.end(), name);
    server.on(event::connection, [&log, name](const Socket&) { log.push_back(name); });
    Socket client(world.io());
    client.connect({.path = path});
    world.run_until([&] { return std::count(log.begin(), log.end(), name) == count + 1; });
    client.destroy();
  };
  const std::string paths[] = {world.new_path(), world.new_path(), world.new_path(), world.new_path()};
  Server first(world.io());
  first.listen(paths[0]);
  serve_one(first, paths[0], "path");
  Server second(world.io());
  second.listen(paths[1], [&] { log.emplace_back("callback of path"); });
  serve_one(second, paths[1], "path, callback");
  Server third(world.io());
  third.listen({.path = paths[2]});
  serve_one(third, paths[2], "options");
  Server fourth(world.io());
  fourth.listen({.path = paths[3]}, [&] { log.emplace_back("callback of options"); });
  serve_one(fourth, paths[3], "options, callback");
  expect(log, {"path", "callback of path", "path, callback", "options", "callback of options", "options, callback"});
}

BEHAVIOUR(B31_all_forms_of_listen_and_connect_awaited, unix_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string path = here.new_path();
    Server server = co_await libnet::async_listen(here.io(), {.path = path});
    Socket first(here.io());
    co_await first.async_connect({.path = path});
    Socket second = co_await libnet::async_connect(here.io(), {.path = path});
    Socket third(here.io());
    bool called = false;
    third.connect(path, [&called] { called = true; });
    Socket fourth = libnet::connect(here.io(), {.path = path});
    for (int i = 0; i < 4; ++i) {
      const Socket accepted = co_await server.async_accept();
      BOOST_TEST(accepted.writable());
    }
    co_await fourth.async_wait(event::connect);
    BOOST_TEST(called);
  }(world));
}

BEHAVIOUR(B34_a_live_listener_is_EADDRINUSE, unix_wire) {
  const std::string path = world.new_path();
  Server live(world.io());
  live.listen(path);
  Server late(world.io());
  std::string message;
  late.on(event::error, [&](const Error& error) { message = error.message(); });
  BOOST_TEST(outcome(world, late, path) == "EADDRINUSE");
  BOOST_TEST(message == "listen EADDRINUSE: address already in use " + path);
  BOOST_TEST(is_socket(path));
  late.close();
  world.settle();
  BOOST_TEST(is_socket(path));
  BOOST_TEST(probe(SocketAddress::unix_socket(path)) == 0);
}

BEHAVIOUR(B34_R81_a_stale_socket_is_replaced, unix_wire) {
  const std::string path = world.new_path();
  leave_stale_socket(path);
  BOOST_REQUIRE(is_socket(path));
  Server server(world.io());
  BOOST_TEST(outcome(world, server, path) == "listening");
  BOOST_TEST(probe(SocketAddress::unix_socket(path)) == 0);
  server.close();
  BOOST_TEST(!fs::exists(path));
}

BEHAVIOUR(B34_R81_a_stale_socket_is_replaced_awaited, unix_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string path = here.new_path();
    leave_stale_socket(path);
    Server server(here.io());
    co_await server.async_listen({.path = path});
    const Socket client = co_await libnet::async_connect(here.io(), {.path = path});
    BOOST_TEST(!client.connecting());
    co_await server.async_close();
  }(world));
}

BEHAVIOUR(R81_a_live_listener_with_a_full_backlog_is_not_stale, unix_wire) {
  const std::string path = world.new_path();
  RawSocket live(Family::unix_path);
  BOOST_REQUIRE(live.bind(SocketAddress::unix_socket(path)) == 0);
  BOOST_REQUIRE(::listen(live.descriptor(), 0) == 0);
  RawSocket waiting(Family::unix_path);
  BOOST_REQUIRE(waiting.connect(SocketAddress::unix_socket(path)) == 0);
  BOOST_TEST(outcome(world, Server(world.io()), path) == "EADDRINUSE");
  BOOST_TEST(is_socket(path));
}

BEHAVIOUR(R81_only_sockets_are_unlinked, unix_wire) {
  const std::string file = world.new_path();
  std::ofstream(file) << "precious";
  BOOST_TEST(outcome(world, Server(world.io()), file) == "EADDRINUSE");
  std::string content;
  std::ifstream(file) >> content;
  BOOST_TEST(content == "precious");

  const std::string directory = world.new_path();
  fs::create_directory(directory);
  BOOST_TEST(outcome(world, Server(world.io()), directory) == "EADDRINUSE");
  BOOST_TEST(fs::is_directory(directory));

  const std::string target = world.new_path();
  const std::string link = world.new_path();
  leave_stale_socket(target);
  fs::create_symlink(target, link);
  BOOST_TEST(outcome(world, Server(world.io()), link) == "EADDRINUSE");
  BOOST_TEST(fs::is_symlink(link));
  BOOST_TEST(is_socket(target));

  const std::string datagrams = world.new_path();
  RawSocket other_kind(Family::unix_path, SOCK_DGRAM);
  BOOST_REQUIRE(other_kind.bind(SocketAddress::unix_socket(datagrams)) == 0);
  BOOST_TEST(outcome(world, Server(world.io()), datagrams) == "EADDRINUSE");
  BOOST_TEST(is_socket(datagrams));
}

BEHAVIOUR(R81_close_removes_only_the_file_that_the_server_made, unix_wire) {
  const std::string path = world.new_path();
  Server server(world.io());
  server.listen(path);
  fs::remove(path);
  RawSocket other(Family::unix_path);
  BOOST_REQUIRE(other.bind(SocketAddress::unix_socket(path)) == 0);
  BOOST_REQUIRE(other.listen() == 0);
  server.close();
  world.run();
  BOOST_TEST(is_socket(path));
  BOOST_TEST(probe(SocketAddress::unix_socket(path)) == 0);
}

BEHAVIOUR(R81_close_copes_with_a_file_that_is_gone, unix_wire) {
  const std::string path = world.new_path();
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.listen(path);
  fs::remove(path);
  server.close();
  world.run();
  expect(recorder.of("server"), {"close"});
}

BEHAVIOUR(B269_of_several_servers_on_a_stale_path_one_listens, unix_wire) {
  const char* wanted = std::getenv("LIBNET_RACES");
  const int races = wanted != nullptr ? std::atoi(wanted) : 20;
  const std::string path = world.new_path();
  const fs::path directory = fs::path(path).parent_path();
  for (int i = 0; i < races; ++i) {
    leave_stale_socket(path);
    {
      const Race race(world, path, 3);
      BOOST_TEST(race.outcome() == "LUU");
      BOOST_TEST(probe(SocketAddress::unix_socket(path)) == 0);
    }
    BOOST_TEST(fs::is_empty(directory));
  }
}

BEHAVIOUR(B269_a_path_that_is_bound_is_in_use, unix_wire) {
  const std::string path = world.new_path();
  RawSocket bound(Family::unix_path);
  BOOST_REQUIRE(bound.bind(SocketAddress::unix_socket(path)) == 0);
  BOOST_TEST(outcome(world, Server(world.io()), path) == "EADDRINUSE");
  const libnet::BoundSocket own(SocketAddress::unix_socket(world.new_path()));
  BOOST_TEST(outcome(world, Server(world.io()), own.address()->address()) == "EADDRINUSE");
  BOOST_TEST(bound.listen() == 0);
  BOOST_TEST(probe(SocketAddress::unix_socket(path)) == 0);
}

BEHAVIOUR(B269_a_server_that_is_asked_for_hears_nothing_of_it, unix_wire) {
  const std::string path = world.new_path();
  Server live(world.io());
  int connections = 0;
  live.on(event::connection, [&](const Socket&) { ++connections; });
  live.listen(path);
  BOOST_TEST(outcome(world, Server(world.io()), path) == "EADDRINUSE");
  world.settle();
  BOOST_TEST(connections == 0);
}

BEHAVIOUR(B269_what_another_network_namespace_has_is_in_use, unix_wire) {
  for (const bool listening : {false, true}) {
    const std::string path = world.new_path();
    std::optional<RawSocket> elsewhere;
    {
      const NetworkNamespace other;
      if (!other) return;
      elsewhere.emplace(Family::unix_path);
    }
    BOOST_REQUIRE(elsewhere->bind(SocketAddress::unix_socket(path)) == 0);
    if (listening) BOOST_REQUIRE(elsewhere->listen() == 0);
    BOOST_TEST(outcome(world, Server(world.io()), path) == "EADDRINUSE");
    BOOST_TEST(is_socket(path));
    elsewhere.reset();
    BOOST_TEST(outcome(world, Server(world.io()), path) == "listening");
  }
}

BEHAVIOUR(B269_a_file_that_may_not_be_asked_for_is_in_use, unix_wire) {
  if (::geteuid() == 0) return;  // who may do everything
  const std::string path = world.new_path();
  leave_stale_socket(path);
  BOOST_REQUIRE(::chmod(path.c_str(), 0) == 0);
  BOOST_TEST(outcome(world, Server(world.io()), path) == "EADDRINUSE");
}

BEHAVIOUR(B270_the_file_goes_although_the_directory_was_changed, unix_wire) {
  const fs::path path = world.new_path();
  std::optional<InDirectory> there(path.parent_path());
  Server server(world.io());
  server.listen(path.filename().string());
  const libnet::BoundSocket bound(SocketAddress::unix_socket("bound"));
  there.reset();
  Server adopter(world.io());
  adopter.listen({.bound = &bound, .writable_all = true});
  BOOST_TEST(adopter.listening());
  BOOST_TEST(is_socket(path));
  server.close();
  BOOST_TEST(!fs::exists(path));
  world.settle();
  adopter.close();
  libnet::BoundSocket(bound).close();
  BOOST_TEST(!fs::exists(path.parent_path() / "bound"));
}

BEHAVIOUR(B270_only_the_process_that_made_the_file_removes_it, unix_wire) {
  const std::string path = world.new_path();
  const std::string other_path = world.new_path();
  Server server(world.io());
  server.listen(path);
  libnet::BoundSocket bound(SocketAddress::unix_socket(other_path));
  world.settle();
  in_child([&] {
    server.close();
    bound.close();
  });
  BOOST_TEST(is_socket(path));
  BOOST_TEST(is_socket(other_path));
  BOOST_TEST(probe(SocketAddress::unix_socket(path)) == 0);
  server.close();
  bound.close();
  BOOST_TEST(!fs::exists(path));
  BOOST_TEST(!fs::exists(other_path));
}

BEHAVIOUR(B35_a_path_that_cannot_be_created, unix_wire) {
  const std::string path = world.new_path() + "/missing/server.sock";
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  Error seen;
  server.on(event::error, [&](const Error& error) { seen = error; });
  server.listen(path);
  world.run();
  expect(recorder.of("server"), {"error(ENOENT)"});
  BOOST_TEST(seen.path() == path);
  BOOST_TEST(seen.local_address().value().address() == path);
  BOOST_TEST(seen.operation() == "listen");
  BOOST_TEST(seen.message() == "listen ENOENT: no such file or directory " + path);
}

BEHAVIOUR(B36_a_path_that_is_too_long, unix_wire) {
  const std::string path = "/tmp/" + std::string(10'000, 'x');
  Recorder recorder;
  std::string listen_message;
  std::string connect_message;
  Server server(world.io());
  recorder.watch(server, "server");
  server.on(event::error, [&](const Error& error) { listen_message = error.message(); });
  server.listen(path);
  Socket client(world.io());
  recorder.watch(client, "client");
  client.on(event::error, [&](const Error& error) { connect_message = error.message(); });
  client.connect({.path = path});
  world.run();
  expect(recorder.of("server"), {"error(EINVAL)"});
  expect(recorder.of("client"), {"error(EINVAL)", "close(true)"});
  BOOST_TEST(listen_message.starts_with("listen EINVAL: invalid argument " + path.substr(0, 50)));
  BOOST_TEST(connect_message.starts_with("connect EINVAL " + path.substr(0, 50)));
  BOOST_TEST(!fs::exists(path.substr(0, 107)));
}

BEHAVIOUR(B36_a_path_that_is_too_long_awaited, unix_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string path = "/tmp/" + std::string(10'000, 'x');
    Server server(here.io());
    const auto [listened] = co_await server.async_listen({.path = path}, libnet::as_tuple);
    BOOST_TEST((listened == boost::system::errc::invalid_argument));
    Socket client(here.io());
    const auto [connected] = co_await client.async_connect({.path = path}, libnet::as_tuple);
    BOOST_TEST((connected == boost::system::errc::invalid_argument));
  }(world));
}

BEHAVIOUR(B37_the_file_is_gone_when_close_returns, unix_wire) {
  const std::string path = world.new_path();
  Server server(world.io());
  int closes = 0;
  server.on(event::close, [&] {
    BOOST_TEST(!fs::exists(path));
    if (++closes == 1) server.listen(path, [&] { server.close(); });
  });
  server.listen(path, [&] {
    BOOST_TEST(is_socket(path));
    server.close();
    BOOST_TEST(!fs::exists(path));
  });
  world.run();
  BOOST_TEST(closes == 2);
}

BEHAVIOUR(B37_the_file_is_gone_by_close_awaited, unix_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string path = here.new_path();
    Server server(here.io());
    for (int round = 0; round < 3; ++round) {
      co_await server.async_listen({.path = path});
      BOOST_TEST(is_socket(path));
      co_await server.async_close();
      BOOST_TEST(!fs::exists(path));
    }
  }(world));
}

BEHAVIOUR(B41_ping_pong_end_and_close_as_on_tcp, all_wires) {
  Server server(world.io());
  Recorder recorder;
  server.on(event::connection, [&](Socket socket) {
    recorder.watch(socket, "server", Recorder::Data::ignore);
    socket.on(event::data, [socket](const libnet::Chunk& chunk) mutable {
      BOOST_TEST(chunk.to_string() == "PING");
      socket.write("PONG");
    });
    server.close();
  });
  world.listen(server);
  Socket client(world.io());
  recorder.watch(client, "client", Recorder::Data::ignore);
  int rounds = 0;
  client.on(event::connect, [&] { client.write("PING"); });
  client.on(event::data, [&](const libnet::Chunk& chunk) {
    BOOST_TEST(chunk.to_string() == "PONG");
    if (++rounds < 100) {
      client.write("PING");
    } else {
      client.end();
    }
  });
  world.connect(client, server);
  world.run();
  BOOST_TEST(rounds == 100);
  expect(recorder.of("client"), {"connect", "ready", "finish", "end", "close(false)"});
  expect(recorder.of("server"), {"connect", "ready", "end", "finish", "close(false)"});
}

BEHAVIOUR(B41_destroy_as_on_tcp, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  client.destroy();
  world.run();
  expect(recorder.of("client"), {"close(false)"});
  expect(recorder.of("server"), {"end", "finish", "close(false)"});
}

BEHAVIOUR(B42_a_unix_socket_has_no_addresses_and_no_reset, unix_wire) {
  auto [client, server] = world.pair();
  for (Socket socket : {client, server}) {
    BOOST_TEST(!socket.address().has_value());
    BOOST_TEST(!socket.local_address().has_value());
    BOOST_TEST(!socket.remote_address().has_value());
    error_code thrown;
    try {
      socket.reset();
    } catch (const libnet::SystemError& error) {
      thrown = error.code();
    }
    BOOST_TEST((thrown == Errc::invalid_handle));
    BOOST_TEST(!socket.destroyed());
  }
  Recorder recorder;
  recorder.watch(server, "server");
  client.write("still usable");
  world.run_until([&] { return recorder.received("server") == "still usable"; });
}
