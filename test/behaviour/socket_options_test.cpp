#include "support/behaviour.hpp"

#include <dlfcn.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <climits>

using namespace libnet::test;
using libnet::Errc;
using libnet::Server;
using libnet::Socket;
using libnet::SocketOptions;

// What the options do to the descriptor, and how often the system is asked for it.

namespace {

struct OptionCall {
  int descriptor;
  int level;
  int name;
};

std::vector<OptionCall>& option_calls() {
  static std::vector<OptionCall> calls;
  return calls;
}

std::size_t calls_for(const Socket& socket, int level, int name) {
  return static_cast<std::size_t>(
      std::count_if(option_calls().begin(), option_calls().end(), [&](const OptionCall& call) {
        return call.descriptor == socket.native_handle() && call.level == level && call.name == name;
      }));
}

std::size_t no_delay_calls(const Socket& socket) { return calls_for(socket, IPPROTO_TCP, TCP_NODELAY); }
std::size_t keep_alive_calls(const Socket& socket) { return calls_for(socket, SOL_SOCKET, SO_KEEPALIVE); }

int option(const Socket& socket, int level, int name) {
  int value = -1;
  socklen_t length = sizeof value;
  BOOST_REQUIRE(::getsockopt(socket.native_handle(), level, name, &value, &length) == 0);
  return value;
}

bool no_delay(const Socket& socket) { return option(socket, IPPROTO_TCP, TCP_NODELAY) != 0; }
bool keep_alive(const Socket& socket) { return option(socket, SOL_SOCKET, SO_KEEPALIVE) != 0; }
int idle_seconds(const Socket& socket) { return option(socket, IPPROTO_TCP, TCP_KEEPIDLE); }

/// The kernel keeps the two lowest bits of a TCP connection, ECN, to itself.
constexpr int mask = 0xFC;

int type_of_service(World& world, const Socket& socket) {
  return world.wire() == Wire::tcp6 ? option(socket, IPPROTO_IPV6, IPV6_TCLASS) : option(socket, IPPROTO_IP, IP_TOS);
}
std::size_t type_of_service_calls(World& world, const Socket& socket) {
  return world.wire() == Wire::tcp6 ? calls_for(socket, IPPROTO_IPV6, IPV6_TCLASS)
                                    : calls_for(socket, IPPROTO_IP, IP_TOS);
}

/// A connected pair; descriptors are used again, so the calls are counted from here.
World::Pair fresh_pair(World& world, const SocketOptions& client = {}, const SocketOptions& accepted = {}) {
  option_calls().clear();
  return world.pair(client, accepted);
}

void leave(World& world, World::Pair& pair) {
  pair.client.destroy();
  pair.server.destroy();
  world.run();
}

}  // namespace

/// Stands in for the system's in this program, and counts.
extern "C" int setsockopt(int descriptor, int level, int name, const void* value, socklen_t length) noexcept {
  using Function = int (*)(int, int, int, const void*, socklen_t);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "setsockopt"));
  option_calls().push_back({descriptor, level, name});
  return real(descriptor, level, name, value, length);
}

BEHAVIOUR(B189_R71_no_delay_is_set_once_when_asked_for_and_never_touched_otherwise, tcp_wires) {
  auto with = fresh_pair(world, {.no_delay = true}, {.no_delay = true});
  BOOST_TEST(no_delay(with.client));
  BOOST_TEST(no_delay(with.server));
  BOOST_TEST(no_delay_calls(with.client) == 1U);
  BOOST_TEST(no_delay_calls(with.server) == 1U);
  leave(world, with);
  auto without = fresh_pair(world);
  BOOST_TEST(!no_delay(without.client));
  BOOST_TEST(!no_delay(without.server));
  BOOST_TEST(no_delay_calls(without.client) == 0U);
  BOOST_TEST(no_delay_calls(without.server) == 0U);
  leave(world, without);
}

BEHAVIOUR(B189_B193_setters_before_connect_are_remembered, tcp_wires) {
  for (const bool awaited : {true, false}) {
    option_calls().clear();
    Server server(world.io());
    server.on(event::connection, [](Socket socket) { socket.on(event::end, [] {}); });
    world.listen(server);
    Socket client(world.io());
    client.set_no_delay().set_no_delay(false).set_no_delay(true);
    client.set_keep_alive(true, 7s).set_keep_alive({.enable = true, .initial_delay = 8s, .interval = 3s, .count = 5});
    const auto options = world.connect_options(server);
    if (awaited) {
      world.await([](Socket socket, libnet::ConnectOptions where) -> asio::awaitable<void> {
        co_await socket.async_connect(where);
      }(client, options));
    } else {
      client.connect(options);
      world.run_until([&] { return !client.pending(); });
    }
    BOOST_TEST(no_delay(client));
    BOOST_TEST(no_delay_calls(client) == 1U);
    BOOST_TEST(keep_alive(client));
    BOOST_TEST(keep_alive_calls(client) == 1U);
    BOOST_TEST(idle_seconds(client) == 8);
    BOOST_TEST(option(client, IPPROTO_TCP, TCP_KEEPINTVL) == 3);
    BOOST_TEST(option(client, IPPROTO_TCP, TCP_KEEPCNT) == 5);
    server.close();
    client.destroy();
    world.run();
  }
}

BEHAVIOUR(B190_set_no_delay_defaults_to_true_and_repeats_without_a_system_call, tcp_wires) {
  auto pair = fresh_pair(world);
  pair.client.set_no_delay();
  BOOST_TEST(no_delay(pair.client));
  BOOST_TEST(no_delay_calls(pair.client) == 1U);
  pair.client.set_no_delay().set_no_delay(true);
  BOOST_TEST(no_delay_calls(pair.client) == 1U);
  pair.client.set_no_delay(false);
  BOOST_TEST(!no_delay(pair.client));
  BOOST_TEST(no_delay_calls(pair.client) == 2U);
  pair.client.set_no_delay(false);
  BOOST_TEST(no_delay_calls(pair.client) == 2U);
  leave(world, pair);
}

BEHAVIOUR(B191_the_initial_delay_is_cut_to_whole_seconds, tcp_wires) {
  auto plain = fresh_pair(world);
  const int kernels = idle_seconds(plain.client);
  BOOST_TEST(keep_alive_calls(plain.client) == 0U);
  leave(world, plain);
  const std::vector<std::pair<std::chrono::milliseconds, int>> delays{
      {123ms, kernels}, {456'123ms, 456}, {-5s, kernels}, {0ms, kernels}, {1999ms, 1}};
  for (const auto& [delay, seconds] : delays) {
    auto pair = fresh_pair(world, {.keep_alive = true, .keep_alive_initial_delay = delay});
    BOOST_TEST(keep_alive(pair.client));
    BOOST_TEST(idle_seconds(pair.client) == seconds);
    BOOST_TEST(!keep_alive(pair.server));
    BOOST_TEST(keep_alive_calls(pair.server) == 0U);
    leave(world, pair);
  }
  auto only_delay = fresh_pair(world, {.keep_alive_initial_delay = 9s});
  BOOST_TEST(!keep_alive(only_delay.client));
  BOOST_TEST(idle_seconds(only_delay.client) == kernels);
  leave(world, only_delay);
}

BEHAVIOUR(B191_the_initial_delay_of_an_awaited_connect_awaited, tcp_wires) {
  option_calls().clear();
  Server server(world.io());
  world.listen(server);
  world.await([](World& here, const Server& to) -> asio::awaitable<void> {
    const libnet::ConnectOptions where = here.connect_options(to);
    const Socket plain = co_await libnet::async_connect(here.io(), where);
    BOOST_TEST(!keep_alive(plain));
    BOOST_TEST(keep_alive_calls(plain) == 0U);
    const int kernels = idle_seconds(plain);
    const std::vector<std::pair<std::chrono::milliseconds, int>> delays{
        {123ms, kernels}, {456'123ms, 456}, {-5s, kernels}, {0ms, kernels}};
    for (const auto& [delay, seconds] : delays) {
      const SocketOptions options{.keep_alive = true, .keep_alive_initial_delay = delay};
      const Socket client = co_await libnet::async_connect(here.io(), where, options);
      BOOST_TEST(keep_alive(client));
      BOOST_TEST(idle_seconds(client) == seconds);
    }
  }(world, server));
}

BEHAVIOUR(B273_keep_alive_values_become_the_nearest_possible_ones, tcp_wires) {
  auto pair = fresh_pair(world);
  const auto expect_values = [&](int idle, int interval, int count) {
    BOOST_TEST(idle_seconds(pair.client) == idle);
    BOOST_TEST(option(pair.client, IPPROTO_TCP, TCP_KEEPINTVL) == interval);
    BOOST_TEST(option(pair.client, IPPROTO_TCP, TCP_KEEPCNT) == count);
  };
  pair.client.set_keep_alive({.enable = true, .initial_delay = 32'768s, .interval = 40'000s, .count = 128});
  expect_values(32'767, 32'767, 127);
  pair.client.set_keep_alive({.enable = true, .initial_delay = 1s, .interval = 1ms, .count = 1});
  expect_values(1, 1, 1);
  constexpr auto longest = std::chrono::milliseconds::max();
  pair.client.set_keep_alive({.enable = true, .initial_delay = longest, .interval = longest, .count = INT_MAX});
  expect_values(32'767, 32'767, 127);
  leave(world, pair);
  auto given = fresh_pair(world, {.keep_alive = true, .keep_alive_initial_delay = longest},
                          {.keep_alive = true, .keep_alive_initial_delay = 50'000s});
  BOOST_TEST(idle_seconds(given.client) == 32'767);
  BOOST_TEST(idle_seconds(given.server) == 32'767);
  leave(world, given);
}

BEHAVIOUR(B273_negative_intervals_and_counts_are_out_of_range, tcp_wires) {
  auto pair = fresh_pair(world);
  for (const libnet::KeepAlive& negative :
       {libnet::KeepAlive{.enable = true, .interval = -1ms}, libnet::KeepAlive{.enable = true, .count = -1}}) {
    BOOST_TEST((thrown_by([&] { pair.client.set_keep_alive(negative); }) == Errc::out_of_range));
  }
  BOOST_TEST(!keep_alive(pair.client));
  leave(world, pair);
}

BEHAVIOUR(B278_marks_that_contradict_each_other, tcp_wires) {
  const SocketOptions contradictions[] = {{.high_water_mark = 10, .low_water_mark = 11},
                                          {.low_water_mark = 64 * 1024 + 1},
                                          {.high_water_mark = 11, .max_buffered = 10},
                                          {.max_buffered = 64 * 1024 - 1}};
  for (const SocketOptions& options : contradictions) {
    BOOST_TEST((thrown_by([&] { Socket(world.io(), options); }) == Errc::invalid_argument));
    BOOST_TEST((thrown_by([&] { Server(world.io(), {.socket = options}); }) == Errc::invalid_argument));
    BOOST_TEST((thrown_by([&] { libnet::connect(world.io(), {.port = 1}, options); }) == Errc::invalid_argument));
  }
  for (const SocketOptions& options : {SocketOptions{.high_water_mark = 10, .low_water_mark = 10, .max_buffered = 10},
                                       SocketOptions{.high_water_mark = 100'000'000, .low_water_mark = 100'000'000},
                                       SocketOptions{.high_water_mark = 0}}) {
    BOOST_TEST(!thrown_by([&] { Socket(world.io(), options); }));
    BOOST_TEST(!thrown_by([&] { Server(world.io(), {.socket = options}); }));
  }
}

BEHAVIOUR(B278_no_write_is_lost_before_one_has_returned_false, all_wires) {
  for (const SocketOptions& options :
       {SocketOptions{.high_water_mark = 1000, .max_buffered = 1000}, SocketOptions{.high_water_mark = 80'000'000}}) {
    auto [client, server] = world.pair(options);
    server.pause();
    client.cork();
    const libnet::Bytes block(std::string(1'000'000, 'x'));
    int refused = 0;
    bool full = false;
    while (!full) {
      full = !client.write(block, [&](const libnet::error_code& code, std::size_t) {
        if (code == Errc::overflow) ++refused;
      });
    }
    world.settle();
    BOOST_TEST(refused == 0);
    client.destroy();
    server.destroy();
    world.run();
  }
}

BEHAVIOUR(B192_a_server_s_keep_alive_is_applied_on_accept, tcp_wires) {
  auto pair = fresh_pair(world, {}, {.keep_alive = true, .keep_alive_initial_delay = 1s});
  BOOST_TEST(keep_alive(pair.server));
  BOOST_TEST(idle_seconds(pair.server) == 1);
  BOOST_TEST(keep_alive_calls(pair.server) == 1U);
  const std::size_t calls = option_calls().size();
  pair.server.set_keep_alive(true, 1s);
  BOOST_TEST(option_calls().size() == calls);
  pair.server.set_keep_alive(true, 2s);
  BOOST_TEST(idle_seconds(pair.server) == 2);
  pair.server.set_keep_alive(true, 3s);
  BOOST_TEST(idle_seconds(pair.server) == 3);
  pair.server.set_keep_alive(false);
  BOOST_TEST(!keep_alive(pair.server));
  leave(world, pair);
}

BEHAVIOUR(B194_idle_connections_with_keep_alive_stay_open, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair({.keep_alive = true, .keep_alive_initial_delay = 1s}, {.keep_alive = true});
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  for (const auto idle : {100ms, 600ms, 3'600'000ms}) {
    world.advance(idle);
    world.settle();
    BOOST_TEST((client.ready_state() == libnet::ReadyState::open));
    BOOST_TEST((server.ready_state() == libnet::ReadyState::open));
  }
  BOOST_TEST(recorder.log().empty());
  client.end("x");
  world.run();
  BOOST_TEST(recorder.received("server") == "x");
}

BEHAVIOUR(B194_idle_connections_with_keep_alive_stay_open_awaited, all_wires) {
  world.use_manual_clock();
  auto [client, server] = world.pair({.keep_alive = true, .keep_alive_initial_delay = 1s}, {.keep_alive = true});
  std::string got;
  world.spawn([](Socket socket, std::string& into) -> asio::awaitable<void> {
    const libnet::Chunk chunk = co_await socket.async_read();
    into = chunk.to_string();
  }(server, got));
  for (const auto idle : {100ms, 600ms, 3'600'000ms}) {
    world.advance(idle);
    world.settle();
    BOOST_TEST((client.ready_state() == libnet::ReadyState::open));
    BOOST_TEST((server.ready_state() == libnet::ReadyState::open));
    BOOST_TEST(got.empty());
  }
  world.await([](Socket socket) -> asio::awaitable<void> { co_await socket.async_write("x"); }(client));
  world.run_until([&] { return got == "x"; });
}

BEHAVIOUR(B195_type_of_service_is_applied_once_at_connect_and_later_changes_take_effect, tcp_wires) {
  for (const bool by_option : {true, false}) {
    option_calls().clear();
    Server server(world.io());
    server.on(event::connection, [](Socket socket) { socket.on(event::end, [] {}); });
    world.listen(server);
    Socket client(world.io(), by_option ? SocketOptions{.type_of_service = 0x10} : SocketOptions{});
    if (!by_option) client.set_type_of_service(0x20).set_type_of_service(0x10);
    BOOST_TEST(client.type_of_service() == 0x10);
    world.connect(client, server);
    world.run_until([&] { return !client.pending(); });
    BOOST_TEST(client.type_of_service() == 0x10);
    BOOST_TEST(type_of_service(world, client) == 0x10);
    BOOST_TEST(type_of_service_calls(world, client) == 1U);
    client.set_type_of_service(0x10);
    BOOST_TEST(type_of_service_calls(world, client) == 1U);
    for (const int value : {0x00, 0xFF, 0x3F, 0x10, 0x00}) {
      client.set_type_of_service(value);
      BOOST_TEST((client.type_of_service() & mask) == (value & mask));
      BOOST_TEST((type_of_service(world, client) & mask) == (value & mask));
    }
    server.close();
    client.destroy();
    world.run();
  }
}

BEHAVIOUR(B195_type_of_service_is_applied_by_async_connect_awaited, tcp_wires) {
  Server server(world.io());
  server.on(event::connection, [](Socket socket) { socket.on(event::end, [] {}); });
  world.listen(server);
  const auto options = world.connect_options(server);
  world.await([](libnet::ConnectOptions where) -> asio::awaitable<void> {
    Socket client =
        co_await libnet::async_connect(co_await asio::this_coro::executor, where, {.type_of_service = 0x3C});
    BOOST_TEST(client.type_of_service() == 0x3C);
    client.set_type_of_service(0xFF);
    BOOST_TEST((client.type_of_service() & mask) == 0xFC);
    client.destroy();
  }(options));
  server.close();
  world.run();
}

BEHAVIOUR(B195_an_accepted_socket_has_a_type_of_service_too_and_untouched_nothing_is_set, tcp_wires) {
  auto pair = fresh_pair(world);
  BOOST_TEST(pair.client.type_of_service() == 0);
  BOOST_TEST(type_of_service_calls(world, pair.client) == 0U);
  pair.server.set_type_of_service(0x28);
  BOOST_TEST(type_of_service(world, pair.server) == 0x28);
  BOOST_TEST(pair.server.type_of_service() == 0x28);
  leave(world, pair);
}

BEHAVIOUR(B195_type_of_service_outside_its_range_throws, all_wires) {
  auto [client, server] = world.pair();
  for (const int value : {-1, 256, 0x10010, INT_MIN, INT_MAX}) {
    BOOST_TEST(thrown_by([&] { client.set_type_of_service(value); }) == Errc::out_of_range);
    BOOST_TEST(thrown_by([&] { Socket(world.io(), {.type_of_service = value}); }) == Errc::out_of_range);
  }
  BOOST_TEST(client.type_of_service() == 0);
  client.set_type_of_service(255).set_type_of_service(0);  // both ends of the range
  BOOST_TEST(client.type_of_service() == 0);
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B193_all_setters_are_legal_in_every_state, all_wires) {
  const auto set_all = [](Socket socket) {
    socket.set_no_delay(false).set_no_delay().set_keep_alive(true, 1s).set_keep_alive();
    socket.set_timeout(1h).set_timeout(0ms).set_type_of_service(8).set_type_of_service(0);
  };
  Socket fresh(world.io());
  set_all(fresh);
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  client.on(event::end, [&, socket = client] { set_all(socket); });
  client.on(event::close, [&, socket = client](bool) { set_all(socket); });
  set_all(client);
  client.end("x");
  set_all(client);
  world.run();
  set_all(client);
  fresh.destroy();
  set_all(fresh);
  world.run();
  set_all(fresh);
  BOOST_TEST(recorder.received("server") == "x");
  BOOST_TEST(recorder.of("client").back() == "close(false)");
}
