#include <libnet/net.hpp>

#include "support/behaviour.hpp"
#include "support/process.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <cstdio>
#include <sstream>

// Node's own net as client and as server: much data in both directions at once, with backpressure on both sides.
namespace libnet::test {

using asio::experimental::awaitable_operators::operator&&;

namespace {

struct RequireNode {
  RequireNode() { require_program("node"); }
};
BOOST_TEST_GLOBAL_FIXTURE(RequireNode);

// A case moves 200 MiB; the two IP versions differ in nothing that matters to it.
constexpr unsigned node_wires = static_cast<unsigned>(Wire::tcp4) | static_cast<unsigned>(Wire::unix_path);

constexpr std::size_t mebibyte = 1 << 20;
constexpr std::size_t total = 100 * mebibyte;
constexpr std::size_t pause_interval = 4 * mebibyte;
constexpr auto pause_time = 2ms;

/// FNV-1a with 64 bits over all that went one way.
class Checksum {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) state_ = (state_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
    size_ += bytes.size();
  }
  std::size_t size() const { return size_; }

  /// As the peer prints it.
  std::string text() const {
    char digits[17];
    std::snprintf(digits, sizeof digits, "%016llx", static_cast<unsigned long long>(state_));
    return std::to_string(size_) + ' ' + digits;
  }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325U;
  std::size_t size_ = 0;
};

/// What one side sends: `total` bytes in pieces that do not repeat in step.
class Source {
 public:
  bool empty() const { return sent.size() == total; }
  std::string_view next() {
    const std::size_t start = (sent.size() * 31) % (pattern_.size() - 50'000);
    const auto piece = std::string_view(pattern_).substr(start, std::min<std::size_t>(50'000, total - sent.size()));
    sent.add(piece);
    return piece;
  }

  Checksum sent;

 private:
  std::string pattern_ = random_bytes(mebibyte);
};

/// One exchange, in either style.
struct Exchange {
  explicit Exchange(World& world) : timer(world.io()) {}

  Source source;
  Checksum received;
  asio::steady_timer timer;
  std::size_t drains = 0;
  std::size_t pauses = 0;

  bool pause_is_due() {
    if (received.size() < pause_interval * (pauses + 1)) return false;
    ++pauses;
    return true;
  }
};

// --- with listeners ------------------------------------------------------------------------------------------------

void write_more(Exchange& exchange, Socket socket) {
  while (!exchange.source.empty()) {
    if (!socket.write(exchange.source.next())) return;
  }
  socket.end();
}

void take(Exchange& exchange, Socket socket, Chunk chunk) {
  exchange.received.add(chunk);
  if (!exchange.pause_is_due()) return;
  socket.pause();
  exchange.timer.expires_after(pause_time);
  exchange.timer.async_wait([socket](const error_code&) mutable { socket.resume(); });
}

void exchange_by_events(Exchange& exchange, Socket socket) {
  socket.on(event::data, [&exchange, socket](Chunk chunk) { take(exchange, socket, chunk); });
  socket.on(event::drain, [&exchange, socket] {
    ++exchange.drains;
    write_more(exchange, socket);
  });
  socket.on(event::close, [](bool had_error) { BOOST_TEST(!had_error); });
  write_more(exchange, socket);
}

// --- with coroutines -----------------------------------------------------------------------------------------------

asio::awaitable<void> send(Exchange& exchange, Socket socket) {
  while (!exchange.source.empty()) {
    if (socket.write(exchange.source.next())) continue;
    co_await socket.async_drain();
    ++exchange.drains;
  }
  co_await socket.async_end();
}

asio::awaitable<void> receive(Exchange& exchange, Socket socket) {
  while (const Chunk chunk = co_await socket.async_read()) {
    exchange.received.add(chunk);
    if (!exchange.pause_is_due()) continue;
    exchange.timer.expires_after(pause_time);
    co_await exchange.timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> exchange_by_awaiting(Exchange& exchange, Socket socket) {
  co_await (send(exchange, socket) && receive(exchange, socket));
  co_await socket.async_close();
}

// --- the other side ------------------------------------------------------------------------------------------------

std::vector<std::string> node_command(const std::vector<std::string>& arguments) {
  std::vector<std::string> command{"node", LIBNET_INTEROP_DIR "/node_peer.js"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

std::vector<std::string> words(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), {}};
}

/// Both sides saw the same bytes, and both really met backpressure.
void check(const Exchange& exchange, Process& node) {
  std::string sent;
  std::string received;
  std::string closed;
  while (const auto line = node.read_line()) {
    const auto found = words(*line);
    BOOST_REQUIRE_MESSAGE(found.size() >= 2, "node says: " << *line);
    if (found[0] == "closed") closed = found[1];
    if (found.size() < 6) continue;
    (found[0] == "sent" ? sent : received) = found[1] + ' ' + found[2];
    BOOST_TEST(std::stoull(found[5]) > 0U, *line);
  }
  BOOST_TEST(node.wait() == 0);
  BOOST_TEST(closed == "false");
  BOOST_TEST(sent == exchange.received.text());
  BOOST_TEST(received == exchange.source.sent.text());
  BOOST_TEST(exchange.received.size() == total);
  BOOST_TEST(exchange.drains > 0U);
  BOOST_TEST(exchange.pauses > 0U);
}

constexpr const char* node_host = "127.0.0.1";

Process node_client(const World& world, const Server& server) {
  const SocketAddress address = server.address().value();
  const std::string where = world.is_unix() ? address.address() : std::to_string(address.port());
  return Process(node_command({"connect", node_host, where, std::to_string(total)}));
}

Process node_server(World& world, ConnectOptions& options, std::string& where) {
  where = world.is_unix() ? world.new_path() : node_host;
  Process node(node_command({"listen", where, std::to_string(total)}));
  const std::string printed = node.read_until("listening on ");
  options = world.is_unix() ? ConnectOptions{.path = where} : ConnectOptions{.host = where, .port = std::stoi(printed)};
  return node;
}

}  // namespace

BEHAVIOUR(a_node_client_and_a_server_with_listeners, node_wires) {
  Exchange exchange(world);
  Server server(world.io(), {.socket = {.allow_half_open = true}});
  server.on(event::connection, [&](const Socket& socket) {
    server.close();
    exchange_by_events(exchange, socket);
  });
  world.listen(server);
  Process node = node_client(world, server);
  world.run();
  check(exchange, node);
}

BEHAVIOUR(a_node_client_and_a_server_with_coroutines, node_wires) {
  Exchange exchange(world);
  Server server(world.io());
  server.serve([&](Socket socket) -> asio::awaitable<void> {
    server.close();
    return exchange_by_awaiting(exchange, std::move(socket));
  });
  world.listen(server);
  Process node = node_client(world, server);
  world.run();
  check(exchange, node);
}

BEHAVIOUR(a_client_with_listeners_and_a_node_server, node_wires) {
  Exchange exchange(world);
  ConnectOptions options;
  std::string where;
  Process node = node_server(world, options, where);
  Socket socket(world.io(), {.allow_half_open = true});
  socket.connect(options, [&exchange, socket] { exchange_by_events(exchange, socket); });
  world.run();
  check(exchange, node);
}

BEHAVIOUR(a_client_with_coroutines_and_a_node_server, node_wires) {
  Exchange exchange(world);
  ConnectOptions options;
  std::string where;
  Process node = node_server(world, options, where);
  Socket socket(world.io());
  world.await([](Socket client, ConnectOptions to) -> asio::awaitable<void> { co_await client.async_connect(to); }(
                                                       socket, options));
  world.await(exchange_by_awaiting(exchange, socket));
  world.run();
  check(exchange, node);
}

}  // namespace libnet::test
