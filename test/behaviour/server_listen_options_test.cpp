#include <cerrno>
#include <filesystem>
#include <stop_token>
#include <thread>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"
#include "support/visitor.hpp"

using namespace libnet::test;
using libnet::BoundSocket;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Family;
using libnet::ListenOptions;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// What the options of listen() do.

namespace {

namespace fs = std::filesystem;
using namespace std::string_view_literals;

constexpr unsigned any_wire = static_cast<unsigned>(Wire::tcp4) | static_cast<unsigned>(Wire::memory);
constexpr unsigned unix_wire = static_cast<unsigned>(Wire::unix_path);

int last_backlog = -1;
bool system_can_share_ports = true;

fs::perms others(const std::string& path) {
  return fs::status(path).permissions() & (fs::perms::others_read | fs::perms::others_write);
}

/// Takes all permissions from new files.
class StrictMask {
 public:
  StrictMask() : before_(::umask(0777)) {}
  StrictMask(const StrictMask&) = delete;
  StrictMask& operator=(const StrictMask&) = delete;
  ~StrictMask() { ::umask(before_); }

 private:
  mode_t before_;
};

}  // namespace

/// These stand in for the system's in this program.
extern "C" {

int listen(int descriptor, int backlog) noexcept {
  static const auto real = reinterpret_cast<int (*)(int, int)>(::dlsym(RTLD_NEXT, "listen"));
  last_backlog = backlog;
  return real(descriptor, backlog);
}

int setsockopt(int descriptor, int level, int name, const void* value, socklen_t length) noexcept {
  using Function = int (*)(int, int, int, const void*, socklen_t);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "setsockopt"));
  if (level != SOL_SOCKET || name != SO_REUSEPORT || system_can_share_ports) {
    return real(descriptor, level, name, value, length);
  }
  errno = EOPNOTSUPP;
  return -1;
}
}

BEHAVIOUR(B15_B16_an_address_that_is_not_local, any_wire) {
  Server server(world.io());
  Error seen;
  server.on(event::error, [&](const Error& error) { seen = error; });
  server.on(event::listening, [] { BOOST_ERROR("it listens"); });
  server.listen(1, "1.1.1.1");
  BOOST_TEST(!seen);
  world.run();
  BOOST_TEST((seen.name() == "EADDRNOTAVAIL" || seen.name() == "EACCES"));
  BOOST_TEST(seen.operation() == "listen");
  BOOST_TEST((seen.local_address() == SocketAddress::ip("1.1.1.1", 1)));
  const std::string why = seen.name() == "EACCES" ? "permission denied" : "cannot assign requested address";
  BOOST_TEST(seen.message() == "listen " + seen.name() + ": " + why + " 1.1.1.1:1");
}

BEHAVIOUR(B15_B16_an_address_that_is_not_local_awaited, any_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    std::string what;
    try {
      co_await libnet::async_listen(here.io(), {.host = "1.1.1.1", .port = 1});
    } catch (const libnet::SystemError& error) {
      what = error.what();
      BOOST_TEST((error.error().local_address() == SocketAddress::ip("1.1.1.1", 1)));
    }
    BOOST_TEST(what.starts_with("listen E"));
    BOOST_TEST(what.ends_with(" 1.1.1.1:1"));
  }(world));
}

BEHAVIOUR(B17_the_backlog, real_wires) {
  Server server(world.io());
  const auto backlog_of = [&](const auto& listen) {
    last_backlog = -1;
    listen();
    server.close();
    return last_backlog;
  };
  ListenOptions options = world.listen_options();
  const std::string host(options.host);
  BOOST_TEST(backlog_of([&] { server.listen(options); }) == 511);
  options.backlog = 17;
  BOOST_TEST(backlog_of([&] { server.listen(options); }) == 17);
  if (world.is_tcp()) {
    BOOST_TEST(backlog_of([&] { server.listen(0, host); }) == 511);
    BOOST_TEST(backlog_of([&] { server.listen(0, host, 18); }) == 18);
    BOOST_TEST(backlog_of([&] { server.listen(0, host, 20, [] {}); }) == 20);
    BOOST_TEST(backlog_of([&] { server.listen(0, host, [] {}); }) == 511);
    BOOST_TEST(backlog_of([&] { server.listen(0, 21); }) == 21);
    BOOST_TEST(backlog_of([&] { server.listen(0, [] {}); }) == 511);
  } else {
    BOOST_TEST(backlog_of([&] { server.listen(options.path, 18); }) == 18);
    BOOST_TEST(backlog_of([&] { server.listen(options.path, 20, [] {}); }) == 20);
    BOOST_TEST(backlog_of([&] { server.listen(options.path, [] {}); }) == 511);
    BOOST_TEST(backlog_of([&] { server.listen(BoundSocket(SocketAddress::unix_socket(options.path)), 19); }) == 19);
  }
  world.run();
}

BEHAVIOUR(B17_the_backlog_awaited, real_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    ListenOptions options = here.listen_options();
    for (const int backlog : {511, 17}) {
      if (backlog != 511) options.backlog = backlog;
      last_backlog = -1;
      co_await server.async_listen(options);
      BOOST_TEST(last_backlog == backlog);
      co_await server.async_close();
    }
  }(world));
}

BEHAVIOUR(B17_a_socket_that_listens_already_keeps_its_backlog, real_wires) {
  Server first(world.io());
  world.listen(first);
  last_backlog = -1;
  Server second(world.io());
  second.listen(first);
  BOOST_TEST(last_backlog == -1);
  BOOST_TEST(second.listening());
}

BEHAVIOUR(B18_ipv6_only_leaves_ipv4_to_others, static_cast<unsigned>(Wire::tcp4)) {
  const std::string ipv4 = "127.0.18.1";  // programs that run side by side may use the same port of 127.0.0.1
  for (const bool bound_before : {false, true}) {
    Server server(world.io());
    if (bound_before) {
      server.listen(BoundSocket(SocketAddress::ip("::", 0), {.ipv6_only = true}));
    } else {
      server.listen({.host = "::", .port = 0, .ipv6_only = true});
    }
    const std::uint16_t port = server.address()->port();
    BOOST_TEST(probe(world, SocketAddress::ip("::1", port)) == 0);
    BOOST_TEST(probe(world, SocketAddress::ip(ipv4, port)) == ECONNREFUSED);
    Server other(world.io());
    other.listen(port, ipv4);
    BOOST_TEST(other.listening());
  }
  Server both(world.io());
  both.listen({.host = "::", .port = 0});
  BOOST_TEST(probe(world, SocketAddress::ip(ipv4, both.address()->port())) == 0);
}

BEHAVIOUR(B19_two_servers_share_a_port, tcp_wires) {
  const std::string host = world.wire() == Wire::tcp4 ? "127.0.0.1" : "::";
  Server first(world.io());
  first.listen({.host = host, .port = 0, .reuse_port = true});
  const int port = first.address()->port();
  Server second(world.io());
  Recorder recorder;
  recorder.watch(second, "second");
  second.listen({.host = host, .port = port, .reuse_port = true});
  world.settle();
  expect(recorder.of("second"), {"listening"});
  BOOST_TEST((second.address() == first.address()));
  const BoundSocket third(first.address().value(), {.reuse_port = true});
  BOOST_TEST((third.address() == first.address()));
  Server unwilling(world.io());
  recorder.watch(unwilling, "unwilling");
  unwilling.listen(port, host);
  world.settle();
  expect(recorder.of("unwilling"), {"error(EADDRINUSE)"});
}

BEHAVIOUR(B19_two_servers_share_a_port_awaited, ip_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string host = here.wire() == Wire::tcp4 ? "127.0.0.1" : "::";
    const Server first = co_await libnet::async_listen(here.io(), {.host = host, .port = 0, .reuse_port = true});
    const int port = first.address()->port();
    const Server second = co_await libnet::async_listen(here.io(), {.host = host, .port = port, .reuse_port = true});
    BOOST_TEST((second.address() == first.address()));
  }(world));
}

BEHAVIOUR(B19_where_ports_cannot_be_shared_it_is_an_error, tcp_wires) {
  system_can_share_ports = false;
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  ListenOptions options = world.listen_options();
  options.reuse_port = true;
  server.listen(options);
  world.settle();
  system_can_share_ports = true;
  const std::vector<std::string> found = recorder.of("server");
  BOOST_REQUIRE(found.size() == 1U);
  BOOST_TEST((found[0] == "error(EOPNOTSUPP)" || found[0] == "error(ENOTSUP)"));  // one number on Linux
}

BEHAVIOUR(B27_a_stop_after_the_call_closes_the_server, all_wires) {
  std::stop_source source;
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  {
    const std::stop_token token = source.get_token();
    ListenOptions options = world.listen_options();
    options.stop = &token;
    server.listen(options);
  }
  world.settle();
  BOOST_TEST(server.listening());
  const SocketAddress address = server.address().value();
  source.request_stop();
  world.run();
  BOOST_TEST(!server.listening());
  BOOST_TEST(probe(world, address) != 0);
  expect(recorder.of("server"), {"listening", "close"});
}

BEHAVIOUR(B27_a_stop_before_the_call, all_wires) {
  std::stop_source source;
  source.request_stop();
  const std::stop_token token = source.get_token();
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  ListenOptions options = world.listen_options();
  options.stop = &token;
  server.listen(options, [] { BOOST_ERROR("called"); });
  BOOST_TEST(!server.listening());
  expect(recorder.log(), {});
  world.run();
  expect(recorder.of("server"), {"close"});
  options.stop = nullptr;
  server.listen(options);
  expect_serving(world, server);
}

BEHAVIOUR(B27_a_stop_from_another_thread, real_wires) {
  std::stop_source source;
  const std::stop_token token = source.get_token();
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  ListenOptions options = world.listen_options();
  options.stop = &token;
  server.listen(options);
  std::jthread stopper;
  server.once(event::listening, [&] { stopper = std::jthread([&source] { source.request_stop(); }); });
  world.run();
  expect(recorder.of("server"), {"listening", "close"});
}

BEHAVIOUR(B27_a_stop_awaited, all_wires) {
  std::stop_source source;
  const std::stop_token token = source.get_token();
  world.await([](World& here, std::stop_source stop, const std::stop_token* stopped) -> asio::awaitable<void> {
    Server server(here.io());
    ListenOptions options = here.listen_options();
    options.stop = stopped;
    co_await server.async_listen(options);
    stop.request_stop();
    const auto [code, socket] = co_await server.async_accept(libnet::as_tuple);
    BOOST_TEST((code == asio::error::operation_aborted));
    co_await server.async_wait(event::close);
    const auto [again] = co_await server.async_listen(options, libnet::as_tuple);
    BOOST_TEST((again == asio::error::operation_aborted));
    BOOST_TEST(!server.listening());
  }(world, source, &token));
}

BEHAVIOUR(B28_ports_outside_the_range, any_wire) {
  Server server(world.io());
  for (const int port : {-1, 65536, 1 << 20}) {
    BOOST_TEST((thrown_by([&] { server.listen(port); }) == Errc::bad_port));
    BOOST_TEST((thrown_by([&] { server.listen({.host = "127.0.0.1", .port = port}); }) == Errc::bad_port));
    BOOST_TEST((thrown_by([&] { server.listen({.port = port, .path = "/nowhere"}); }) == Errc::bad_port));
  }
  BOOST_TEST(!server.listening());
  const std::string path = world.new_path();
  server.listen({.host = "127.0.0.1", .port = 0, .path = path});
  BOOST_TEST(server.address()->family_name() == "IPv4");
  BOOST_TEST(!fs::exists(path));
  expect_serving(world, server);
}

BEHAVIOUR(B28_ports_outside_the_range_awaited, any_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    for (const int port : {-1, 65536}) {
      const auto [code] = co_await Server(here.io()).async_listen({.port = port}, libnet::as_tuple);
      BOOST_TEST((code == Errc::bad_port));
    }
  }(world));
}

BEHAVIOUR(B32_the_socket_file_is_open_to_all, unix_wire) {
  const StrictMask strict;
  const auto permissions = [&](ListenOptions options) {
    const std::string path = world.new_path();
    Server server(world.io());
    options.path = path;
    server.listen(options);
    BOOST_TEST(server.listening());
    return others(path);
  };
  using fs::perms;
  BOOST_TEST((permissions({}) == perms::none));
  BOOST_TEST((permissions({.readable_all = true}) == perms::others_read));
  BOOST_TEST((permissions({.writable_all = true}) == perms::others_write));
  BOOST_TEST((permissions({.readable_all = true, .writable_all = true}) == (perms::others_read | perms::others_write)));
}

BEHAVIOUR(B32_the_socket_file_is_open_to_all_awaited, unix_wire) {
  const StrictMask strict;
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string path = here.new_path();
    Server server(here.io());
    co_await server.async_listen({.path = path, .readable_all = true, .writable_all = true});
    BOOST_TEST((others(path) == (fs::perms::others_read | fs::perms::others_write)));
    co_await server.async_close();
    BOOST_TEST(!fs::exists(path));
    const BoundSocket bound(SocketAddress::unix_socket(path));
    BOOST_TEST((others(path) == fs::perms::none));
    co_await server.async_listen({.bound = &bound, .writable_all = true});
    BOOST_TEST((others(path) == fs::perms::others_write));
  }(world));
}

BEHAVIOUR(B33_an_abstract_name_has_no_permissions, unix_wire) {
  Server server(world.io());
  const std::string name = '\0' + world.new_path();
  const BoundSocket bound(SocketAddress::unix_socket(name));
  for (const ListenOptions& options :
       {ListenOptions{.path = name, .readable_all = true}, ListenOptions{.path = name, .writable_all = true},
        ListenOptions{.bound = &bound, .writable_all = true}}) {
    BOOST_TEST((thrown_by([&] { server.listen(options); }) == Errc::invalid_argument));
  }
  BOOST_TEST(!server.listening());
  world.await([](Server refused, const std::string& path) -> asio::awaitable<void> {
    const auto [code] = co_await refused.async_listen({.path = path, .readable_all = true}, libnet::as_tuple);
    BOOST_TEST((code == Errc::invalid_argument));
  }(server, name));
}

BEHAVIOUR(B30_an_abstract_name_is_an_address, unix_wire) {
  const std::string path = world.new_path();
  const std::string name = '\0' + path + std::string("\0inside", 7);
  Server server(world.io());
  server.listen(name);
  const SocketAddress address = server.address().value();
  BOOST_TEST((address.address() == name));
  BOOST_TEST((SocketAddress::parse(address.to_string()) == address));
  BOOST_TEST(address.to_string().starts_with("unix:@" + path));
  BOOST_TEST(!fs::exists(path));
  expect_serving(world, server);
  Server late(world.io());
  Error seen;
  late.on(event::error, [&](const Error& error) { seen = error; });
  late.listen({.path = name});
  world.settle();
  BOOST_TEST(seen.name() == "EADDRINUSE");
  BOOST_TEST((seen.local_address() == address));
  BOOST_TEST(seen.message().starts_with("listen EADDRINUSE: address already in use @" + path));
  server.close();
  late.listen({.path = name});
  BOOST_TEST(late.listening());
}

BEHAVIOUR(B31_an_abstract_name_awaited, unix_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string name = '\0' + here.new_path();
    Server server = co_await libnet::async_listen(here.io(), {.path = name});
    Socket client(here.io());
    bool connected = false;
    client.connect(server.address().value(), [&connected] { connected = true; });
    Socket accepted = co_await server.async_accept();
    co_await accepted.async_end("by name");
    const libnet::Chunk chunk = co_await client.async_read();
    BOOST_TEST(chunk.to_string() == "by name");
    BOOST_TEST(connected);
    server.close();
    const auto [code] = co_await Socket(here.io()).async_connect({.path = name}, libnet::as_tuple);
    BOOST_TEST((code == boost::system::errc::connection_refused));
  }(world));
}
