#include <libnet/net.hpp>

#include "echo_program.hpp"
#include "support/behaviour.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <deque>

// netcat: as client of libnet-echo, and listening for libnet's clients.
namespace libnet::test {

namespace data = boost::unit_test::data;
using asio::experimental::awaitable_operators::operator&&;

namespace {

struct RequireNetcat {
  RequireNetcat() {
    require_program(LIBNET_ECHO);
    require_program("nc");
  }
};
BOOST_TEST_GLOBAL_FIXTURE(RequireNetcat);

constexpr std::size_t mebibyte = 1 << 20;

void send_file_through(const EchoProgram& echo, const std::string& host, const TemporaryDirectory& directory) {
  const std::string sent = random_bytes(mebibyte);
  write_file(directory.file("in"), sent);
  const auto command = host.empty() ? std::vector<std::string>{"nc", "-N", "-U", echo.path()}
                                    : std::vector<std::string>{"nc", "-N", host, echo.port()};
  Process client(command, {.input = directory.file("in"), .output = directory.file("out")});
  BOOST_TEST(client.wait() == 0);
  BOOST_TEST((read_file(directory.file("out")) == sent));
}

asio::awaitable<void> receive(Socket socket, const std::string& expected) {
  std::string received;
  while (const Chunk chunk = co_await socket.async_read()) received += chunk;
  BOOST_TEST((received == expected), received.size() << " bytes received");
}

/// nc over a Unix-domain socket drops what it has not sent yet when its peer ends first.
asio::awaitable<void> exchange(Socket socket, ConnectOptions options, const std::string& sent,
                               const std::string& expected) {
  co_await socket.async_connect(options);
  co_await (socket.async_write(sent) && receive(socket, expected));
  co_await socket.async_close();
}

}  // namespace

BOOST_DATA_TEST_CASE(a_mebibyte_comes_back_identical, data::make(all_servings), serving) {
  EchoProgram echo(serving);
  const TemporaryDirectory directory;
  for (const std::string host : {"127.0.0.1", "::1", ""}) {
    BOOST_TEST_CONTEXT("host '" << host << "'") { send_file_through(echo, host, directory); }
  }
  echo.stop();
}

BOOST_DATA_TEST_CASE(forty_clients_at_once, data::make(all_servings), serving) {
  EchoProgram echo(serving);
  const TemporaryDirectory directory;
  std::deque<Process> clients;
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < 40; ++i) {
    sent.push_back(random_bytes(mebibyte, i + 1));
    const std::string number = std::to_string(i);
    write_file(directory.file("in" + number), sent.back());
    clients.emplace_back(
        std::vector<std::string>{"nc", "-N", i % 2 == 0 ? "127.0.0.1" : "::1", echo.port()},
        ProcessFiles{.input = directory.file("in" + number), .output = directory.file("out" + number)});
  }
  for (std::size_t i = 0; i < clients.size(); ++i) {
    BOOST_TEST(clients[i].wait() == 0);
    BOOST_TEST((read_file(directory.file("out" + std::to_string(i))) == sent[i]), "client " << i);
  }
  echo.stop();
}

/// Both directions at once: what nc reads from its input, and what the client sends.
BEHAVIOUR(a_client_talks_to_a_listening_nc, real_wires) {
  const TemporaryDirectory directory;
  const std::string to_client = random_bytes(mebibyte, 1);
  const std::string to_nc = random_bytes(mebibyte, 2);
  write_file(directory.file("in"), to_client);
  std::vector<std::string> command{"nc", "-v", "-N", "-l"};
  const std::string path = directory.file("nc.sock");
  const std::string host = world.wire() == Wire::tcp6 ? "::1" : "127.0.0.1";
  if (world.is_unix()) {
    command.insert(command.end(), {"-U", path});
  } else {
    command.insert(command.end(), {"-n", host, "0"});
  }
  Process nc(command, {.input = directory.file("in"), .output = directory.file("out")});
  const std::string where = nc.read_until("istening on ");

  const auto options = world.is_unix()
                           ? ConnectOptions{.path = path}
                           : ConnectOptions{.host = host, .port = std::stoi(where.substr(where.rfind(' ')))};
  Socket socket(world.io());
  world.await(exchange(socket, options, to_nc, to_client));
  BOOST_TEST(nc.wait() == 0);
  BOOST_TEST((read_file(directory.file("out")) == to_nc));
}

}  // namespace libnet::test
