#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"

using namespace libnet::test;
using libnet::BoundSocket;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::ListenOptions;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// Listening on a socket that is there already: a descriptor or a BoundSocket.

namespace {

namespace fs = std::filesystem;

constexpr unsigned any_wire = static_cast<unsigned>(Wire::tcp4);
constexpr unsigned unix_wire = static_cast<unsigned>(Wire::unix_path);

/// A place of this wire that nobody else uses.
SocketAddress place(World& world) {
  const ListenOptions options = world.listen_options();
  if (world.is_unix()) return SocketAddress::unix_socket(options.path);
  return SocketAddress::ip(options.host, static_cast<std::uint16_t>(options.port.value_or(0)));
}

RawSocket bound_raw_socket(World& world) {
  const SocketAddress where = place(world);
  RawSocket socket(where.family());
  socket.share_address();
  BOOST_REQUIRE(socket.bind(where) == 0);
  return socket;
}

/// The descriptor is the caller's from now on.
int released(RawSocket socket) {
  const int descriptor = ::fcntl(socket.descriptor(), F_DUPFD_CLOEXEC, 0);
  socket.close();
  return descriptor;
}

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

}  // namespace

BEHAVIOUR(B20_a_descriptor_that_is_no_socket, any_wire) {
  int pipe[2];
  BOOST_REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  const RawSocket datagrams(libnet::Family::ipv4, SOCK_DGRAM);
  const int closed = ::fcntl(pipe[0], F_DUPFD_CLOEXEC, 100);
  ::close(closed);
  for (const int descriptor : {pipe[0], datagrams.descriptor(), closed}) {
    Server server(world.io());
    Recorder recorder;
    recorder.watch(server, "server");
    std::string message;
    server.on(event::error, [&](const Error& error) { message = error.message(); });
    server.listen({.fd = descriptor});
    expect(recorder.log(), {});
    BOOST_TEST(!server.listening());
    world.settle();
    expect(recorder.of("server"), {"error(EINVAL)"});
    BOOST_TEST(message == "listen EINVAL: invalid argument");
    server.close();
    world.settle();
    expect(recorder.of("server"), {"error(EINVAL)", "close"});
  }
  BOOST_TEST(is_open(pipe[0]));
  BOOST_TEST(is_open(datagrams.descriptor()));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

BEHAVIOUR(B20_a_descriptor_that_is_no_socket_awaited, any_wire) {
  int pipe[2];
  BOOST_REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  world.await([](World& here, int descriptor) -> asio::awaitable<void> {
    Server server(here.io());
    std::string what;
    try {
      co_await server.async_listen({.fd = descriptor});
    } catch (const libnet::SystemError& error) {
      what = error.what();
    }
    BOOST_TEST(what == "listen EINVAL: invalid argument");
    const auto [code] = co_await server.async_close(libnet::as_tuple);
    BOOST_TEST((code == Errc::not_running));
  }(world, pipe[0]));
  BOOST_TEST(is_open(pipe[0]));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

BEHAVIOUR(B20_a_connected_socket_is_no_place_to_listen_on, real_wires) {
  auto [client, accepted] = world.pair();
  const int descriptor = ::fcntl(client.native_handle(), F_DUPFD_CLOEXEC, 0);
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.listen_fd(descriptor);
  world.settle();
  expect(recorder.of("server"), {"error(EINVAL)"});
  BOOST_TEST(is_open(descriptor));
  ::close(descriptor);
}

BEHAVIOUR(B201_a_negative_descriptor_is_refused, any_wire) {
  Server server(world.io());
  BOOST_TEST((thrown_by([&] { server.listen({.fd = -1}); }) == Errc::out_of_range));
  BOOST_TEST((thrown_by([&] { server.listen_fd(-2); }) == Errc::out_of_range));
  BOOST_TEST(!server.listening());
  world.await([](Server refused) -> asio::awaitable<void> {
    const auto [code] = co_await refused.async_listen({.fd = -1}, libnet::as_tuple);
    BOOST_TEST((code == Errc::out_of_range));
  }(server));
}

BEHAVIOUR(B21_a_bound_descriptor, real_wires) {
  RawSocket raw = bound_raw_socket(world);
  const SocketAddress address = raw.local_address();
  const int descriptor = released(std::move(raw));
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.listen_fd(descriptor, [&] { recorder.note("server:callback"); });
  BOOST_TEST((server.address() == address));
  BOOST_TEST(server.native_handle() == descriptor);
  expect(recorder.log(), {});
  world.settle();
  expect(recorder.of("server"), {"listening", "callback"});
  expect_serving(world, server);
  server.close();
  BOOST_TEST(!is_open(descriptor));
  world.settle();
  expect(recorder.of("server"), {"listening", "callback", "close"});
}

BEHAVIOUR(B21_a_bound_descriptor_awaited, real_wires) {
  const int descriptor = released(bound_raw_socket(world));
  world.await([](World& here, int fd) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen({.fd = fd});
    Socket client(here.io());
    client.connect(here.connect_options(server));
    Socket accepted = co_await server.async_accept();
    co_await accepted.async_end("here");
    const libnet::Chunk chunk = co_await client.async_read();
    BOOST_TEST(chunk.to_string() == "here");
    client.destroy();
    accepted.destroy();
    co_await server.async_close();
  }(world, descriptor));
  BOOST_TEST(!is_open(descriptor));
}

BEHAVIOUR(B21_a_descriptor_that_listens_already_with_a_client_in_its_backlog, real_wires) {
  RawSocket raw = bound_raw_socket(world);
  BOOST_REQUIRE(raw.listen() == 0);
  RawSocket client(raw.local_address().family());
  BOOST_REQUIRE(client.connect(raw.local_address()) == 0);
  Server server(world.io());
  int connections = 0;
  server.on(event::connection, [&](const Socket&) { ++connections; });
  server.listen_fd(released(std::move(raw)));
  world.run_until([&] { return connections == 1; });
  expect_serving(world, server);
}

BEHAVIOUR(B21_a_bound_socket, real_wires) {
  BoundSocket bound(place(world));
  const SocketAddress address = bound.address().value();
  const int descriptor = bound.native_handle();
  BOOST_TEST(descriptor >= 0);
  BOOST_TEST(probe(address) == ECONNREFUSED);
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.listen(bound, [&] { recorder.note("server:callback"); });
  BOOST_TEST((server.address() == address));
  BOOST_TEST((bound.address() == address));
  BOOST_TEST(server.native_handle() == descriptor);
  BOOST_TEST(bound.native_handle() == -1);
  world.settle();
  expect(recorder.of("server"), {"listening", "callback"});
  expect_serving(world, server);
  server.close();
  BOOST_TEST(!is_open(descriptor));
  BOOST_TEST(probe(address) == ECONNREFUSED);
  world.settle();
  expect(recorder.of("server"), {"listening", "callback", "close"});
}

BEHAVIOUR(B21_a_bound_socket_awaited, real_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    const BoundSocket first(place(here));
    Server server(here.io());
    co_await server.async_listen({.bound = &first});
    BOOST_TEST((server.address() == first.address()));
    const BoundSocket second(place(here));
    Server made = co_await libnet::async_listen(here.io(), {.bound = &second});
    Socket client = co_await libnet::async_connect(here.io(), here.connect_options(made));
    const Socket accepted = co_await made.async_accept();
    BOOST_TEST((made.address() == second.address()));
    const auto [again] = co_await Server(here.io()).async_listen({.bound = &second}, libnet::as_tuple);
    BOOST_TEST((again == Errc::invalid_handle));
  }(world));
}

BEHAVIOUR(B21_a_bound_socket_is_adopted_once, real_wires) {
  BoundSocket bound(place(world));
  Server first(world.io());
  first.listen(bound);
  Server second(world.io());
  BOOST_TEST((thrown_by([&] { second.listen(bound); }) == Errc::invalid_handle));
  first.close();
  BOOST_TEST((thrown_by([&] { first.listen(bound); }) == Errc::invalid_handle));
  BOOST_TEST((thrown_by([&] { second.listen(BoundSocket()); }) == Errc::invalid_handle));
  BoundSocket closed(place(world));
  closed.close();
  BOOST_TEST((thrown_by([&] { second.listen(closed); }) == Errc::invalid_handle));
  BOOST_TEST(!second.listening());
}

BEHAVIOUR(B21_an_address_beside_a_given_socket_is_refused, real_wires) {
  const BoundSocket bound(place(world));
  Server server(world.io());
  const int fd = bound.native_handle();
  for (const ListenOptions& options :
       {ListenOptions{.port = 0, .fd = fd}, ListenOptions{.path = "/nowhere", .fd = fd},
        ListenOptions{.host = "localhost", .bound = &bound}, ListenOptions{.fd = fd, .bound = &bound}}) {
    BOOST_TEST((thrown_by([&] { server.listen(options); }) == Errc::invalid_argument));
  }
  BOOST_TEST(bound.native_handle() == fd);
  server.listen(bound);
  expect_serving(world, server);
}

BEHAVIOUR(B21_listening_that_fails_leaves_the_bound_socket_as_it_was, tcp_wires) {
  const BoundSocket first(place(world), {.reuse_port = true});
  const BoundSocket second(first.address().value(), {.reuse_port = true});
  // Both are bound; as soon as one listens without sharing, the other may not.
  const int off = 0;
  for (const BoundSocket& bound : {first, second}) {
    BOOST_REQUIRE(::setsockopt(bound.native_handle(), SOL_SOCKET, SO_REUSEPORT, &off, sizeof off) == 0);
  }
  Server server(world.io());
  server.listen(first);
  Server late(world.io());
  Recorder recorder;
  recorder.watch(late, "late");
  late.listen(second);
  world.settle();
  expect(recorder.of("late"), {"error(EADDRINUSE)"});
  BOOST_TEST(second.native_handle() >= 0);
  BOOST_TEST(late.error().message() == "listen EADDRINUSE: address already in use " + second.address()->address() +
                                           ":" + std::to_string(second.address()->port()));
  server.close();
  late.listen(second);
  world.settle();
  expect(recorder.of("late"), {"error(EADDRINUSE)", "listening"});
  expect_serving(world, late);
}

BEHAVIOUR(B22_the_owner_of_a_bound_socket_unlinks, unix_wire) {
  const std::string path = world.new_path();
  BoundSocket bound(SocketAddress::unix_socket(path));
  BOOST_TEST(fs::is_socket(path));
  Server server(world.io());
  server.listen(bound);
  server.close();
  world.run();
  BOOST_TEST(fs::is_socket(path));
  bound.close();
  BOOST_TEST(!fs::exists(path));
}

BEHAVIOUR(B22_the_owner_of_a_bound_socket_unlinks_awaited, unix_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const std::string path = here.new_path();
    {
      const BoundSocket bound(SocketAddress::unix_socket(path));
      Server server(here.io());
      co_await server.async_listen({.bound = &bound});
      co_await server.async_close();
      BOOST_TEST(fs::is_socket(path));
    }
    BOOST_TEST(!fs::exists(path));
  }(world));
}

BEHAVIOUR(B22_the_owner_may_close_first, unix_wire) {
  const std::string path = world.new_path();
  BoundSocket bound(SocketAddress::unix_socket(path));
  Server server(world.io());
  server.listen(bound);
  bound.close();
  BOOST_TEST(!fs::exists(path));
  BOOST_TEST(!bound.address().has_value());
  BOOST_TEST(server.listening());
  BOOST_TEST(server.address().value().address() == path);
  Server next(world.io());
  next.listen(path);
  server.close();
  BOOST_TEST(fs::is_socket(path));
  expect_serving(world, next);
}

BEHAVIOUR(B22_a_server_that_has_the_last_handle_unlinks, unix_wire) {
  const std::string path = world.new_path();
  Server server(world.io());
  server.listen(BoundSocket(SocketAddress::unix_socket(path)));
  BOOST_TEST(fs::is_socket(path));
  expect_serving(world, server);
  server.close();
  BOOST_TEST(!fs::exists(path));
}

BEHAVIOUR(B22_the_file_of_a_given_descriptor_stays, unix_wire) {
  const std::string path = world.new_path();
  RawSocket owner(libnet::Family::unix_path);
  BOOST_REQUIRE(owner.bind(SocketAddress::unix_socket(path)) == 0);
  Server server(world.io());
  server.listen_fd(::fcntl(owner.descriptor(), F_DUPFD_CLOEXEC, 0));
  expect_serving(world, server);
  server.close();
  BOOST_TEST(fs::is_socket(path));
}
