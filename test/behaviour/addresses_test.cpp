#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "support/behaviour.hpp"
#include "support/network_namespace.hpp"

using namespace libnet::test;
using libnet::BlockList;
using libnet::ConnectOptions;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::ListenOptions;
using libnet::Lookup;
using libnet::LookupAddress;
using libnet::LookupAnswer;
using libnet::LookupOptions;
using libnet::LookupResult;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;
using libnet::SystemError;

// Which address, port or path is meant, and what cannot be meant.

namespace {

constexpr auto one_wire = static_cast<unsigned>(Wire::tcp4);
constexpr auto name_wires = one_wire | static_cast<unsigned>(Wire::memory);
constexpr auto tcp6_wire = static_cast<unsigned>(Wire::tcp6);
constexpr auto unix_wire = static_cast<unsigned>(Wire::unix_path);

Lookup answering(std::vector<LookupAddress> addresses) {
  return [addresses](std::string_view, const LookupOptions&, const LookupAnswer& answer) { answer(addresses); };
}

/// What comes of a connect that fails, in order, and the error.
struct Failing {
  explicit Failing(World& world, const ConnectOptions& options, const libnet::SocketOptions& how = {})
      : socket(world.io(), how) {
    bool closed = false;
    socket.on(event::lookup, [&](const LookupResult& result) { log.push_back("lookup " + result.address); });
    socket.on(event::connection_attempt, [&](const SocketAddress&) { log.push_back("attempt"); });
    socket.on(event::connection_attempt_failed,
              [&](const SocketAddress&, const Error& what) { log.push_back("failed " + what.name()); });
    socket.on(event::connect, [&] { log.push_back("connect"); });
    socket.on(event::error, [&](const Error& what) { error = what; });
    socket.on(event::close, [&](bool) { closed = true; });
    socket.connect(options);
    world.run_until([&] { return closed; });
    world.settle();
  }

  Socket socket;
  Log log;
  Error error;
};

template <class Call>
void expect_refused(Errc code, Call call) {
  BOOST_TEST((thrown_by(call) == code));
}

asio::awaitable<error_code> connect_code(Socket socket, const ConnectOptions& options) {
  const auto [code] = co_await socket.async_connect(options, libnet::as_tuple);
  co_return code;
}

asio::awaitable<error_code> listen_code(Server server, const ListenOptions& options) {
  const auto [code] = co_await server.async_listen(options, libnet::as_tuple);
  co_return code;
}

using namespace std::string_view_literals;

}  // namespace

// --- one address, one attempt --------------------------------------------------------------------------------------

BEHAVIOUR(B261_an_address_that_was_found_twice_is_tried_once, name_wires) {
  ConnectOptions options = world.refusing_options();
  options.host = "name.test";
  for (const auto& answer : std::vector<std::vector<LookupAddress>>{
           {{"127.0.0.1", 4}, {"127.0.0.1", 4}},
           {{"127.0.0.1"}, {"127.0.0.1", 4}, {"127.0.0.1"}},
           {{"127.0.0.1"}, {"elsewhere", 4, SocketAddress::ip("127.0.0.1", 0)}},
           {{"::1", 6}, {"0:0:0:0:0:0:0:1", 6}, {"::0001"}},
       }) {
    const Lookup lookup = answering(answer);
    options.lookup = &lookup;
    const Failing found(world, options);
    expect(found.log, Log{"lookup " + answer.front().address, "attempt", "failed ECONNREFUSED"});
    BOOST_TEST(found.error.attempts().empty());
    BOOST_TEST(found.error.message().starts_with("connect ECONNREFUSED "));
    BOOST_TEST(found.socket.attempted_addresses().size() == 1U);
  }
}

BEHAVIOUR(B261_of_several_addresses_each_is_tried_once, name_wires) {
  ConnectOptions options = world.refusing_options();
  const Lookup lookup = answering({{"127.0.0.1"}, {"::1"}, {"127.0.0.1"}, {"::1"}});
  options.host = "name.test";
  options.lookup = &lookup;
  const Failing found(world, options);
  BOOST_TEST(found.error.attempts().size() == 2U);
  BOOST_TEST(found.socket.attempted_addresses().size() == 2U);
  BlockList list;
  list.add_address(SocketAddress::ip("127.0.0.1", 0));
  const Lookup twice = answering({{"127.0.0.1"}, {"127.0.0.1"}});
  options.lookup = &twice;
  const Failing blocked(world, options, {.block_list = &list});
  expect(blocked.log, Log{"lookup 127.0.0.1", "failed " + Error(Errc::ip_blocked).name()});
  BOOST_TEST(blocked.error.attempts().empty());
}

BEHAVIOUR(B261_an_address_that_was_found_twice_is_tried_once_awaited, name_wires) {
  ConnectOptions options = world.refusing_options();
  const Lookup lookup = answering({{"127.0.0.1"}, {"127.0.0.1"}});
  options.host = "name.test";
  options.lookup = &lookup;
  world.await([](Socket socket, const ConnectOptions& where) -> asio::awaitable<void> {
    BOOST_TEST((co_await connect_code(socket, where) == asio::error::connection_refused));
    BOOST_TEST(socket.error().attempts().empty());
    BOOST_TEST(socket.attempted_addresses().size() == 1U);
  }(Socket(world.io()), options));
}

// --- hosts that are none, and the one that is meant by none ---------------------------------------------------------

BEHAVIOUR(B262_a_host_with_nul_is_refused, name_wires) {
  Socket socket(world.io());
  Server server(world.io());
  for (const std::string_view host : {"127.0.0.1\0x"sv, "127.0.0.1\0"sv, "localhost\0.evil"sv, "\0"sv, "::1\0"sv}) {
    BOOST_TEST(libnet::is_ip(host) == 0);
    expect_refused(Errc::invalid_address, [&] { static_cast<void>(SocketAddress::ip(host, 80)); });
    expect_refused(Errc::invalid_address, [&] { socket.connect({.host = host, .port = 80}); });
    expect_refused(Errc::invalid_address, [&] { socket.connect(80, host); });
    expect_refused(Errc::invalid_address, [&] { socket.connect({.port = 80, .local_address = host}); });
    expect_refused(Errc::invalid_address, [&] { libnet::connect(world.io(), {.host = host, .port = 80}); });
    expect_refused(Errc::invalid_address, [&] { server.listen({.host = host}); });
    expect_refused(Errc::invalid_address, [&] { server.listen(0, host); });
  }
  BOOST_TEST(!socket.connecting());
  BOOST_TEST(!server.listening());
}

BEHAVIOUR(B262_a_host_with_nul_is_refused_awaited, name_wires) {
  world.await([](Socket socket, Server server) -> asio::awaitable<void> {
    const auto host = "127.0.0.1\0.test"sv;
    BOOST_TEST((co_await connect_code(socket, {.host = host, .port = 80}) == Errc::invalid_address));
    BOOST_TEST((co_await connect_code(socket, {.port = 80, .local_address = host}) == Errc::invalid_address));
    BOOST_TEST((co_await listen_code(server, {.host = host}) == Errc::invalid_address));
  }(Socket(world.io()), Server(world.io())));
}

BEHAVIOUR(B262_a_lookup_of_a_name_with_nul_fails, name_wires) {
  const Lookup direct = [](std::string_view, const LookupOptions& options, LookupAnswer answer) {
    libnet::system_lookup("localhost\0.test"sv, options, std::move(answer));
  };
  const Failing asked(world, {.host = "name.test", .port = 80, .lookup = &direct});
  BOOST_TEST((asked.error.code() == Errc::invalid_address));
  BOOST_TEST(asked.error.operation() == "getaddrinfo");
  const Lookup odd = answering({{"127.0.0.1" + std::string(1, '\0'), 4}});
  const Failing answered(world, {.host = "name.test", .port = 80, .lookup = &odd});
  BOOST_TEST((answered.error.code() == Errc::invalid_address));
}

BEHAVIOUR(B262_the_empty_host_is_the_default_host, name_wires) {
  Server server(world.io());
  world.listen(server);
  const int port = server.address()->port();
  for (const std::string_view host : {""sv, std::string_view()}) {
    Socket socket(world.io());
    bool connected = false;
    std::string asked;
    socket.on(event::lookup, [&](const LookupResult& result) { asked = result.host; });
    socket.connect({.host = host, .port = port, .family = 4}, [&] { connected = true; });
    world.run_until([&] { return connected; });
    BOOST_TEST(asked == "localhost");
    socket.destroy();
  }
  const Lookup direct = [](std::string_view, const LookupOptions& options, LookupAnswer answer) {
    libnet::system_lookup("", options, std::move(answer));
  };
  world.await([](Socket socket, int where, const Lookup& lookup) -> asio::awaitable<void> {
    co_await socket.async_connect({.host = "", .port = where, .family = 4});
    Socket other(socket.get_executor());
    co_await other.async_connect({.host = "name.test", .port = where, .family = 4, .lookup = &lookup});
  }(Socket(world.io()), port, direct));
  Server any(world.io());
  any.listen({.host = ""});
  BOOST_TEST(any.address()->address() == "::");
}

// --- zones ----------------------------------------------------------------------------------------------------------

BEHAVIOUR(B263_an_address_with_a_zone_goes_all_the_way, tcp6_wire) {
  for (const std::string zone : {"tun_vpn", "a@b", "x+y]", "wg-\xc3\xa9", "7"}) {
    NetworkNamespace network(zone);
    if (!network) return;
    network.add_address("fe80::1");
    const std::string text = "fe80::1%" + zone;
    BOOST_TEST(libnet::is_ipv6(text), text);
    Server server(world.io());
    server.listen({.host = text});
    BOOST_REQUIRE_MESSAGE(server.address().has_value(), server.error().message());
    const SocketAddress address = *server.address();
    BOOST_TEST(address.scope_id() == 1U);
    BOOST_TEST(address.address() == text);
    BOOST_TEST((SocketAddress::parse(address.to_string()) == address));
    int connected = 0;
    std::vector<Socket> sockets(4, Socket());
    for (Socket& socket : sockets) socket = Socket(world.io());
    sockets[0].connect(address, [&] { ++connected; });
    sockets[1].connect({.address = &address}, [&] { ++connected; });
    sockets[2].connect({.host = text, .port = address.port()}, [&] { ++connected; });
    sockets[3].connect({.host = text, .port = address.port(), .local_address = text}, [&] { ++connected; });
    world.run_until([&] { return connected == 4; });
    for (Socket& socket : sockets) BOOST_TEST((socket.remote_address() == address));
  }
}

BEHAVIOUR(B263_an_address_with_a_zone_goes_all_the_way_awaited, tcp6_wire) {
  NetworkNamespace network("tun_vpn");
  if (!network) return;
  network.add_address("fe80::1");
  world.await([](World& here) -> asio::awaitable<void> {
    Server server(here.io());
    co_await server.async_listen({.host = "fe80::1%tun_vpn"});
    const SocketAddress address = *server.address();
    Socket socket(here.io());
    co_await socket.async_connect({.address = &address});
    BOOST_TEST((socket.remote_address() == address));
    const Socket made = co_await libnet::async_connect(here.io(), {.address = &address});
    BOOST_TEST((made.remote_address() == address));
  }(world));
}

/// Its text would say another interface, or none.
BEHAVIOUR(B263_an_address_is_not_taken_for_its_text, tcp6_wire) {
  NetworkNamespace network("2");
  if (!network) return;
  network.add_address("fe80::1");
  const SocketAddress here = SocketAddress::ip("fe80::1%2", 0);  // the one called 2
  BOOST_TEST(here.scope_id() == 1U);
  Server server(world.io());
  const Lookup exact = answering({{"fe80::1", 6, here}});
  server.listen({.host = "name.test", .lookup = &exact});
  world.run_until([&] { return server.listening(); });
  BOOST_REQUIRE_MESSAGE(server.address().has_value(), server.error().message());
  const Lookup also = answering({{"fe80::1%3", 6, here.with_port(1)}});
  bool connected = false;
  Socket socket(world.io());
  socket.connect({.host = "name.test", .port = server.address()->port(), .lookup = &also}, [&] { connected = true; });
  world.run_until([&] { return connected; });
  // An address of interface 2, which does not exist: the text is "fe80::1%2" as well.
  sockaddr_storage native{};
  const auto size = server.address()->to_native(native);
  reinterpret_cast<sockaddr_in6&>(native).sin6_scope_id = 2;
  const auto gone = SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native), size).value();
  BOOST_TEST(gone.to_string() == server.address()->to_string());
  const Failing refused(world, {.address = &gone});
  BOOST_TEST((refused.error.remote_address() == gone));
}

BEHAVIOUR(B67_B263_every_kind_of_address_of_a_server_can_be_connected_to, all_wires) {
  Server server(world.io());
  world.listen(server);
  const SocketAddress address = *server.address();
  int connected = 0;
  Socket first(world.io());
  first.connect(address, [&] { ++connected; });
  const Socket second = libnet::connect(world.io(), {.address = &address}, [&] { ++connected; });
  world.await([](Socket third, const SocketAddress& where) -> asio::awaitable<void> {
    co_await third.async_connect({.host = "nowhere.test", .port = 1, .path = "/nowhere", .address = &where});
  }(Socket(world.io()), address));
  world.run_until([&] { return connected == 2; });
  expect_refused(Errc::invalid_argument, [&] { Socket(world.io()).connect(SocketAddress::unix_socket("")); });
}

BEHAVIOUR(B263_a_block_list_looks_at_the_address_and_not_at_its_zone, tcp6_wire) {
  BlockList list;
  list.add_address(SocketAddress::ip("fe80::1%1", 0));
  list.add_cidr("fe80:0:0:1::%tun_vpn/64");
  for (const char* text : {"fe80::1", "fe80::1%1", "fe80::1%2", "fe80:0:0:1::5%3"}) {
    BOOST_TEST(list.check(SocketAddress::ip(text, 80)), text);
  }
  BOOST_TEST(!list.check(SocketAddress::ip("fe80::2%1", 80)));
  const SocketAddress blocked = SocketAddress::ip("fe80::1%2", 80);
  const Failing found(world, {.address = &blocked}, {.block_list = &list});
  BOOST_TEST((found.error.code() == Errc::ip_blocked));
}

// --- where a connection comes from ----------------------------------------------------------------------------------

BEHAVIOUR(B264_a_local_address_that_cannot_be_bound, ip_wires) {
  const bool six = world.wire() == Wire::tcp6;
  const std::string foreign = six ? "2001:db8::1" : "192.0.2.1";
  ConnectOptions options = world.refusing_options();
  options.local_address = foreign;
  const Failing literal(world, options);
  BOOST_TEST(literal.log.empty());
  BOOST_TEST(literal.error.message() == "bind EADDRNOTAVAIL " + foreign);
  BOOST_TEST(literal.error.operation() == "bind");
  BOOST_TEST((literal.error.local_address() == SocketAddress::ip(foreign, 0)));
  BOOST_TEST(literal.socket.attempted_addresses().empty());
  const Lookup lookup = answering({{six ? "::1" : "127.0.0.1"}, {six ? "::2" : "127.0.0.2"}});
  options.host = "name.test";
  options.lookup = &lookup;
  const Failing several(world, options);
  expect(several.log, six ? Log{"lookup ::1", "lookup ::2"} : Log{"lookup 127.0.0.1", "lookup 127.0.0.2"});
  BOOST_TEST(several.error.message() == "bind EADDRNOTAVAIL " + foreign);
  options.auto_select_family = false;
  BOOST_TEST(Failing(world, options).error.message() == "bind EADDRNOTAVAIL " + foreign);
}

BEHAVIOUR(B264_a_local_port_that_is_taken, ip_wires) {
  Server taken(world.io());
  world.listen(taken);
  const ConnectOptions own = world.connect_options(taken);
  ConnectOptions options = world.refusing_options();
  options.local_address = own.host;
  options.local_port = own.port;
  const Failing found(world, options);
  BOOST_TEST(found.log.empty());
  BOOST_TEST(found.error.message() == "bind EADDRINUSE " + std::string(own.host) + ':' + std::to_string(*own.port));
}

BEHAVIOUR(B264_a_local_address_that_cannot_be_bound_awaited, ip_wires) {
  const bool six = world.wire() == Wire::tcp6;
  ConnectOptions options = world.refusing_options();
  options.local_address = six ? "2001:db8::1" : "192.0.2.1";
  world.await([](Socket socket, const ConnectOptions& where) -> asio::awaitable<void> {
    try {
      co_await socket.async_connect(where);
      BOOST_ERROR("connected");
    } catch (const SystemError& failure) {
      BOOST_TEST(failure.what() == "bind EADDRNOTAVAIL " + std::string(where.local_address));
    }
    BOOST_TEST(socket.attempted_addresses().empty());
  }(Socket(world.io()), options));
}

/// One family cannot be bound, the other connects.
BEHAVIOUR(B264_an_address_that_cannot_be_bound_for_leaves_the_others, one_wire) {
  Server server(world.io());
  world.listen(server);
  ConnectOptions options = world.connect_options(server);
  const Lookup lookup = answering({{"::1"}, {"127.0.0.1"}});
  options.host = "name.test";
  options.lookup = &lookup;
  options.local_address = "127.0.0.1";
  bool connected = false;
  Log log;
  Socket socket(world.io());
  socket.on(event::connection_attempt, [&](const SocketAddress& where) { log.push_back(where.address()); });
  socket.connect(options, [&] { connected = true; });
  world.run_until([&] { return connected; });
  expect(log, Log{"127.0.0.1"});
}

namespace {

/// Sixty connections to three servers, with twenty ports to pick from; and one more.
void expect_shared_ports(World& world, const std::string& host) {
  NetworkNamespace network;
  if (!network) return;
  network.set_picked_ports(40'000, 40'019);
  std::vector<Server> servers;
  std::vector<Socket> sockets;
  std::vector<Socket> accepted;
  int connected = 0;
  for (int port = 30'001; port <= 30'003; ++port) {
    servers.push_back(Server(world.io()).listen(port, host));
    servers.back().on(event::connection, [&](const Socket& socket) { accepted.push_back(socket); });
    for (int i = 0; i < 20; ++i) {
      sockets.emplace_back(world.io());
      sockets.back().on(event::error, [](const Error& error) { BOOST_FAIL(error.message()); });
      sockets.back().connect({.host = host, .port = port, .local_address = host}, [&] { ++connected; });
    }
  }
  world.run_until([&] { return connected == 60 && accepted.size() == 60; });
  const Failing one_more(world, {.host = host, .port = 30'001, .local_address = host});
  BOOST_TEST(one_more.error.name() == "EADDRNOTAVAIL");
  BOOST_TEST(one_more.error.operation() == "connect");
  for (Socket& socket : sockets) BOOST_TEST(socket.local_address()->address() == host);
}

}  // namespace

BEHAVIOUR(B265_connections_to_several_servers_share_local_ports, one_wire | tcp6_wire) {
  expect_shared_ports(world, world.wire() == Wire::tcp6 ? "::1" : "127.0.0.1");
}

BEHAVIOUR(B265_connections_to_several_servers_share_local_ports_awaited, one_wire | tcp6_wire) {
  const std::string host = world.wire() == Wire::tcp6 ? "::1" : "127.0.0.1";
  NetworkNamespace network;
  if (!network) return;
  network.set_picked_ports(40'000, 40'001);
  world.await([](World& here, const std::string& own) -> asio::awaitable<void> {
    std::vector<Socket> sockets;
    std::vector<Server> servers;
    for (int port = 30'001; port <= 30'003; ++port) {
      servers.emplace_back(here.io());
      co_await servers.back().async_listen({.host = own, .port = port});
      for (int i = 0; i < 2; ++i) {
        sockets.emplace_back(here.io());
        co_await sockets.back().async_connect({.host = own, .port = port, .local_address = own});
      }
    }
  }(world, host));
}

// --- paths and ports by their text ------------------------------------------------------------------------------------

BEHAVIOUR(B266_an_empty_path_is_refused, all_wires) {
  Server server(world.io());
  const std::string nothing;
  expect_refused(Errc::invalid_argument, [&] { server.listen(""); });
  expect_refused(Errc::invalid_argument, [&] { server.listen(nothing); });
  expect_refused(Errc::invalid_argument, [&] { server.listen(""sv); });
  expect_refused(Errc::invalid_argument, [&] { server.listen("\0name"); });  // what a C string is up to its NUL
  expect_refused(Errc::invalid_argument, [&] { server.listen("", [] { BOOST_ERROR("listens"); }); });
  expect_refused(Errc::invalid_argument, [&] { server.listen(nothing, 8); });
  expect_refused(Errc::invalid_argument, [&] { server.listen({.path = ""}); });
  expect_refused(Errc::invalid_argument, [&] { server.listen({.path = nothing}); });
  expect_refused(Errc::invalid_argument, [&] { server.listen({.host = "localhost", .path = ""}); });
  expect_refused(Errc::invalid_argument, [&] { server.listen({.path = "", .fd = 0}); });
  BOOST_TEST(!server.listening());
  Socket socket(world.io());
  expect_refused(Errc::invalid_argument, [&] { socket.connect(""); });
  expect_refused(Errc::invalid_argument, [&] { socket.connect(nothing); });
  expect_refused(Errc::invalid_argument, [&] { socket.connect("\0name"); });
  expect_refused(Errc::invalid_argument, [&] { socket.connect({.path = ""}); });
  BOOST_TEST(!socket.connecting());
  if (!world.is_unix()) server.listen({.port = 0, .path = ""});  // the port wins
  if (!world.is_unix()) BOOST_TEST(server.listening());
}

BEHAVIOUR(B266_an_empty_path_is_refused_awaited, all_wires) {
  world.await([](Server server, Socket socket) -> asio::awaitable<void> {
    const std::string nothing;
    BOOST_TEST((co_await listen_code(server, {.path = ""}) == Errc::invalid_argument));
    BOOST_TEST((co_await listen_code(server, {.path = nothing}) == Errc::invalid_argument));
    BOOST_TEST((co_await connect_code(socket, {.path = nothing}) == Errc::invalid_argument));
    const auto [code, made] = co_await libnet::async_listen(server.get_executor(), {.path = ""}, libnet::as_tuple);
    BOOST_TEST((code == Errc::invalid_argument));
    BOOST_TEST(!made.listening());
    BOOST_TEST(!server.listening());
  }(Server(world.io()), Socket(world.io())));
}

BEHAVIOUR(B267_a_decimal_number_is_a_port, ip_wires) {
  const int port = world.unused_options().port.value();
  const std::string text = std::to_string(port);
  Server server(world.io());
  bool listening = false;
  server.listen(text, 8, [&] { listening = true; });
  world.run_until([&] { return listening; });
  BOOST_TEST(server.address()->port() == port);
  BOOST_TEST(server.address()->address() == "::");
  int connected = 0;
  std::vector<Socket> sockets(4, Socket());
  for (Socket& socket : sockets) socket = Socket(world.io());
  sockets[0].connect(text, [&] { ++connected; });
  sockets[1].connect(std::string_view(text), [&] { ++connected; });
  sockets[2].connect(text.c_str(), [&] { ++connected; });
  sockets[3].connect("000" + text, [&] { ++connected; });
  world.run_until([&] { return connected == 4; });
  Server any(world.io());
  any.listen("0");
  BOOST_TEST(any.address()->port() > 100);
}

BEHAVIOUR(B267_a_decimal_number_that_is_no_port_is_refused, all_wires) {
  Server server(world.io());
  Socket socket(world.io());
  for (const std::string text : {"65536", "99999", "4294967376", "18446744073709551696", "00000000065536"}) {
    expect_refused(Errc::bad_port, [&] { server.listen(text); });
    expect_refused(Errc::bad_port, [&] { server.listen(text, 8); });
    expect_refused(Errc::bad_port, [&] { socket.connect(text); });
    expect_refused(Errc::bad_port, [&] { socket.connect(text.c_str(), [] {}); });
  }
  BOOST_TEST(!server.listening());
  BOOST_TEST(!socket.connecting());
}

BEHAVIOUR(B267_what_is_no_decimal_number_is_a_path, unix_wire) {
  for (const std::string text : {"-1", "+1", "0x50", "8080a", " 8080", "8e1", "80.0", "./8080"}) {
    Error failure;
    Socket socket(world.io());
    socket.on(event::error, [&](const Error& error) { failure = error; });
    socket.connect(text);
    world.run_until([&] { return static_cast<bool>(failure); });
    BOOST_TEST(failure.message() == "connect ENOENT " + text);
  }
  BOOST_TEST(Failing(world, {.path = "8080"}).error.message() == "connect ENOENT 8080");  // said to be a path
}

BEHAVIOUR(B268_a_path_that_begins_with_at_is_no_abstract_name, unix_wire) {
  const std::string name = "@" + std::filesystem::path(world.new_path()).parent_path().filename().string();
  const SocketAddress file = SocketAddress::unix_socket(name);
  BOOST_TEST(file.address() == name);
  BOOST_TEST(file.to_string() == "unix:./" + name);
  const SocketAddress abstract = SocketAddress::unix_socket('\0' + name.substr(1));
  BOOST_TEST(abstract.to_string() == "unix:" + name);
  BOOST_TEST((SocketAddress::parse(abstract.to_string()) == abstract));
  BOOST_TEST(SocketAddress::parse(file.to_string())->address() == "./" + name);
  Server server(world.io());
  server.listen(name);
  BOOST_REQUIRE_MESSAGE(server.address().has_value(), server.error().message());
  bool connected = false;
  Socket socket(world.io());
  socket.connect(*SocketAddress::parse(server.address()->to_string()), [&] { connected = true; });
  world.run_until([&] { return connected; });
  const Failing nobody(world, {.address = &abstract});
  BOOST_TEST(nobody.error.message() == "connect ECONNREFUSED " + name);
  server.close();
  const Failing nothing(world, {.path = name});
  BOOST_TEST(nothing.error.message() == "connect ENOENT ./" + name);
}
