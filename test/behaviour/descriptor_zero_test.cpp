#include <fcntl.h>
#include <unistd.h>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"

using namespace libnet::test;
using libnet::Family;
using libnet::ListenOptions;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// 0 is a descriptor like any other.

namespace {

/// Leaves descriptor 0 to the next one who asks for a descriptor.
class FreeZero {
 public:
  FreeZero() : kept_(::fcntl(0, F_DUPFD_CLOEXEC, 3)) { ::close(0); }
  FreeZero(const FreeZero&) = delete;
  FreeZero& operator=(const FreeZero&) = delete;
  ~FreeZero() {
    if (kept_ < 0) return;
    ::dup2(kept_, 0);
    ::close(kept_);
  }

 private:
  int kept_;
};

}  // namespace

BEHAVIOUR(B26_descriptor_zero, real_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.settle();
  const auto here = world.listen_options();
  const FreeZero zero;
  server.listen(here);
  BOOST_TEST(server.native_handle() == 0);
  BOOST_TEST(server.listening());
  expect_serving(world, server);
  server.close();
  BOOST_TEST(::fcntl(0, F_GETFD) < 0);
  world.run();
  expect(recorder.of("server"), {"listening", "close"});
}

BEHAVIOUR(B26_descriptor_zero_given, real_wires) {
  Server server(world.io());
  world.settle();
  const ListenOptions options = world.listen_options();
  const FreeZero zero;
  RawSocket raw(world.is_unix() ? Family::unix_path : world.wire() == Wire::tcp4 ? Family::ipv4 : Family::ipv6);
  BOOST_REQUIRE(raw.descriptor() == 0);
  BOOST_REQUIRE(
      raw.bind(world.is_unix() ? SocketAddress::unix_socket(options.path) : SocketAddress::ip(options.host, 0)) == 0);
  server.listen_fd(::fcntl(0, F_DUPFD_CLOEXEC, 3));
  raw.close();
  BOOST_REQUIRE(::dup2(server.native_handle(), 0) == 0);
  server.close();
  server.listen_fd(0);
  BOOST_TEST(server.native_handle() == 0);
  expect_serving(world, server);
  server.close();
  BOOST_TEST(::fcntl(0, F_GETFD) < 0);
}

BEHAVIOUR(B26_a_connection_with_descriptor_zero, real_wires) {
  Server server(world.io());
  Recorder recorder;
  world.listen(server);
  Socket client(world.io());
  server.on(event::connection, [&](const Socket& socket) {
    recorder.watch(socket, "server");
    server.close();
  });
  recorder.watch(client, "client");
  const FreeZero zero;
  world.connect(client, server);
  client.end("through zero");
  world.run_until([&] { return !client.connecting(); });
  BOOST_TEST(client.native_handle() == 0);
  world.run();
  BOOST_TEST(recorder.received("server") == "through zero");
  BOOST_TEST(recorder.count("client:close(false)") == 1u);
  BOOST_TEST(::fcntl(0, F_GETFD) < 0);
}

BEHAVIOUR(B26_descriptor_zero_awaited, real_wires) {
  Server server(world.io());
  world.settle();
  const auto options = world.listen_options();
  const FreeZero zero;
  server.serve([](Socket socket) -> asio::awaitable<void> { co_await socket.async_write("here"); });
  world.await([](World& here, Server from, ListenOptions where) -> asio::awaitable<void> {
    co_await from.async_listen(where);
    BOOST_TEST(from.native_handle() == 0);
    Socket client = co_await libnet::async_connect(here.io(), here.connect_options(from));
    const libnet::Chunk chunk = co_await client.async_read();
    BOOST_TEST(chunk.to_string() == "here");
    co_await client.async_close();
    co_await from.async_close();
  }(world, server, options));
  BOOST_TEST(::fcntl(0, F_GETFD) < 0);
}
