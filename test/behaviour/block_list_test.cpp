#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include <libnet/block_list.hpp>

#include "support/behaviour.hpp"
#include "support/full_address.hpp"
#include "support/raw_socket.hpp"

using namespace libnet::test;
using libnet::BlockList;
using libnet::ConnectOptions;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Lookup;
using libnet::LookupAddress;
using libnet::LookupAnswer;
using libnet::LookupOptions;
using libnet::LookupResult;
using libnet::Server;
using libnet::ServerOptions;
using libnet::Socket;
using libnet::SocketAddress;
using libnet::SocketOptions;

// Whom a server does not serve, and where a client does not go.

namespace {

constexpr auto one_wire = static_cast<unsigned>(Wire::tcp4);
constexpr auto any_wire = one_wire | static_cast<unsigned>(Wire::memory);

/// The loopback address of the wire.
std::string loopback(const World& world) { return world.wire() == Wire::tcp6 ? "::1" : "127.0.0.1"; }

/// A server with a block list of its own, which counts whom it serves.
struct Guarded {
  Guarded(World& in, const BlockList& list) : world(in), server(make(in, list)) {
    server.on(event::connection, [this](Socket socket) { accepted.push_back(std::move(socket)); });
    server.on(event::drop, [](const libnet::DropInfo&) { BOOST_ERROR("'drop' for a blocked connection"); });
    server.on(event::error, [](const Error& error) { BOOST_ERROR(error.message()); });
    world.listen(server);
  }

  /// The list that the options point at is gone afterwards.
  static Server make(World& world, BlockList copy) { return Server(world.io(), {.block_list = &copy}); }

  /// Connects and waits for the end.
  void expect_blocked(const std::string& name) {
    Socket client(world.io());
    Recorder recorder;
    recorder.watch(client, name);
    world.connect(client, server);
    world.run_until([&] { return client.destroyed() && recorder.count(name + ":close(false)") == 1; });
    const Log expected{"connect", "ready", "end", "finish", "close(false)"};
    Log log = recorder.of(name);
    std::erase_if(log, [](const std::string& entry) { return entry.find("attempt") != entry.npos; });
    BOOST_TEST(log == expected, per_element);
    BOOST_TEST(server.connections() == 0u);
  }
  void expect_served() {
    const std::size_t before = accepted.size();
    Socket client(world.io());
    world.connect(client, server);
    world.run_until([&] { return accepted.size() == before + 1; });
    accepted.back().destroy();
    world.run_until([&] { return server.connections() == 0; });
  }

  World& world;
  Server server;
  std::vector<Socket> accepted;
};

Lookup answering(const std::vector<std::string>& addresses) {
  return [addresses](std::string_view, const LookupOptions&, const LookupAnswer& answer) {
    std::vector<LookupAddress> list;
    for (const std::string& address : addresses) list.push_back({address});
    answer(list);
  };
}

/// A client with a block list, which notes its attempts, without the port, and how they end.
struct Client {
  Client(World& in, const BlockList& list) : world(in), socket(make(in, list)) {
    socket.on(event::lookup, [this](const LookupResult& result) { log.push_back("lookup " + result.address); });
    socket.on(event::connection_attempt, [this](const SocketAddress& address) { note("attempt", address); });
    socket.on(event::connection_attempt_failed,
              [this](const SocketAddress& address, const Error& error) { note("failed " + error.name(), address); });
    socket.on(event::connection_attempt_timeout, [this](const SocketAddress& address) { note("timeout", address); });
    socket.on(event::connect, [this] { log.emplace_back("connect"); });
    socket.on(event::error, [this](const Error& error) {
      log.push_back("error " + error.name());
      failure = error;
    });
    socket.on(event::close, [this](bool had_error) {
      log.emplace_back(had_error ? "close(true)" : "close(false)");
      closed = true;
    });
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// Its listeners must not outlive it.
  ~Client() {
    socket.destroy();
    world.run_until([&] { return closed; });
  }

  /// The list that the options point at is gone afterwards.
  static Socket make(World& world, BlockList copy) { return Socket(world.io(), {.block_list = &copy}); }

  void note(const std::string& what, const SocketAddress& address) { log.push_back(what + ' ' + address.address()); }
  void connect(const std::vector<std::string>& addresses, std::uint16_t port, ConnectOptions options = {}) {
    const Lookup lookup = answering(addresses);
    options.host = "name.test";
    options.port = port;
    options.lookup = &lookup;
    socket.connect(options);
    world.run_until([&] { return closed || !socket.connecting(); });
    if (!socket.connecting() && !closed) world.run_until([&] { return closed || log.back() == "connect"; });
  }

  World& world;
  Socket socket;
  Log log;
  Error failure;
  bool closed = false;
};

}  // namespace

// --- the server ----------------------------------------------------------------------------------------------------

BEHAVIOUR(B51_a_blocked_peer_is_closed_without_connection_or_drop, ip_wires) {
  BlockList list;
  list.add_address(loopback(world));
  Guarded guarded(world, list);
  guarded.expect_blocked("client");
  BOOST_TEST(guarded.accepted.empty());
}

BEHAVIOUR(B51_a_peer_that_is_not_blocked_is_served, all_wires) {
  BlockList list;
  list.add_address("192.0.2.1");
  list.add_address("2001:db8::1");
  Guarded guarded(world, list);
  guarded.expect_served();
}

BEHAVIOUR(B51_a_unix_peer_is_never_blocked, static_cast<unsigned>(Wire::unix_path)) {
  BlockList list;
  list.add_subnet("::", 0);
  Guarded guarded(world, list);
  guarded.expect_served();
}

BEHAVIOUR(B51_rules_of_today_count_from_the_next_connection_on, ip_wires) {
  BlockList list;
  Guarded guarded(world, list);
  guarded.expect_served();
  list.add_cidr(loopback(world) + "/16");
  guarded.expect_blocked("first");
  list.clear();
  guarded.expect_served();
  list.add_range(loopback(world), loopback(world));
  guarded.expect_blocked("second");
  BOOST_TEST(guarded.accepted.size() == 2u);
}

BEHAVIOUR(B51_open_connections_of_a_peer_that_is_blocked_later_go_on, ip_wires) {
  BlockList list;
  Guarded guarded(world, list);
  Socket client(world.io());
  world.connect(client, guarded.server);
  world.run_until([&] { return guarded.accepted.size() == 1; });
  list.add_address(loopback(world));
  std::string received;
  guarded.accepted.front().on(event::data, [&](const libnet::Chunk& chunk) { received += chunk; });
  client.write("hello");
  world.run_until([&] { return received == "hello"; });
}

BEHAVIOUR(B51_an_ipv4_peer_of_a_server_for_both_families, one_wire) {
  BlockList list;
  list.add_address("127.0.0.1");
  Server server(world.io(), {.block_list = &list});
  server.on(event::connection, [](const Socket&) { BOOST_ERROR("a blocked connection"); });
  server.listen({.host = "::", .port = 0});
  RawSocket client(libnet::Family::ipv4);
  BOOST_REQUIRE(client.connect(SocketAddress::ip("127.0.0.1", server.address()->port())) == 0);
  Socket served(world.io());
  bool closed = false;
  served.on(event::close, [&](bool) { closed = true; });
  served.connect(server.address()->port(), "127.0.0.1");
  world.run_until([&] { return closed; });
}

BEHAVIOUR(B51_a_blocked_peer_comes_before_the_limit, ip_wires) {
  BlockList list;
  list.add_address(loopback(world));
  Guarded guarded(world, list);
  guarded.server.max_connections(0);
  guarded.expect_blocked("client");
}

BEHAVIOUR(B51_many_blocked_peers_leave_no_descriptor, tcp_wires) {
  BlockList list;
  list.add_address(loopback(world));
  Guarded guarded(world, list);
  const std::size_t before = open_descriptors();
  {
    std::vector<RawSocket> clients;
    for (int i = 0; i < 100; ++i) {
      clients.emplace_back(guarded.server.address()->family());
      BOOST_REQUIRE(clients.back().connect(guarded.server.address().value()) == 0);
    }
    guarded.expect_blocked("last");
  }
  BOOST_TEST(open_descriptors() == before);
  BOOST_TEST(guarded.accepted.empty());
}

BEHAVIOUR(B51_a_waiting_accept_goes_on_waiting_awaited, ip_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    BlockList list;
    const std::string address = loopback(here);
    list.add_address(address);
    const ServerOptions options{.block_list = &list};
    Server server = co_await libnet::async_listen(here.io(), here.listen_options(), options);
    int accepted = 0;
    server.async_accept([&](error_code code, Socket socket) {
      BOOST_TEST(!code);
      ++accepted;
      socket.write("hello");
    });
    Socket blocked(here.io());
    co_await blocked.async_connect(here.connect_options(server));
    const libnet::Chunk nothing = co_await blocked.async_read();
    BOOST_TEST(!nothing);
    BOOST_TEST(accepted == 0);
    list.clear();
    Socket client(here.io());
    co_await client.async_connect(here.connect_options(server));
    const std::string greeting = (co_await client.async_read()).to_string();
    BOOST_TEST(greeting == "hello");
    BOOST_TEST(accepted == 1);
    server.close();
  }(world));
}

BEHAVIOUR(B51_serve_starts_no_handler_awaited, ip_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    BlockList list;
    const std::string address = loopback(here);
    list.add_address(address);
    const ServerOptions options{.block_list = &list};
    Server server(here.io(), options);
    server.serve([](const Socket&) -> asio::awaitable<void> {
      BOOST_ERROR("a handler for a blocked connection");
      co_return;
    });
    co_await server.async_listen(here.listen_options());
    Socket client = co_await libnet::async_connect(here.io(), here.connect_options(server));
    const libnet::Chunk nothing = co_await client.async_read();
    BOOST_TEST(!nothing);
    co_await server.async_close();
  }(world));
}

// --- the client ----------------------------------------------------------------------------------------------------

BEHAVIOUR(B105_a_literal_target, ip_wires) {
  Server server(world.io());
  server.on(event::connection, [](const Socket&) { BOOST_ERROR("a blocked connection"); });
  world.listen(server);
  BlockList list;
  list.add_address(loopback(world));
  Client client(world, list);
  world.connect(client.socket, server);
  BOOST_TEST(client.socket.connecting());
  world.run_until([&] { return client.closed; });
  const Log expected{"failed ERR_IP_BLOCKED " + loopback(world), "error ERR_IP_BLOCKED", "close(true)"};
  BOOST_TEST(client.log == expected, per_element);
  BOOST_TEST((client.failure.code() == Errc::ip_blocked));
  BOOST_TEST(client.failure.operation() == "connect");
  BOOST_TEST((client.failure.remote_address().value() == server.address().value()));
  BOOST_TEST(client.failure.message() == "connect " + loopback(world) + ":" + std::to_string(server.address()->port()) +
                                             ": the address is blocked by the block list");
  BOOST_TEST(client.failure.attempts().empty());
  BOOST_TEST(client.socket.attempted_addresses().empty());
}

BEHAVIOUR(B105_a_literal_target_awaited, ip_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    here.listen(server);
    BlockList list;
    const std::string address = loopback(here);
    list.add_address(address);
    const SocketOptions blocking{.block_list = &list};
    Socket socket(here.io(), blocking);
    const auto [code] = co_await socket.async_connect(here.connect_options(server), libnet::as_tuple);
    BOOST_TEST((code == Errc::ip_blocked));
    BOOST_TEST((socket.error().remote_address().value() == server.address().value()));
    try {
      co_await libnet::async_connect(here.io(), here.connect_options(server), blocking);
      BOOST_ERROR("connected to a blocked address");
    } catch (const libnet::SystemError& error) {
      BOOST_TEST((error.code() == Errc::ip_blocked));
      BOOST_TEST(error.what() == "connect " + address + ":" + std::to_string(server.address()->port()) +
                                     ": the address is blocked by the block list");
    }
    server.close();
  }(world));
}

BEHAVIOUR(B105_an_ipv4_rule_and_the_mapped_literal, any_wire) {
  BlockList list;
  list.add_cidr("127.0.0.0/8");
  Client client(world, list);
  client.socket.connect(static_cast<int>(world.refusing_options().port.value()), "::ffff:127.0.0.1");
  world.run_until([&] { return client.closed; });
  BOOST_TEST((client.failure.code() == Errc::ip_blocked));
}

BEHAVIOUR(B105_a_target_that_is_not_blocked, all_wires) {
  Server server(world.io());
  std::optional<Socket> accepted;
  server.on(event::connection, [&](Socket socket) { accepted = std::move(socket); });
  world.listen(server);
  BlockList list;
  list.add_address("192.0.2.1");
  Client client(world, list);
  world.connect(client.socket, server);
  world.run_until([&] { return accepted && !client.socket.connecting(); });
  BOOST_TEST((client.socket.error().code() == error_code()));
}

BEHAVIOUR(B105_a_unix_path_is_never_blocked, static_cast<unsigned>(Wire::unix_path)) {
  Server server(world.io());
  std::optional<Socket> accepted;
  server.on(event::connection, [&](Socket socket) { accepted = std::move(socket); });
  world.listen(server);
  BlockList list;
  list.add_subnet("::", 0);
  Client client(world, list);
  world.connect(client.socket, server);
  world.run_until([&] { return accepted.has_value(); });
}

BEHAVIOUR(B105_a_name_with_one_address, any_wire) {
  BlockList list;
  list.add_address("127.0.0.1");
  const auto port = static_cast<std::uint16_t>(world.refusing_options().port.value());
  for (const bool select : {true, false}) {
    Client client(world, list);
    client.connect({"127.0.0.1"}, port, {.auto_select_family = select});
    const Log expected{"lookup 127.0.0.1", "failed ERR_IP_BLOCKED 127.0.0.1", "error ERR_IP_BLOCKED", "close(true)"};
    BOOST_TEST(client.log == expected, per_element);
    BOOST_TEST(client.failure.attempts().empty());
    BOOST_TEST(client.failure.remote_address()->address() == "127.0.0.1");
  }
}

BEHAVIOUR(B105_the_systems_lookup, any_wire) {
  BlockList list;
  for (const auto range : libnet::private_ranges) list.add_cidr(range);
  Client client(world, list);
  client.socket.connect(static_cast<int>(world.refusing_options().port.value()), "localhost");
  world.run_until([&] { return client.closed; });
  BOOST_TEST((client.failure.code() == Errc::ip_blocked));
  BOOST_TEST(std::none_of(client.log.begin(), client.log.end(),
                          [](const std::string& entry) { return entry.starts_with("attempt"); }));
}

BEHAVIOUR(B105_each_of_several_is_blocked, any_wire) {
  BlockList list;
  list.add_cidr("127.0.0.0/8");
  Client client(world, list);
  client.connect({"127.0.0.1", "127.0.0.2"}, 80);
  const Log expected{
      "lookup 127.0.0.1",     "lookup 127.0.0.2", "failed ERR_IP_BLOCKED 127.0.0.1", "failed ERR_IP_BLOCKED 127.0.0.2",
      "error ERR_IP_BLOCKED", "close(true)"};
  BOOST_TEST(client.log == expected, per_element);
  BOOST_TEST((client.failure.code() == Errc::ip_blocked));
  BOOST_TEST_REQUIRE(client.failure.attempts().size() == 2u);
  for (const Error& attempt : client.failure.attempts()) BOOST_TEST((attempt.code() == Errc::ip_blocked));
  BOOST_TEST(client.failure.attempts()[1].remote_address()->address() == "127.0.0.2");
  BOOST_TEST(client.socket.attempted_addresses().empty());
}

BEHAVIOUR(B105_one_of_several_is_blocked_and_the_next_is_tried_at_once, any_wire) {
  Server server(world.io());
  std::optional<Socket> accepted;
  server.on(event::connection, [&](Socket socket) { accepted = std::move(socket); });
  world.listen(server);
  const std::uint16_t port = server.address()->port();
  world.use_manual_clock();  // nobody waits for an attempt's time
  BlockList list;
  list.add_address("127.0.0.2");
  Client client(world, list);
  client.connect({"127.0.0.2", "127.0.0.1"}, port);
  const Log expected{"lookup 127.0.0.2", "lookup 127.0.0.1", "failed ERR_IP_BLOCKED 127.0.0.2", "attempt 127.0.0.1",
                     "connect"};
  BOOST_TEST(client.log == expected, per_element);
  const Log attempted{"127.0.0.1:" + std::to_string(port)};
  BOOST_TEST(client.socket.attempted_addresses() == attempted, per_element);
}

BEHAVIOUR(B105_a_blocked_one_between_refused_ones, any_wire) {
  const auto port = static_cast<std::uint16_t>(world.refusing_options().port.value());
  BlockList list;
  list.add_address("127.0.0.2");
  Client client(world, list);
  client.connect({"127.0.0.1", "127.0.0.2", "127.0.0.3"}, port);
  const Log expected{"lookup 127.0.0.1",
                     "lookup 127.0.0.2",
                     "lookup 127.0.0.3",
                     "attempt 127.0.0.1",
                     "failed ECONNREFUSED 127.0.0.1",
                     "failed ERR_IP_BLOCKED 127.0.0.2",
                     "attempt 127.0.0.3",
                     "failed ECONNREFUSED 127.0.0.3",
                     "error ECONNREFUSED",
                     "close(true)"};
  BOOST_TEST(client.log == expected, per_element);
  const std::string number = std::to_string(port);
  BOOST_TEST(client.failure.message() == "connect ECONNREFUSED 127.0.0.1:" + number + "; connect 127.0.0.2:" + number +
                                             ": the address is blocked by the block list; " +
                                             "connect ECONNREFUSED 127.0.0.3:" + number);
}

BEHAVIOUR(B105_only_the_first_counts_without_selection, any_wire) {
  BlockList list;
  list.add_address("127.0.0.1");
  Client client(world, list);
  client.connect({"127.0.0.1", "127.0.0.2"}, 80, {.auto_select_family = false});
  const Log expected{"lookup 127.0.0.1", "failed ERR_IP_BLOCKED 127.0.0.1", "error ERR_IP_BLOCKED", "close(true)"};
  BOOST_TEST(client.log == expected, per_element);
}

BEHAVIOUR(B105_a_blocked_last_one_waits_for_the_attempt_that_goes_on, any_wire) {
  FullAddress slow(world, "127.0.0.2");
  BOOST_TEST_REQUIRE(!slow.failed());
  world.use_manual_clock();
  BlockList list;
  list.add_address("127.0.0.1");
  Client client(world, list);
  const Lookup lookup = answering({"127.0.0.2", "127.0.0.1"});
  client.socket.connect({.host = "name.test", .port = slow.address().port(), .lookup = &lookup});
  world.run_until([&] { return client.log.size() == 3; });
  world.advance(250ms);
  world.run_until([&] { return client.log.size() == 5; });
  slow.make_room();
  world.run_until([&] { return client.log.back() == "connect"; });
  const Log expected{"lookup 127.0.0.2",
                     "lookup 127.0.0.1",
                     "attempt 127.0.0.2",
                     "timeout 127.0.0.2",
                     "failed ERR_IP_BLOCKED 127.0.0.1",
                     "connect"};
  BOOST_TEST(client.log == expected, per_element);
}

BEHAVIOUR(B105_rules_of_today_count_from_the_next_connect_on, ip_wires) {
  Server server(world.io());
  std::optional<Socket> accepted;
  server.on(event::connection, [&](Socket socket) { accepted = std::move(socket); });
  world.listen(server);
  BlockList list;
  list.add_address(loopback(world));
  Socket socket(world.io(), {.block_list = &list});
  Log log;
  const auto connect = [&] {
    socket.on(event::connect, [&] { log.emplace_back("connect"); });
    socket.on(event::error, [&](const Error& error) { log.push_back(error.name()); });
    socket.on(event::close, [&](bool) { log.emplace_back("close"); });
    world.connect(socket, server);
  };
  connect();
  world.run_until([&] { return !log.empty() && log.back() == "close"; });
  list.clear();
  connect();
  world.run_until([&] { return accepted && log.back() == "connect"; });
  const Log expected{"ERR_IP_BLOCKED", "close", "connect"};
  BOOST_TEST(log == expected, per_element);
  socket.remove_all(event::close);
  socket.destroy();
}
