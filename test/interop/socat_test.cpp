#include <libnet/net.hpp>

#include "echo_program.hpp"
#include "support/behaviour.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

// socat: as client of libnet-echo, and as an echo server for libnet's clients.
namespace libnet::test {

namespace data = boost::unit_test::data;
using asio::experimental::awaitable_operators::operator&&;

namespace {

struct RequireSocat {
  RequireSocat() {
    require_program(LIBNET_ECHO);
    require_program("socat");
  }
};
BOOST_TEST_GLOBAL_FIXTURE(RequireSocat);

constexpr std::size_t mebibyte = 1 << 20;

asio::awaitable<void> send(Socket socket, const std::string& bytes) {
  co_await socket.async_write(bytes);
  co_await socket.async_end();
}

asio::awaitable<void> receive(Socket socket, const std::string& expected) {
  std::string received;
  while (const Chunk chunk = co_await socket.async_read()) received += chunk;
  BOOST_TEST((received == expected), received.size() << " bytes received");
}

asio::awaitable<void> connect_and_echo(Socket socket, ConnectOptions options, const std::string& bytes) {
  co_await socket.async_connect(options);
  co_await (send(socket, bytes) && receive(socket, bytes));
  co_await socket.async_close();
}

/// The same with listeners.
void connect_and_echo(World& world, Socket socket, const ConnectOptions& options, const std::string& bytes) {
  std::string received;
  bool closed = false;
  socket.on(event::data, [&](Chunk chunk) { received += chunk; });
  socket.on(event::close, [&](bool had_error) {
    closed = true;
    BOOST_TEST(!had_error);
  });
  socket.connect(options, [socket, &bytes]() mutable { socket.end(bytes); });
  world.run_until([&] { return closed; });
  BOOST_TEST((received == bytes));
}

/// An echo server for one connection; where it listens is what it says.
Process start_socat(Wire wire, const std::string& path) {
  const std::string listener = wire == Wire::tcp4   ? "TCP4-LISTEN:0,bind=127.0.0.1"
                               : wire == Wire::tcp6 ? "TCP6-LISTEN:0,bind=[::1]"
                                                    : "UNIX-LISTEN:" + path;
  return Process({"socat", "-d", "-d", "-t", "30", listener, "EXEC:cat"});
}

}  // namespace

BOOST_DATA_TEST_CASE(a_mebibyte_comes_back_identical, data::make(all_servings), serving) {
  EchoProgram echo(serving);
  const TemporaryDirectory directory;
  const std::string sent = random_bytes(mebibyte);
  write_file(directory.file("in"), sent);
  for (const std::string& address : {"TCP4:127.0.0.1:" + echo.port(), "TCP6:[::1]:" + echo.port(),
                                     "TCP:localhost:" + echo.port(), "UNIX-CONNECT:" + echo.path()}) {
    BOOST_TEST_CONTEXT(address) {
      Process client({"socat", "-t", "30", "-", address},
                     {.input = directory.file("in"), .output = directory.file("out")});
      BOOST_TEST(client.wait() == 0);
      BOOST_TEST((read_file(directory.file("out")) == sent));
    }
  }
  echo.stop();
}

BEHAVIOUR(clients_of_both_styles_talk_to_a_listening_socat, real_wires) {
  const TemporaryDirectory directory;
  const std::string bytes = random_bytes(mebibyte);
  for (const bool awaits : {true, false}) {
    const std::string path = directory.file(awaits ? "await.sock" : "events.sock");
    Process socat = start_socat(world.wire(), path);
    const std::string where = socat.read_until("listening on ");
    const auto options = world.is_unix() ? ConnectOptions{.path = path}
                                         : ConnectOptions{.host = world.wire() == Wire::tcp6 ? "::1" : "127.0.0.1",
                                                          .port = std::stoi(where.substr(where.rfind(':') + 1))};
    Socket socket(world.io());
    if (awaits) {
      world.await(connect_and_echo(socket, options, bytes));
    } else {
      connect_and_echo(world, socket, options, bytes);
    }
    BOOST_TEST(socat.wait() == 0);
  }
}

}  // namespace libnet::test
