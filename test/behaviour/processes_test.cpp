#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/detached.hpp>

#include "support/behaviour.hpp"
#include "support/process.hpp"
#include "support/raw_socket.hpp"
#include "support/socket_pair.hpp"

using namespace libnet::test;
using libnet::ConnectOptions;
using libnet::Errc;
using libnet::error_code;
using libnet::ReactorKind;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// What happens between processes. The other process is this program again, in one of the parts below.

namespace {

namespace fs = std::filesystem;

constexpr unsigned any_wire = static_cast<unsigned>(Wire::tcp4);
constexpr std::size_t mebibyte = 1024 * 1024;

// --- the parts of the other process --------------------------------------------------------------------------------

SocketAddress address_of(const std::string& text) { return SocketAddress::parse(text).value(); }

/// Listens at an address, says where, sends without end to whoever connects, and reads nothing.
int flood(asio::io_context& io, const std::string& where) {
  Server server(io);
  const SocketAddress address = address_of(where);
  server.on(event::connection, [](Socket socket) {
    auto more = [socket]() mutable {
      while (socket.write(std::string(65536, 'x'))) {
      }
    };
    socket.on(event::drain, more);
    more();
  });
  server.listen(libnet::BoundSocket(address));
  std::cout << "listening on " << server.address()->to_string() << std::endl;
  io.run();
  return 1;  // it is to be killed
}

/// Connects, and destroys the socket as soon as that has succeeded.
int destroy_at_connect(asio::io_context& io, const std::string& where) {
  Socket socket(io);
  bool had_error = true;
  socket.on(event::close, [&](bool error) { had_error = error; });
  socket.connect(address_of(where), [&] { socket.destroy(); });
  io.run();
  return had_error ? 1 : 0;
}

/// Writes 100 x 1 KiB and a byte, asks for the end of the connection, and is stopped before anything of it can happen.
int write_and_block(asio::io_context& io, const std::string& where) {
  Socket socket(io);
  bool had_error = true;
  socket.on(event::close, [&](bool error) { had_error = error; });
  socket.connect(address_of(where), [&] {
    for (int i = 0; i < 100; ++i) socket.write(std::string(1024, 'k'));
    socket.write("b");
    socket.destroy_soon();
    ::raise(SIGSTOP);
  });
  io.run();
  return had_error ? 1 : 0;
}

/// Has nothing but an unreferenced server.
int unreferenced_server(asio::io_context& io, const std::string& where) {
  Server server(io);
  server.on(event::connection, [](const Socket&) {});
  server.listen(libnet::BoundSocket(address_of(where)));
  server.unref();
  io.run();
  return server.listening() ? 0 : 1;
}

/// Sends back what comes through an inherited descriptor.
int inherited_echo(asio::io_context& io, const std::string& descriptor) {
  Socket socket(io, {.fd = std::stoi(descriptor)});
  if (!socket.readable() || !socket.writable() || socket.pending()) return 1;
  bool had_error = true;
  socket.on(event::data, [&](libnet::Chunk chunk) { socket.write(chunk); });
  socket.on(event::close, [&](bool error) { had_error = error; });
  io.run();
  return had_error ? 1 : 0;
}

/// The same with coroutines.
int inherited_echo_awaited(asio::io_context& io, const std::string& descriptor) {
  int result = 1;
  asio::co_spawn(
      io,
      [](Socket socket, int* outcome) -> asio::awaitable<void> {
        for (libnet::Chunk chunk = co_await socket.async_read(); chunk; chunk = co_await socket.async_read()) {
          co_await socket.async_write(chunk);
        }
        co_await socket.async_close();
        *outcome = 0;
      }(Socket(io, {.fd = std::stoi(descriptor)}), &result),
      asio::detached);
  io.run();
  return result;
}

/// Accepts one connection on an inherited descriptor and greets it.
int inherited_server(asio::io_context& io, const std::string& descriptor) {
  Server server(io);
  server.on(event::connection, [&](Socket socket) {
    socket.end("hello from the child");
    server.close();
  });
  server.listen_fd(std::stoi(descriptor));
  io.run();
  return 0;
}

using Part = int (*)(asio::io_context&, const std::string&);

const std::map<std::string, Part> parts = {{"flood", &flood},
                                           {"destroy_at_connect", &destroy_at_connect},
                                           {"write_and_block", &write_and_block},
                                           {"unreferenced_server", &unreferenced_server},
                                           {"inherited_echo", &inherited_echo},
                                           {"inherited_echo_awaited", &inherited_echo_awaited},
                                           {"inherited_server", &inherited_server}};

/// Called as "program -- part reactor argument" this program plays that part and runs no test.
struct PlayPart {
  PlayPart() {
    const auto& suite = boost::unit_test::framework::master_test_suite();
    if (suite.argc != 4) return;
    int result = 0;
    {
      asio::io_context io;
      libnet::use_reactor(io, suite.argv[2] == std::string("epoll") ? ReactorKind::epoll : ReactorKind::portable);
      result = parts.at(suite.argv[1])(io, suite.argv[3]);
    }
    std::exit(result);
  }
};
BOOST_TEST_GLOBAL_FIXTURE(PlayPart);

// --- this process --------------------------------------------------------------------------------------------------

Process start(const World& world, const std::string& part, const std::string& argument) {
  static const std::string self = fs::read_symlink("/proc/self/exe").string();
  return Process({self, "--", part, world.reactor() == ReactorKind::epoll ? "epoll" : "portable", argument});
}

std::string place(World& world) {
  switch (world.wire()) {
    case Wire::tcp4: return "127.0.0.1:0";
    case Wire::tcp6: return "[::1]:0";
    default: return world.new_path();
  }
}

void stay_open_in_children(int descriptor) { BOOST_REQUIRE(::fcntl(descriptor, F_SETFD, 0) == 0); }

void await_stop(const Process& process) {
  siginfo_t info{};
  BOOST_REQUIRE(::waitid(P_PID, static_cast<id_t>(process.id()), &info, WSTOPPED | WNOWAIT) == 0);
}

}  // namespace

BEHAVIOUR(B202_the_peer_process_is_killed, real_wires) {
  Process peer = start(world, "flood", place(world));
  const SocketAddress address = address_of(peer.read_until("listening on "));
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  std::size_t received = 0;
  client.on(event::data, [&](const libnet::Chunk& chunk) { received += chunk.size(); });
  client.connect(address);
  client.write("what the peer never reads");  // so that its death is a reset
  world.run_until([&] { return received > mebibyte; });
  peer.signal(SIGKILL);
  world.run();
  BOOST_TEST(peer.wait() == -SIGKILL);
  expect(recorder.of("client"), {"connect", "ready", "error(ECONNRESET)", "close(true)"});
  BOOST_TEST(client.error().operation() == "read");
}

BEHAVIOUR(B202_the_peer_process_is_killed_awaited, real_wires) {
  Process peer = start(world, "flood", place(world));
  const SocketAddress address = address_of(peer.read_until("listening on "));
  world.await([](World& here, SocketAddress where, const Process* victim) -> asio::awaitable<void> {
    static std::array<char, 4096> buffer;
    Socket client(here.io());
    client.connect(where);
    co_await client.async_wait(event::connect);
    std::size_t received = 0;
    error_code outcome;
    while (!outcome) {
      const auto [code, bytes] = co_await client.async_read_some(asio::buffer(buffer), libnet::as_tuple);
      const std::size_t before = std::exchange(received, received + bytes);
      if (before < mebibyte && received >= mebibyte) victim->signal(SIGKILL);
      outcome = code;
    }
    BOOST_TEST((outcome == asio::error::eof || outcome == asio::error::connection_reset));
    client.destroy();
  }(world, address, &peer));
  BOOST_TEST(peer.wait() == -SIGKILL);
  world.run();
}

BEHAVIOUR(B203_a_client_process_destroys_while_much_is_written_to_it, real_wires) {
  Server server(world.io());
  Recorder recorder;
  error_code written;
  server.on(event::connection, [&](Socket socket) {
    recorder.watch(socket, "server", Recorder::Data::ignore);
    socket.write(std::string(64 * mebibyte, 'x'), [&](error_code code) { written = code; });
    server.close();
  });
  world.listen(server);
  Process client = start(world, "destroy_at_connect", server.address()->to_string());
  world.run();
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST((written == boost::system::errc::connection_reset || written == boost::system::errc::broken_pipe));
  BOOST_TEST(recorder.count("server:close(true)") == 1u);
}

BEHAVIOUR(B203_a_client_process_destroys_while_much_is_written_to_it_awaited, real_wires) {
  Server server(world.io());
  world.listen(server);
  Process client = start(world, "destroy_at_connect", server.address()->to_string());
  world.await([](Server listening) -> asio::awaitable<void> {
    Socket socket = co_await listening.async_accept();
    const auto [code, bytes] = co_await socket.async_write(std::string(64 * mebibyte, 'x'), libnet::as_tuple);
    BOOST_TEST((code == boost::system::errc::connection_reset || code == boost::system::errc::broken_pipe));
    BOOST_TEST(bytes < 64 * mebibyte);
    co_await listening.async_close();
  }(server));
  BOOST_TEST(client.wait() == 0);
}

BEHAVIOUR(B204_a_blocked_client_process_ends_cleanly, real_wires) {
  Server server(world.io());
  Recorder recorder;
  server.on(event::connection, [&](Socket socket) {
    recorder.watch(socket, "server", Recorder::Data::ignore);
    socket.on(event::data, [&](const libnet::Chunk& chunk) { recorder.note(std::string(chunk)); });
    server.close();
  });
  world.listen(server);
  Process client = start(world, "write_and_block", server.address()->to_string());
  world.run_until([&] { return recorder.count("server:ready") == 1; });
  await_stop(client);
  world.settle();
  expect(recorder.of("server"), {"connect", "ready"});
  client.signal(SIGCONT);
  world.run();
  BOOST_TEST(client.wait() == 0);
  expect(recorder.of("server"), {"connect", "ready", "end", "finish", "close(false)"});
  std::string received;
  for (const std::string& entry : recorder.log()) received += entry.starts_with("server:") ? "" : entry;
  BOOST_TEST((received == std::string(100 * 1024, 'k') + 'b'));
}

BEHAVIOUR(B204_a_blocked_client_process_ends_cleanly_awaited, real_wires) {
  Server server(world.io());
  world.listen(server);
  Process client = start(world, "write_and_block", server.address()->to_string());
  world.await([](Server listening, const Process* blocked) -> asio::awaitable<void> {
    Socket socket = co_await listening.async_accept();
    await_stop(*blocked);
    blocked->signal(SIGCONT);
    std::string received;
    for (libnet::Chunk chunk = co_await socket.async_read(); chunk; chunk = co_await socket.async_read()) {
      received += chunk;
    }
    BOOST_TEST((received == std::string(100 * 1024, 'k') + 'b'));
    co_await socket.async_close();
  }(server, &client));
  BOOST_TEST(client.wait() == 0);
}

BEHAVIOUR(B205_a_process_with_nothing_but_an_unreferenced_server_ends, real_wires) {
  const std::string where = place(world);
  Process process = start(world, "unreferenced_server", where);
  BOOST_TEST(process.wait() == 0);
  if (world.is_unix()) BOOST_TEST(!fs::exists(where));
}

BEHAVIOUR(B201_inherited_sockets, any_wire) {
  for (const std::string part : {"inherited_echo", "inherited_echo_awaited"}) {
    for (const auto make : {&tcp_pair, &unix_pair}) {
      const auto [mine, childs] = make();
      stay_open_in_children(childs);
      Process child = start(world, part, std::to_string(childs));
      ::close(childs);
      Socket socket(world.io(), {.fd = mine});
      Recorder recorder;
      recorder.watch(socket, "socket", Recorder::Data::record);
      socket.end("there and back");
      world.run();
      BOOST_TEST(recorder.received("socket") == "there and back");
      BOOST_TEST(recorder.count("socket:close(false)") == 1u);
      BOOST_TEST(child.wait() == 0);
    }
  }
}

BEHAVIOUR(B21_an_inherited_socket_to_listen_on, real_wires) {
  Server before(world.io());
  world.listen(before);
  stay_open_in_children(before.native_handle());
  const SocketAddress address = before.address().value();
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  client.connect(address);
  world.run_until([&] { return !client.connecting(); });
  Process child = start(world, "inherited_server", std::to_string(before.native_handle()));
  BOOST_TEST(child.wait() == 0);
  world.run_until([&] { return recorder.count("client:close(false)") == 1; });
  BOOST_TEST(recorder.received("client") == "hello from the child");
  if (world.is_unix()) BOOST_TEST(fs::is_socket(address.address()));
  BOOST_TEST(before.listening());
}
