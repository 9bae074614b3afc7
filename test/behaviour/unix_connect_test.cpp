#include <cerrno>
#include <filesystem>
#include <fstream>

#include <dlfcn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Error;
using libnet::Server;
using libnet::Socket;

// Connecting to a path where nothing useful is, and what leaves a corked socket.

namespace {

namespace fs = std::filesystem;

constexpr unsigned unix_wire = static_cast<unsigned>(Wire::unix_path);
constexpr uid_t nobody = 65534;

std::size_t sends = 0;

/// What connecting to `path` comes to.
Error outcome(World& world, const std::string& path) {
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  client.connect(path);
  expect(recorder.log(), {});
  world.run_until([&] { return !recorder.log().empty() && recorder.log().back().starts_with("client:close"); });
  const Error error = client.error();
  expect(recorder.of("client"), {"error(" + error.name() + ")", "close(true)"});
  return error;
}

/// The system treats this process as one of a user who is not root.
class AnotherUser {
 public:
  AnotherUser() {
    if (before_ == 0) BOOST_REQUIRE(::seteuid(nobody) == 0);
  }
  AnotherUser(const AnotherUser&) = delete;
  AnotherUser& operator=(const AnotherUser&) = delete;
  ~AnotherUser() {
    if (::seteuid(before_) != 0) std::abort();
  }

 private:
  uid_t before_ = ::geteuid();
};

}  // namespace

/// These stand in for the system's in this program, and count.
extern "C" {

ssize_t send(int descriptor, const void* data, std::size_t size, int flags) {
  static const auto real =
      reinterpret_cast<ssize_t (*)(int, const void*, std::size_t, int)>(::dlsym(RTLD_NEXT, "send"));
  ++sends;
  return real(descriptor, data, size, flags);
}

ssize_t sendmsg(int descriptor, const msghdr* message, int flags) {
  static const auto real = reinterpret_cast<ssize_t (*)(int, const msghdr*, int)>(::dlsym(RTLD_NEXT, "sendmsg"));
  ++sends;
  return real(descriptor, message, flags);
}
}

BEHAVIOUR(B38_a_path_that_does_not_exist, unix_wire) {
  const std::string path = world.new_path();
  const Error error = outcome(world, path);
  BOOST_TEST(error.name() == "ENOENT");
  BOOST_TEST(error.message() == "connect ENOENT " + path);
  BOOST_TEST(error.operation() == "connect");
  BOOST_TEST(error.path() == path);
}

BEHAVIOUR(B38_a_path_that_does_not_exist_awaited, unix_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string path = here.new_path();
    std::string what;
    try {
      co_await libnet::async_connect(here.io(), {.path = path});
    } catch (const libnet::SystemError& error) {
      what = error.what();
      BOOST_TEST((error.code() == boost::system::errc::no_such_file_or_directory));
    }
    BOOST_TEST(what == "connect ENOENT " + path);
  }(world));
}

BEHAVIOUR(B39_a_regular_file, unix_wire) {
  const std::string path = world.new_path();
  std::ofstream(path) << "no socket";
  const std::string name = outcome(world, path).name();
  BOOST_TEST((name == "ENOTSOCK" || name == "ECONNREFUSED"));
  BOOST_TEST(fs::is_regular_file(path));
}

BEHAVIOUR(B39_a_regular_file_awaited, unix_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string path = here.new_path();
    std::ofstream(path) << "no socket";
    const auto [code] = co_await Socket(here.io()).async_connect({.path = path}, libnet::as_tuple);
    BOOST_TEST((code.value() == ENOTSOCK || code.value() == ECONNREFUSED));
  }(world));
}

BEHAVIOUR(B39_a_socket_file_of_somebody_else, unix_wire) {
  const std::string path = world.new_path();
  fs::permissions(fs::path(path).parent_path(), fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add);
  Server server(world.io());
  int connections = 0;
  server.on(event::connection, [&](const Socket&) { ++connections; });
  server.listen(path);
  const auto connect_as_another_user = [&] {
    const AnotherUser user;
    Socket client(world.io());
    std::string seen;
    client.on(event::connect, [&] { seen = "connected"; });
    client.on(event::error, [&](const Error& error) { seen = error.name(); });
    client.connect(path);
    world.run_until([&] { return !seen.empty(); });
    client.destroy();
    world.settle();
    return seen;
  };
  BOOST_REQUIRE(::chmod(path.c_str(), 0777) == 0);
  BOOST_TEST(connect_as_another_user() == "connected");
  BOOST_REQUIRE(::chmod(path.c_str(), 0) == 0);
  BOOST_TEST(connect_as_another_user() == "EACCES");
  world.settle();
  BOOST_TEST(connections == 1);
}

BEHAVIOUR(B40_corked_writes_leave_as_one, real_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  sends = 0;
  client.cork();
  client.write("pi");
  client.write("ng");
  world.settle();
  BOOST_TEST(sends == 0U);
  client.end();
  world.run();
  BOOST_TEST(sends == 1U);
  expect(recorder.of("server"), {"data(4)", "end", "finish", "close(false)"});
  BOOST_TEST(recorder.received("server") == "ping");
}

BEHAVIOUR(B40_corked_writes_leave_as_one_awaited, real_wires) {
  auto [client, server] = world.pair();
  sends = 0;
  client.cork();
  client.write("pi");
  client.write("ng");
  world.await([](Socket writer, Socket reader) -> asio::awaitable<void> {
    co_await writer.async_end();
    const libnet::Chunk chunk = co_await reader.async_read();
    BOOST_TEST(chunk.to_string() == "ping");
  }(client, server));
  BOOST_TEST(sends == 1U);
}
