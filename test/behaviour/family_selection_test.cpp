#include <string>
#include <vector>

#include "support/behaviour.hpp"
#include "support/full_address.hpp"

using namespace libnet::test;
using libnet::ConnectOptions;
using libnet::Errc;
using libnet::Error;
using libnet::Lookup;
using libnet::LookupAddress;
using libnet::LookupAnswer;
using libnet::LookupOptions;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// A host with several addresses: which are tried, when, and who wins.

namespace {

constexpr auto any_wire = static_cast<unsigned>(Wire::tcp4) | static_cast<unsigned>(Wire::memory);

Lookup answering(const std::vector<std::string>& addresses) {
  return [addresses](std::string_view, const LookupOptions&, const LookupAnswer& answer) {
    std::vector<LookupAddress> list;
    for (const std::string& address : addresses) list.push_back({address});
    answer(list);
  };
}

/// A client that notes its attempts, without the port, and how they end.
struct Client {
  explicit Client(World& in) : world(in), socket(in.io()) {
    socket.on(event::connection_attempt, [this](const SocketAddress& address) { note("attempt", address); });
    socket.on(event::connection_attempt_failed,
              [this](const SocketAddress& address, const Error& error) { note("failed " + error.name(), address); });
    socket.on(event::connection_attempt_timeout, [this](const SocketAddress& address) { note("timeout", address); });
    socket.on(event::connect, [this] { log.emplace_back("connect"); });
    socket.on(event::ready, [this] { log.emplace_back("ready"); });
    socket.on(event::error, [this](const Error& error) {
      log.push_back("error " + error.name());
      failure = error;
    });
    socket.on(event::close, [this](bool) {
      log.emplace_back("close");
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

  void note(const std::string& what, const SocketAddress& address) { log.push_back(what + ' ' + address.address()); }
  void connect(const std::vector<std::string>& addresses, std::uint16_t port, ConnectOptions options = {}) {
    const Lookup lookup = answering(addresses);
    options.host = "name.test";
    options.port = port;
    options.lookup = &lookup;
    socket.connect(options);
  }
  bool ended() const { return !log.empty() && (log.back() == "ready" || log.back() == "close"); }
  bool has(const std::string& entry) const { return std::find(log.begin(), log.end(), entry) != log.end(); }

  World& world;
  Socket socket;
  Log log;
  Error failure;
  bool closed = false;
};

/// A port at which nobody listens, on any of the loopback addresses.
std::uint16_t free_port(World& world) { return static_cast<std::uint16_t>(world.refusing_options().port.value()); }

/// Puts the process-wide defaults back.
struct Defaults {
  Defaults() = default;
  Defaults(const Defaults&) = delete;
  Defaults& operator=(const Defaults&) = delete;
  ~Defaults() {
    libnet::set_default_auto_select_family(enabled);
    libnet::set_default_auto_select_family_attempt_timeout(timeout);
  }
  bool enabled = libnet::default_auto_select_family();
  std::chrono::milliseconds timeout = libnet::default_auto_select_family_attempt_timeout();
};

}  // namespace

BEHAVIOUR(B97_the_process_wide_default, any_wire) {
  const Defaults saved;
  BOOST_TEST(libnet::default_auto_select_family());
  const std::uint16_t port = free_port(world);
  libnet::set_default_auto_select_family(false);
  BOOST_TEST(!libnet::default_auto_select_family());
  Client off(world);
  off.connect({"127.0.0.1", "127.0.0.2"}, port);
  world.run_until([&] { return off.ended(); });
  BOOST_TEST(!off.has("attempt 127.0.0.2"));
  Client asked(world);
  asked.connect({"127.0.0.1", "127.0.0.2"}, port, {.auto_select_family = true});
  world.run_until([&] { return asked.ended(); });
  BOOST_TEST(asked.has("attempt 127.0.0.2"));
  libnet::set_default_auto_select_family(true);
  Client on(world);
  on.connect({"127.0.0.1", "127.0.0.2"}, port);
  world.run_until([&] { return on.ended(); });
  BOOST_TEST(on.has("attempt 127.0.0.2"));
}

BEHAVIOUR(B98_the_families_alternate, any_wire) {
  const std::vector<std::string> six{"::ffff:127.0.0.1", "::ffff:127.0.0.2", "::ffff:127.0.0.3"};
  const std::vector<std::string> four{"127.0.0.4", "127.0.0.5", "127.0.0.6"};
  const std::uint16_t port = free_port(world);
  for (const bool six_first : {true, false}) {
    const auto& first = six_first ? six : four;
    const auto& second = six_first ? four : six;
    std::vector<std::string> answer = first;
    answer.insert(answer.end(), second.begin(), second.end());
    Client client(world);
    client.connect(answer, port);
    world.run_until([&] { return client.ended(); });
    Log expected;
    for (std::size_t i = 0; i < 3; ++i) {
      for (const std::string& address : {first[i], second[i]}) {
        expected.push_back("attempt " + address);
        expected.push_back("failed ECONNREFUSED " + address);
      }
    }
    expected.insert(expected.end(), {"error ECONNREFUSED", "close"});
    BOOST_TEST(client.log == expected, per_element);
  }
}

BEHAVIOUR(B98_more_of_one_family_than_of_the_other, any_wire) {
  Client client(world);
  client.connect({"127.0.0.1", "127.0.0.2", "::ffff:127.0.0.3", "127.0.0.4"}, free_port(world));
  world.run_until([&] { return client.ended(); });
  Log attempts;
  for (const std::string& entry : client.log) {
    if (entry.starts_with("attempt ")) attempts.push_back(entry.substr(8));
  }
  const Log expected{"127.0.0.1", "::ffff:127.0.0.3", "127.0.0.2", "127.0.0.4"};
  BOOST_TEST(attempts == expected, per_element);
}

BEHAVIOUR(B99_attempted_addresses, any_wire) {
  Server server(world.io());
  world.listen(server);
  const std::uint16_t port = server.address()->port();
  const std::string number = std::to_string(port);
  Client first(world);
  first.connect({"127.0.0.1", "127.0.0.2"}, port);
  world.run_until([&] { return first.ended(); });
  const Log one{"127.0.0.1:" + number};
  BOOST_TEST(first.socket.attempted_addresses() == one, per_element);
  Client second(world);
  second.connect({"127.0.0.2", "::1", "127.0.0.1"}, port);
  world.run_until([&] { return second.ended(); });
  const Log three{"127.0.0.2:" + number, "::1:" + number, "127.0.0.1:" + number};
  BOOST_TEST(second.socket.attempted_addresses() == three, per_element);
  Client off(world);
  off.connect({"127.0.0.1"}, port, {.auto_select_family = false});
  world.run_until([&] { return off.ended(); });
  BOOST_TEST(off.socket.attempted_addresses().empty());
}

BEHAVIOUR(B100_R52_a_black_hole_costs_only_its_time, any_wire) {
  Server server(world.io());
  world.listen(server);
  const FullAddress hole(world, "127.0.0.2", server.address()->port());
  BOOST_TEST_REQUIRE(!hole.failed());
  world.use_manual_clock();
  Client client(world);
  client.connect({"127.0.0.2", "127.0.0.1"}, server.address()->port());
  world.run_until([&] { return !client.log.empty(); });
  world.advance(249ms);
  const Log waiting{"attempt 127.0.0.2"};
  BOOST_TEST(client.log == waiting, per_element);
  world.advance(1ms);
  world.run_until([&] { return client.ended(); });
  const Log expected{"attempt 127.0.0.2", "timeout 127.0.0.2", "attempt 127.0.0.1", "connect", "ready"};
  BOOST_TEST(client.log == expected, per_element);
  BOOST_TEST(client.socket.remote_address()->address() == "127.0.0.1");
}

BEHAVIOUR(B100_the_real_clock_within_400_ms_awaited, any_wire) {
  Server server(world.io());
  world.listen(server);
  const FullAddress hole(world, "127.0.0.2", server.address()->port());
  world.await([](World& here, std::uint16_t port) -> asio::awaitable<void> {
    const Lookup lookup = answering({"127.0.0.2", "127.0.0.1"});
    Socket socket(here.io());
    // The total limit is what fails the case when the second attempt starts too late.
    co_await socket.async_connect({.host = "name.test", .port = port, .lookup = &lookup, .timeout = 400ms});
    BOOST_TEST(socket.remote_address()->address() == "127.0.0.1");
  }(world, server.address()->port()));
}

BEHAVIOUR(B100_R52_a_slow_first_address_still_wins, any_wire) {
  FullAddress slow(world, "127.0.0.2");
  BOOST_TEST_REQUIRE(!slow.failed());
  const FullAddress hole(world, "127.0.0.3", slow.address().port());
  BOOST_TEST_REQUIRE(!hole.failed());
  world.use_manual_clock();
  Client client(world);
  client.connect({"127.0.0.2", "127.0.0.3"}, slow.address().port());
  world.run_until([&] { return !client.log.empty(); });
  world.advance(250ms);
  world.run_until([&] { return client.has("attempt 127.0.0.3"); });
  slow.make_room();
  world.run_until([&] { return client.ended(); });
  const Log expected{"attempt 127.0.0.2", "timeout 127.0.0.2", "attempt 127.0.0.3", "connect", "ready"};
  BOOST_TEST(client.log == expected, per_element);
  BOOST_TEST(client.socket.remote_address()->address() == "127.0.0.2");
}

BEHAVIOUR(B100_a_failure_starts_the_next_attempt_at_once, any_wire) {
  Server server(world.io());
  world.listen(server);
  world.use_manual_clock();
  Client client(world);
  client.connect({"127.0.0.2", "127.0.0.1"}, server.address()->port());
  world.run_until([&] { return client.ended(); });  // without the clock
  const Log expected{"attempt 127.0.0.2", "failed ECONNREFUSED 127.0.0.2", "attempt 127.0.0.1", "connect", "ready"};
  BOOST_TEST(client.log == expected, per_element);
  world.advance(1s);
  BOOST_TEST(!client.has("timeout 127.0.0.1"));
}

BEHAVIOUR(B100_an_old_attempt_that_fails_does_not_hurry_the_newest, any_wire) {
  std::uint16_t port = 0;
  std::vector<std::unique_ptr<FullAddress>> holes;
  holes.push_back(std::make_unique<FullAddress>(world, "127.0.0.2"));
  port = holes[0]->address().port();
  holes.push_back(std::make_unique<FullAddress>(world, "127.0.0.3", port));
  BOOST_TEST_REQUIRE(!holes[1]->failed());
  world.use_manual_clock();
  Client client(world);
  client.connect({"127.0.0.2", "127.0.0.3", "127.0.0.4"}, port);
  world.run_until([&] { return !client.log.empty(); });
  world.advance(250ms);
  world.run_until([&] { return client.has("attempt 127.0.0.3"); });
  holes[0].reset();  // refuses when the kernel asks again
  world.run_until([&] { return client.has("failed ECONNREFUSED 127.0.0.2"); });
  world.settle();
  BOOST_TEST(!client.has("attempt 127.0.0.4"));
  world.advance(250ms);
  world.run_until([&] { return client.has("failed ECONNREFUSED 127.0.0.4"); });
  client.socket.destroy();
}

BEHAVIOUR(B101_written_bytes_go_only_to_the_winner, any_wire) {
  Server winner(world.io());
  Server loser(world.io());
  world.listen(winner);
  const std::uint16_t port = winner.address()->port();
  std::string at_winner;
  int at_loser = 0;
  winner.on(event::connection, [&](Socket socket) {
    socket.on(event::data, [&](const libnet::Chunk& chunk) { at_winner += chunk.to_string(); });
  });
  const FullAddress hole(world, "127.0.0.2", port);
  loser.on(event::connection, [&](const Socket&) { ++at_loser; });
  loser.listen({.host = "127.0.0.3", .port = port});
  world.use_manual_clock();
  Client client(world);
  client.connect({"127.0.0.2", "127.0.0.1", "127.0.0.3"}, port);
  client.socket.write("to the winner");
  world.run_until([&] { return !client.log.empty(); });
  world.advance(250ms);
  world.run_until([&] { return at_winner == "to the winner"; });
  world.settle();
  BOOST_TEST(std::count(client.log.begin(), client.log.end(), "connect") == 1);
  BOOST_TEST(std::count(client.log.begin(), client.log.end(), "ready") == 1);
  BOOST_TEST(at_loser == 0);
}

BEHAVIOUR(B102_all_attempts_fail, any_wire) {
  const std::uint16_t port = free_port(world);
  const std::string number = std::to_string(port);
  Client client(world);
  client.connect({"127.0.0.2", "::1"}, port);
  world.run_until([&] { return client.ended(); });
  BOOST_TEST(client.failure.name() == "ECONNREFUSED");
  const auto attempts = client.failure.attempts();
  BOOST_TEST_REQUIRE(attempts.size() == 2u);
  BOOST_TEST(attempts[0].message() == "connect ECONNREFUSED 127.0.0.2:" + number);
  BOOST_TEST(attempts[1].message() == "connect ECONNREFUSED ::1:" + number);
  BOOST_TEST(std::count(client.log.begin(), client.log.end(), "error ECONNREFUSED") == 1);
  BOOST_TEST(client.failure.message() == attempts[0].message() + std::string("; ") + attempts[1].message());
}

BEHAVIOUR(B102_R53_a_failure_lists_every_attempt_awaited, any_wire) {
  world.await([](World& here, std::uint16_t port) -> asio::awaitable<void> {
    const Lookup lookup = answering({"127.0.0.2", "127.0.0.3", "127.0.0.4"});
    Socket socket(here.io());
    try {
      co_await socket.async_connect({.host = "name.test", .port = port, .lookup = &lookup});
      BOOST_ERROR("connected to nobody");
    } catch (const libnet::SystemError& error) {
      BOOST_TEST(error.error().attempts().size() == 3u);
      BOOST_TEST((error.code() == boost::system::errc::connection_refused));
    }
    BOOST_TEST(socket.error().attempts().size() == 3u);
  }(world, free_port(world)));
}

BEHAVIOUR(R53_a_time_limit_lists_what_was_tried, any_wire) {
  const FullAddress hole(world, "127.0.0.2");
  world.use_manual_clock();
  Client client(world);
  client.connect({"127.0.0.1", "127.0.0.2"}, hole.address().port(), {.timeout = 1s});
  world.run_until([&] { return client.has("attempt 127.0.0.2"); });
  world.advance(1s);
  world.run_until([&] { return client.ended(); });
  BOOST_TEST((client.failure.code() == Errc::timed_out));
  const auto attempts = client.failure.attempts();
  BOOST_TEST_REQUIRE(attempts.size() == 2u);
  BOOST_TEST(attempts[0].name() == "ECONNREFUSED");
  BOOST_TEST((attempts[1].code() == Errc::timed_out));
  BOOST_TEST(attempts[1].remote_address()->address() == "127.0.0.2");
}

BEHAVIOUR(B103_without_selection_only_the_first_is_tried, any_wire) {
  const std::uint16_t port = free_port(world);
  Client client(world);
  client.connect({"127.0.0.2", "127.0.0.1"}, port, {.auto_select_family = false});
  world.run_until([&] { return client.ended(); });
  const Log expected{"attempt 127.0.0.2", "failed ECONNREFUSED 127.0.0.2", "error ECONNREFUSED", "close"};
  BOOST_TEST(client.log == expected, per_element);
  BOOST_TEST(client.failure.attempts().empty());
  BOOST_TEST(client.failure.message() == "connect ECONNREFUSED 127.0.0.2:" + std::to_string(port));
}

BEHAVIOUR(B104_the_attempt_timeout_has_bounds, any_wire) {
  const Defaults saved;
  const auto out_of_range = [](const libnet::SystemError& error) { return error.code() == Errc::out_of_range; };
  for (const auto time : {0ms, -1ms}) {
    BOOST_CHECK_EXCEPTION(libnet::set_default_auto_select_family_attempt_timeout(time), libnet::SystemError,
                          out_of_range);
    Socket socket(world.io());
    BOOST_CHECK_EXCEPTION(socket.connect({.port = 1, .auto_select_family_attempt_timeout = time}), libnet::SystemError,
                          out_of_range);
    BOOST_TEST(!socket.connecting());
  }
  BOOST_TEST((libnet::default_auto_select_family_attempt_timeout() == 250ms));
  libnet::set_default_auto_select_family_attempt_timeout(3ms);
  BOOST_TEST((libnet::default_auto_select_family_attempt_timeout() == 10ms));
}

BEHAVIOUR(B104_one_millisecond_counts_as_ten, any_wire) {
  const FullAddress hole(world, "127.0.0.2");
  world.use_manual_clock();
  Client client(world);
  client.connect({"127.0.0.2", "127.0.0.3"}, hole.address().port(), {.auto_select_family_attempt_timeout = 1ms});
  world.run_until([&] { return !client.log.empty(); });
  world.advance(9ms);
  BOOST_TEST(!client.has("timeout 127.0.0.2"));
  world.advance(1ms);
  BOOST_TEST(client.has("timeout 127.0.0.2"));
  client.socket.destroy();
}

BEHAVIOUR(R54_a_host_of_both_families_served_on_one, ip_wires) {
  Server server(world.io());
  world.listen(server);
  for (const std::vector<std::string>& answer : {std::vector<std::string>{"::1", "127.0.0.1"}, {"127.0.0.1", "::1"}}) {
    Client client(world);
    client.connect(answer, server.address()->port());
    world.run_until([&] { return client.ended(); });
    BOOST_TEST(client.log.back() == "ready");
  }
}
