#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <utility>
#include <vector>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// B277: a connection that was reset before anybody looked gives what a blocking program would see.

namespace {

constexpr const char* greeting = "220 a greeting";

/// A blocking listener, which the case serves by hand.
struct Peer {
  explicit Peer(World& world) : listener(world.wire() == Wire::tcp6 ? libnet::Family::ipv6 : libnet::Family::ipv4) {
    const char* const any = world.wire() == Wire::tcp6 ? "::1" : "127.0.0.1";
    BOOST_REQUIRE(listener.bind(SocketAddress::ip(any, 0)) == 0);
    BOOST_REQUIRE(listener.listen() == 0);
    host = listener.local_address().address();
  }
  libnet::ConnectOptions options() const { return {.host = host, .port = listener.local_address().port()}; }
  bool has_client() const {
    pollfd state{listener.descriptor(), POLLIN, 0};
    return ::poll(&state, 1, 0) > 0;
  }

  /// Takes the client, says something, and resets the connection, behind its end if that is asked for.
  void greet_and_reset(const std::string& words, bool ends = false) const {
    const int accepted = ::accept(listener.descriptor(), nullptr, nullptr);
    BOOST_REQUIRE(accepted >= 0);
    if (!words.empty()) BOOST_REQUIRE(::send(accepted, words.data(), words.size(), MSG_NOSIGNAL) > 0);
    if (ends) ::shutdown(accepted, SHUT_WR);
    const linger discard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(accepted, SOL_SOCKET, SO_LINGER, &discard, sizeof discard);
    ::close(accepted);
  }

  /// Runs the loop until the client's connect has reached the kernel, and not further: it has not looked yet.
  void await_client(World& world) const {
    if (world.io().stopped()) world.io().restart();
    while (!has_client()) world.io().poll_one();
  }

  RawSocket listener;
  std::string host;
};

}  // namespace

BEHAVIOUR(B277_a_client_that_was_greeted_and_reset_before_it_looked, tcp_wires) {
  const Peer peer(world);
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  client.connect(peer.options());
  peer.await_client(world);
  peer.greet_and_reset(greeting);
  world.run();
  BOOST_TEST(recorder.received("client") == greeting);
  expect(recorder.of("client"), {"connect", "ready", "data(14)", "error(ECONNRESET)", "close(true)"});
  BOOST_TEST((client.remote_address() == peer.listener.local_address()));
  BOOST_TEST(client.error().operation() == "read");
}

BEHAVIOUR(B277_a_client_that_was_reset_before_it_looked, tcp_wires) {
  const Peer peer(world);
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  client.connect(peer.options());
  peer.await_client(world);
  peer.greet_and_reset("");
  world.run();
  expect(recorder.of("client"), {"connect", "ready", "error(ECONNRESET)", "close(true)"});
}

/// The end came first.
BEHAVIOUR(B277_a_client_whose_peer_has_ended_and_reset_before_it_looked, tcp_wires) {
  const Peer peer(world);
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  client.connect(peer.options());
  peer.await_client(world);
  peer.greet_and_reset(greeting, true);
  world.run();
  BOOST_TEST(recorder.received("client") == greeting);
  const Log log = recorder.of("client");
  BOOST_REQUIRE(log.size() >= 4U);
  expect({log.begin(), log.begin() + 4}, {"connect", "ready", "data(14)", "end"});
  BOOST_TEST((client.remote_address() == peer.listener.local_address()));
}

/// What it wrote fails with what ended the connection, and takes nothing away from what has come.
BEHAVIOUR(B277_a_client_that_has_written_and_was_reset_before_it_looked, tcp_wires) {
  const Peer peer(world);
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  error_code written;
  client.connect(peer.options());
  client.write("hello", [&](error_code code, std::size_t) { written = code; });
  peer.await_client(world);
  peer.greet_and_reset(greeting);
  world.run();
  BOOST_TEST(recorder.received("client") == greeting);
  expect(recorder.of("client"), {"connect", "ready", "data(14)", "error(ECONNRESET)", "close(true)"});
  BOOST_TEST(written == boost::asio::error::connection_reset);
}

BEHAVIOUR(B277_a_client_that_was_greeted_and_reset_before_it_looked_awaited, tcp_wires) {
  const Peer peer(world);
  std::vector<std::string> log;
  world.spawn([](World& here, const Peer& from, std::vector<std::string>& entries) -> asio::awaitable<void> {
    Socket client = co_await libnet::async_connect(here.io(), from.options());
    entries.push_back("connected");
    entries.push_back((co_await client.async_read()).to_string());
    const auto [code, chunk] = co_await client.async_read(libnet::as_tuple);
    entries.push_back(libnet::Error(code).name());
  }(world, peer, log));
  peer.await_client(world);
  peer.greet_and_reset(greeting);
  world.run();
  expect(log, {"connected", greeting, "ECONNRESET"});
}

BEHAVIOUR(B277_a_client_that_is_refused_never_connects, tcp_wires) {
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  client.connect(world.refusing_options());
  world.run();
  expect(recorder.of("client"), {"error(ECONNREFUSED)", "close(true)"});
}

BEHAVIOUR(B277_an_accepted_connection_that_was_reset_before_it_was_accepted, tcp_wires) {
  Server server(world.io());
  Recorder recorder;
  world.listen(server);
  const SocketAddress address = server.address().value();
  SocketAddress local;
  {
    RawSocket early(address.family());
    early.reset_on_close();
    BOOST_REQUIRE(early.connect(address) == 0);
    local = early.local_address();
    early.send(greeting);
  }
  std::vector<Socket> accepted;
  server.on(event::connection, [&](Socket socket) {
    recorder.watch(socket, "accepted");
    accepted.push_back(socket);
    server.close();
  });
  world.run();
  BOOST_REQUIRE(accepted.size() == 1U);
  BOOST_TEST((accepted.front().remote_address() == local));
  BOOST_TEST(recorder.received("accepted") == greeting);
  expect(recorder.of("accepted"), {"connect", "ready", "data(14)", "error(ECONNRESET)", "close(true)"});
}

BEHAVIOUR(B277_an_accepted_connection_that_was_reset_before_it_was_accepted_awaited, tcp_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server = co_await libnet::async_listen(here.io(), here.listen_options());
    const SocketAddress address = server.address().value();
    {
      RawSocket early(address.family());
      early.reset_on_close();
      BOOST_REQUIRE(early.connect(address) == 0);
      early.send(greeting);
    }
    Socket accepted = co_await server.async_accept();
    const Chunk chunk = co_await accepted.async_read();
    BOOST_TEST(chunk == greeting);
    const auto [code, nothing] = co_await accepted.async_read(libnet::as_tuple);
    BOOST_TEST(code == boost::asio::error::connection_reset);
  }(world));
}

/// In memory both ends are of libnet: the accepted one resets before the client's loop has told it anything.
BEHAVIOUR(B277_a_client_that_was_greeted_and_reset_in_the_connection_listener, ip_wires) {
  Server server(world.io());
  world.listen(server);
  server.on(event::connection, [&](Socket socket) {
    socket.write(greeting, [socket]() mutable { socket.reset(); });
    server.close();
  });
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  world.connect(client, server);
  world.run();
  BOOST_TEST(recorder.received("client") == greeting);
  expect(recorder.of("client"), {"connect", "ready", "data(14)", "error(ECONNRESET)", "close(true)"});
}
