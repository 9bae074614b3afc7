#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/system_executor.hpp>

#include "support/allocation_fault.hpp"
#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"
#include "support/socket_pair.hpp"

using namespace libnet::test;
using libnet::BoundSocket;
using libnet::ConnectOptions;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Family;
using libnet::ReadyState;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// Sockets that have an address before they do something, and sockets made from descriptors.

namespace {

namespace fs = std::filesystem;

constexpr unsigned any_wire = static_cast<unsigned>(Wire::tcp4);
constexpr unsigned unix_wire = static_cast<unsigned>(Wire::unix_path);

template <class Call>
Error error_thrown_by(Call call) {
  try {
    call();
  } catch (const libnet::SystemError& error) {
    return error.error();
  }
  return {};
}

SocketAddress place(World& world) {
  const libnet::ListenOptions options = world.listen_options();
  if (world.is_unix()) return SocketAddress::unix_socket(options.path);
  return SocketAddress::ip(options.host, 0);
}

/// Whom the kernel names at the other end of `socket`; a Socket itself tells no Unix names.
std::optional<SocketAddress> peer_of(const Socket& socket) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* native = reinterpret_cast<sockaddr*>(&storage);
  if (::getpeername(socket.native_handle(), native, &length) != 0) return std::nullopt;
  return SocketAddress::from_native(native, length);
}

bool is_open(int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; }

/// A listening server and the socket it accepts next.
struct Listener {
  explicit Listener(World& world) : server(world.io()) {
    server.on(event::connection, [this](Socket socket) { accepted = std::move(socket); });
    world.listen(server);
  }
  bool has_accepted() const { return accepted.native_handle() >= 0; }

  Server server;
  Socket accepted;
};

}  // namespace

// --- BoundSocket ---------------------------------------------------------------------------------------------------

BEHAVIOUR(a_bound_socket_has_its_address_at_once, real_wires) {
  const SocketAddress asked = place(world);
  BoundSocket bound(asked);
  const SocketAddress address = bound.address().value();
  BOOST_TEST(address.address() == asked.address());
  if (world.is_tcp()) BOOST_TEST(address.port() > 100);
  const int descriptor = bound.native_handle();
  BOOST_TEST(is_open(descriptor));
  const BoundSocket copy = bound;
  BOOST_TEST((copy == bound));
  bound.close();
  BOOST_TEST(!is_open(descriptor));
  BOOST_TEST(copy.native_handle() == -1);
  BOOST_TEST(!copy.address().has_value());
  bound.close();
  const BoundSocket again(address);
  BOOST_TEST((again.address() == address));
}

BEHAVIOUR(a_bound_socket_goes_with_its_last_handle, real_wires) {
  auto bound = std::make_unique<BoundSocket>(place(world));
  auto copy = std::make_unique<BoundSocket>(*bound);
  const int descriptor = bound->native_handle();
  const std::string path = world.is_unix() ? bound->address()->address() : "";
  bound.reset();
  BOOST_TEST(is_open(descriptor));
  copy.reset();
  BOOST_TEST(!is_open(descriptor));
  BOOST_TEST(!fs::exists(path));
}

BEHAVIOUR(a_bound_socket_that_cannot_be_had_throws, real_wires) {
  const BoundSocket first(place(world));
  Server server(world.io());
  server.listen(first);
  const SocketAddress taken = first.address().value();
  const std::size_t before = open_descriptors();
  const Error error = error_thrown_by([&] { const BoundSocket second(taken); });
  BOOST_TEST(error.name() == "EADDRINUSE");
  BOOST_TEST(error.operation() == "bind");
  BOOST_TEST((error.local_address() == taken));
  BOOST_TEST(error.message() ==
             "bind EADDRINUSE " + taken.address() + (world.is_tcp() ? ":" + std::to_string(taken.port()) : ""));
  BOOST_TEST(open_descriptors() == before);
}

BEHAVIOUR(R81_a_bound_socket_removes_only_its_own_file, unix_wire) {
  const std::string path = world.new_path();
  BoundSocket bound(SocketAddress::unix_socket(path));
  fs::remove(path);
  std::ofstream(path) << "somebody else's";
  bound.close();
  BOOST_TEST(fs::is_regular_file(path));
  BOOST_TEST(error_thrown_by([&] { const BoundSocket second(SocketAddress::unix_socket(path)); }).name() ==
             "EADDRINUSE");
  BOOST_TEST(fs::is_regular_file(path));
}

BEHAVIOUR(R81_a_bound_socket_replaces_a_stale_file, unix_wire) {
  const std::string path = world.new_path();
  {
    RawSocket crashed(Family::unix_path);
    BOOST_REQUIRE(crashed.bind(SocketAddress::unix_socket(path)) == 0);
    BOOST_REQUIRE(crashed.listen() == 0);
  }
  Server server(world.io());
  server.listen(BoundSocket(SocketAddress::unix_socket(path)));
  BOOST_TEST(probe(SocketAddress::unix_socket(path)) == 0);
}

BEHAVIOUR(B36_a_bound_socket_with_a_path_that_is_too_long_throws, unix_wire) {
  const std::string path(10000, 'x');
  BOOST_TEST(error_thrown_by([&] { const BoundSocket bound(SocketAddress::unix_socket(path)); }).name() == "EINVAL");
}

BEHAVIOUR(an_unnamed_bound_socket_gets_an_abstract_name, unix_wire) {
  const BoundSocket bound(SocketAddress::unix_socket(""));
  const SocketAddress address = bound.address().value();
  BOOST_TEST(address.to_string().starts_with("unix:@"));
  Server server(world.io());
  server.listen(bound);
  BOOST_TEST((server.address() == address));
  BOOST_TEST(probe(address) == 0);
}

// --- as a client's source ------------------------------------------------------------------------------------------

BEHAVIOUR(B74_a_client_connects_from_a_bound_socket, real_wires) {
  Listener listener(world);
  BoundSocket source(place(world));
  const SocketAddress address = source.address().value();
  const int descriptor = source.native_handle();
  Socket client(world.io());
  ConnectOptions options = world.connect_options(listener.server);
  options.bound = &source;
  client.connect(options);
  world.run_until([&] { return listener.has_accepted() && !client.connecting(); });
  BOOST_TEST(client.native_handle() == descriptor);
  BOOST_TEST(source.native_handle() == -1);
  BOOST_TEST((peer_of(listener.accepted) == address));
  if (world.is_tcp()) BOOST_TEST((client.local_address() == address));
  BOOST_TEST((error_thrown_by([&] { Socket(world.io()).connect(options); }).code() == Errc::invalid_handle));
  client.destroy();
  BOOST_TEST(!is_open(descriptor));
}

BEHAVIOUR(B74_a_client_connects_from_a_bound_socket_awaited, real_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server = co_await libnet::async_listen(here.io(), here.listen_options());
    const BoundSocket source(place(here));
    ConnectOptions options = here.connect_options(server);
    options.bound = &source;
    const Socket client = co_await libnet::async_connect(here.io(), options);
    const Socket accepted = co_await server.async_accept();
    BOOST_TEST((peer_of(accepted) == source.address()));
    Socket again(here.io());
    const auto [code] = co_await again.async_connect(options, libnet::as_tuple);
    BOOST_TEST((code == Errc::invalid_handle));
  }(world));
}

BEHAVIOUR(B72_a_refused_connect_names_the_bound_address, tcp_wires) {
  const BoundSocket source(place(world));
  const SocketAddress address = source.address().value();
  ConnectOptions options = world.refusing_options();
  options.bound = &source;
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  client.connect(options);
  world.run();
  expect(recorder.of("client"), {"error(ECONNREFUSED)", "close(true)"});
  BOOST_TEST((client.error().local_address() == address));
  const std::string expected = " - Local (" + address.address() + ":" + std::to_string(address.port()) + ")";
  BOOST_TEST(client.error().message().ends_with(expected));
  BOOST_TEST(source.native_handle() == -1);
}

BEHAVIOUR(B74_of_a_name_the_address_of_the_bound_family_is_taken, any_wire) {
  Listener listener(world);
  const BoundSocket source(place(world));
  Socket client(world.io());
  client.connect({.host = "localhost", .port = listener.server.address()->port(), .bound = &source});
  world.run_until([&] { return listener.has_accepted(); });
  BOOST_TEST((peer_of(listener.accepted) == source.address()));
}

BEHAVIOUR(a_source_of_another_family_is_refused, real_wires) {
  const BoundSocket source(place(world));
  const std::string other = world.wire() == Wire::tcp4 ? "::1" : "127.0.0.1";
  Socket client(world.io());
  const auto refused = [&](const ConnectOptions& options) {
    return error_thrown_by([&] { client.connect(options); }).code();
  };
  BOOST_TEST((refused({.host = other, .port = 1, .bound = &source}) == Errc::address_family));
  if (world.is_tcp()) {
    const int family = world.wire() == Wire::tcp4 ? 6 : 4;
    BOOST_TEST((refused({.path = "/nowhere", .bound = &source}) == Errc::address_family));
    BOOST_TEST((refused({.port = 1, .family = family, .bound = &source}) == Errc::address_family));
    BOOST_TEST((refused({.port = 1, .local_port = 1, .bound = &source}) == Errc::invalid_argument));
  }
  BOOST_TEST(source.native_handle() >= 0);
  BOOST_TEST((client.ready_state() == ReadyState::open));
}

BEHAVIOUR(a_source_is_kept_while_the_backlog_of_a_path_is_full, unix_wire) {
  const SocketAddress address = SocketAddress::unix_socket(world.new_path());
  RawSocket listener(Family::unix_path);
  BOOST_REQUIRE(listener.bind(address) == 0);
  BOOST_REQUIRE(listener.listen() == 0);
  std::vector<RawSocket> waiting;
  do {
    waiting.emplace_back(Family::unix_path, SOCK_STREAM | SOCK_NONBLOCK);
  } while (waiting.back().connect(address) == 0);
  BOOST_TEST(waiting.size() > 1U);
  const BoundSocket source(SocketAddress::unix_socket(world.new_path()));
  const int descriptor = source.native_handle();
  const std::string path = address.address();
  Socket client(world.io());
  client.connect({.path = path, .bound = &source});
  world.settle();
  BOOST_TEST(client.connecting());
  BOOST_TEST(is_open(descriptor));
  for (std::size_t i = 1; i < waiting.size(); ++i) ::close(::accept(listener.descriptor(), nullptr, nullptr));
  world.run_until([&] { return !client.connecting(); });
  BOOST_TEST(client.native_handle() == descriptor);
}

BEHAVIOUR(the_file_of_a_client_lasts_as_long_as_its_connection, unix_wire) {
  Listener listener(world);
  const std::string path = world.new_path();
  Socket client(world.io());
  {
    const BoundSocket source(SocketAddress::unix_socket(path));
    ConnectOptions options = world.connect_options(listener.server);
    options.bound = &source;
    client.connect(options);
  }
  world.run_until([&] { return listener.has_accepted() && !client.connecting(); });
  BOOST_TEST(fs::is_socket(path));
  client.destroy();
  BOOST_TEST(!fs::exists(path));
}

// --- SocketOptions::fd ---------------------------------------------------------------------------------------------

BEHAVIOUR(B87_connect_uses_the_bound_descriptor, real_wires) {
  Listener listener(world);
  const SocketAddress name = place(world);
  RawSocket raw(name.family());
  BOOST_REQUIRE(raw.bind(name) == 0);
  const SocketAddress local = raw.local_address();
  const int descriptor = ::fcntl(raw.descriptor(), F_DUPFD_CLOEXEC, 0);
  raw.close();
  Socket client(world.io(), {.fd = descriptor});
  BOOST_TEST(client.pending());
  BOOST_TEST(client.readable());
  BOOST_TEST(client.writable());
  BOOST_TEST(client.native_handle() == descriptor);
  Recorder recorder;
  recorder.watch(client, "client");
  world.connect(client, listener.server);
  world.run_until([&] { return listener.has_accepted() && !client.connecting(); });
  expect(recorder.of("client"), {"connect", "ready"});
  BOOST_TEST(client.native_handle() == descriptor);
  BOOST_TEST((peer_of(listener.accepted) == local));
  listener.accepted.end("for you");
  world.run_until([&] { return recorder.count("client:close(false)") == 1; });
  BOOST_TEST(recorder.received("client") == "for you");
  BOOST_TEST(!is_open(descriptor));
}

BEHAVIOUR(B87_connect_uses_the_bound_descriptor_awaited, real_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server = co_await libnet::async_listen(here.io(), here.listen_options());
    const SocketAddress name = place(here);
    RawSocket raw(name.family());
    BOOST_REQUIRE(raw.bind(name) == 0);
    const SocketAddress local = raw.local_address();
    Socket client(here.io(), {.fd = ::fcntl(raw.descriptor(), F_DUPFD_CLOEXEC, 0)});
    raw.close();
    co_await client.async_connect(here.connect_options(server));
    const Socket accepted = co_await server.async_accept();
    BOOST_TEST((peer_of(accepted) == local));
    co_await client.async_close();
    co_await client.async_connect(here.connect_options(server));
    const Socket second = co_await server.async_accept();
    if (here.is_unix()) BOOST_TEST(peer_of(second).value().address().empty());
  }(world));
}

BEHAVIOUR(B87_an_unconnected_descriptor_goes_with_its_socket, real_wires) {
  const SocketAddress name = place(world);
  for (const bool destroyed : {true, false}) {
    const int descriptor = ::fcntl(RawSocket(name.family()).descriptor(), F_DUPFD_CLOEXEC, 0);
    {
      Socket socket(world.io(), {.fd = descriptor});
      BOOST_TEST(is_open(descriptor));
      if (destroyed) socket.destroy();
    }
    world.run();  // beside other threads a handle that goes is told to the loop
    BOOST_TEST(!is_open(descriptor));
  }
}

BEHAVIOUR(B201_sockets_from_descriptors_are_readable_and_writable, any_wire) {
  for (const auto make : {&tcp_pair, &unix_pair}) {
    const auto [left, right] = make();
    Socket first(world.io(), {.fd = left});
    Socket second(world.io(), {.fd = right});
    for (const Socket& socket : {first, second}) {
      BOOST_TEST(socket.readable());
      BOOST_TEST(socket.writable());
      BOOST_TEST(!socket.pending());
      BOOST_TEST((socket.ready_state() == ReadyState::open));
    }
    Recorder recorder;
    recorder.watch(first, "first");
    recorder.watch(second, "second");
    first.end("to the second");
    second.end("to the first");
    world.run();
    BOOST_TEST(recorder.received("first") == "to the first");
    BOOST_TEST(recorder.received("second") == "to the second");
    BOOST_TEST(recorder.count("first:close(false)") == 1u);
    BOOST_TEST(recorder.count("second:close(false)") == 1u);
  }
}

BEHAVIOUR(B201_sockets_from_descriptors_awaited, any_wire) {
  for (const auto make : {&tcp_pair, &unix_pair}) {
    const auto [left, right] = make();
    world.await([](Socket first, Socket second) -> asio::awaitable<void> {
      co_await first.async_write("there");
      const libnet::Chunk there = co_await second.async_read();
      BOOST_TEST(there.to_string() == "there");
      co_await second.async_end("and back");
      const libnet::Chunk back = co_await first.async_read();
      BOOST_TEST(back.to_string() == "and back");
    }(Socket(world.io(), {.fd = left}), Socket(world.io(), {.fd = right})));
  }
}

BEHAVIOUR(B201_what_is_no_stream_socket_is_refused, any_wire) {
  const auto refused = [&](int fd) { return error_thrown_by([&] { Socket(world.io(), {.fd = fd}); }).code(); };
  BOOST_TEST((refused(-1) == Errc::out_of_range));
  int pipe[2];
  BOOST_REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  BOOST_TEST((refused(pipe[0]) == Errc::invalid_handle));
  const RawSocket datagrams(Family::ipv4, SOCK_DGRAM);
  BOOST_TEST((refused(datagrams.descriptor()) == Errc::invalid_handle));
  Server server(world.io());
  world.listen(server);
  BOOST_TEST((refused(server.native_handle()) == Errc::invalid_handle));
  BOOST_TEST(server.listening());
  for (const int fd : {pipe[0], datagrams.descriptor()}) BOOST_TEST(is_open(fd));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

BEHAVIOUR(B201_a_descriptor_whose_peer_is_gone_is_not_taken_for_an_unconnected_one, any_wire) {
  for (const bool reset : {true, false}) {
    auto [left, right] = tcp_pair();
    if (reset) {
      const linger discard{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(right, SOL_SOCKET, SO_LINGER, &discard, sizeof discard);
    }
    ::close(right);
    Socket socket(world.io(), {.fd = left});
    BOOST_TEST(!socket.pending());
    Recorder recorder;
    recorder.watch(socket, "socket");
    world.run();
    if (reset) {
      expect(recorder.of("socket"), {"connect", "ready", "error(ECONNRESET)", "close(true)"});
    } else {
      expect(recorder.of("socket"), {"connect", "ready", "end", "finish", "close(false)"});
    }
  }
}

// --- constructors that throw -----------------------------------------------------------------------------------------

namespace {

bool is_blocking(int descriptor) { return (::fcntl(descriptor, F_GETFL) & O_NONBLOCK) == 0; }

void make_blocking(int descriptor) { ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) & ~O_NONBLOCK); }

}  // namespace

BEHAVIOUR(B279_what_a_constructor_refuses_is_as_it_was, any_wire) {
  int pipe[2];
  BOOST_REQUIRE(::pipe2(pipe, O_CLOEXEC) == 0);
  const RawSocket datagrams(Family::ipv4, SOCK_DGRAM);
  const RawSocket packets(Family::unix_path, SOCK_SEQPACKET);
  RawSocket listening(Family::ipv4);
  BOOST_REQUIRE(listening.bind(SocketAddress::ip("127.0.0.1", 0)) == 0);
  BOOST_REQUIRE(listening.listen() == 0);
  const int file = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const auto [left, right] = tcp_pair();
  make_blocking(left);
  const RawSocket fresh(Family::ipv4);
  const auto refused = [&](const libnet::SocketOptions& options) {
    BOOST_TEST(thrown_by([&] { Socket(world.io(), options); }));
    BOOST_TEST(is_open(*options.fd));
    BOOST_TEST(is_blocking(*options.fd));
  };
  for (const int fd : {pipe[0], datagrams.descriptor(), packets.descriptor(), listening.descriptor(), file}) {
    refused({.fd = fd});
  }
  for (const int fd : {left, fresh.descriptor()}) {
    refused({.low_water_mark = 1'000'000, .fd = fd});
    refused({.type_of_service = 256, .fd = fd});
    BOOST_CHECK_THROW(Socket(asio::system_executor(), {.fd = fd}), std::invalid_argument);
    BOOST_TEST(is_blocking(fd));
  }
  for (const int fd : {pipe[0], pipe[1], file, left, right}) ::close(fd);
}

BEHAVIOUR(B279_the_descriptor_of_another_socket_stays_its_own, any_wire) {
  for (const auto make : {&tcp_pair, &unix_pair}) {
    const auto [left, right] = make();
    Socket first(world.io(), {.fd = left});
    Socket second(world.io(), {.fd = right});
    world.settle();
    for (const Socket& owner : {first, second}) {
      const Error error = error_thrown_by([&] { Socket(world.io(), {.fd = owner.native_handle()}); });
      BOOST_TEST(error.name() == "EEXIST");
      BOOST_TEST(error.operation() == "open");
    }
    std::string received;
    second.on(event::data, [&](const libnet::Chunk& chunk) { received += chunk; });
    first.write("still here");
    world.run_until([&] { return received == "still here"; });
    first.destroy();
    second.destroy();
    world.run();
  }
}

BEHAVIOUR(B279_a_constructor_without_memory_takes_nothing, any_wire) {
  for (const bool connected : {true, false}) {
    const std::size_t failed = fail_each_allocation([&](AllocationFault& fault) {
      const auto [left, right] = tcp_pair();
      const int fresh = ::fcntl(RawSocket(Family::ipv4).descriptor(), F_DUPFD_CLOEXEC, 0);
      const int descriptor = connected ? left : fresh;
      make_blocking(descriptor);
      asio::io_context io;
      libnet::use_reactor(io, world.reactor());
      std::optional<Socket> socket;
      const bool made = fault.survives([&] {
        try {
          socket.emplace(io, libnet::SocketOptions{.fd = descriptor});
        } catch (const libnet::SystemError& error) {
          BOOST_TEST((error.code() == boost::system::errc::not_enough_memory));
          throw std::bad_alloc();
        }
      });
      BOOST_TEST(is_open(descriptor));
      BOOST_TEST(is_blocking(descriptor) == !made);
      if (made) BOOST_TEST(socket->native_handle() == descriptor);
      socket.reset();
      io.run();
      if (!made) BOOST_TEST(is_open(descriptor));
      for (const int fd : {left, right, fresh}) {
        if (fd != descriptor || !made) ::close(fd);
      }
    });
    BOOST_TEST(failed > 3U);
  }
}

BEHAVIOUR(B279_a_server_that_cannot_listen_has_taken_nothing, any_wire) {
  const auto [left, right] = tcp_pair();
  make_blocking(left);
  Socket other(world.io(), {.fd = right});
  const RawSocket datagrams(Family::ipv4, SOCK_DGRAM);
  RawSocket bound(Family::unix_path);
  Server live(world.io());
  world.listen(live);
  for (const int fd : {left, datagrams.descriptor(), right, live.native_handle()}) {
    const bool was_blocking = is_blocking(fd);
    Server server(world.io());
    Error seen;
    server.on(event::error, [&](const Error& error) { seen = error; });
    server.listen({.fd = fd});
    world.settle();
    BOOST_TEST(seen.operation() == "listen");
    BOOST_TEST(!server.listening());
    BOOST_TEST(is_open(fd));
    BOOST_TEST(is_blocking(fd) == was_blocking);
  }
  expect_serving(world, live);
  ::close(left);
  other.destroy();
}
