#include <random>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"
#include "support/seed.hpp"

using namespace libnet::test;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// R43: accepting races closing, 10,000 rounds in all; every accepted descriptor is served or closed.

namespace {

constexpr int rounds = 10'000 / 4;  // for each of the two ways and of the two settings of one wire

/// Clients connect, the loop does a random number of things, the server closes, clients go: in any order.
template <class Accept>
void race(World& world, Accept accept) {
  std::mt19937 random(seed());
  const auto dice = [&random](unsigned sides) { return static_cast<int>(random() % sides); };
  const auto some_turns = [&] {
    if (world.io().stopped()) world.io().restart();
    for (int turns = dice(6); turns > 0; --turns) world.io().poll_one();
  };
  const auto here = world.listen_options();
  Server first(world.io());
  first.listen(here);
  world.settle();
  first.close();
  world.run();
  const std::size_t before = open_descriptors();
  long closes = 0;
  for (int round = 0; round < rounds; ++round) {
    Server server(world.io());
    server.listen(here);
    const SocketAddress address = server.address().value();
    server.on(event::close, [&closes] { ++closes; });
    accept(server, dice(4));
    some_turns();
    std::vector<RawSocket> clients;
    for (int i = dice(4); i >= 0; --i) {
      clients.emplace_back(address.family());
      if (dice(64) != 0) clients.back().reset_on_close();
      BOOST_REQUIRE(clients.back().connect(address) == 0);
    }
    some_turns();
    if (dice(2) == 0) clients.pop_back();
    some_turns();
    server.close();
    some_turns();
    clients.clear();
    server = Server();
    if (round % 16 == 0 || round + 1 == rounds) world.run();
  }
  BOOST_TEST(closes == rounds);
  BOOST_TEST(open_descriptors() == before);
}

}  // namespace

BEHAVIOUR(R43_connection_listeners_racing_close_leak_nothing, static_cast<unsigned>(Wire::tcp4)) {
  long served = 0;
  long gone = 0;
  race(world, [&](Server server, int) {
    server.on(event::connection, [&](Socket socket) {
      ++served;
      socket.on(event::close, [&](bool) { ++gone; });
    });
  });
  BOOST_TEST(served > rounds / 10);
  BOOST_TEST(gone == served);
}

BEHAVIOUR(R43_accepts_racing_close_leak_nothing, static_cast<unsigned>(Wire::tcp4)) {
  long asked = 0;
  long served = 0;
  long refused = 0;
  race(world, [&](Server server, int count) {
    for (int i = 0; i <= count; ++i) {
      ++asked;
      server.async_accept([&](error_code code, const Socket&) { ++(code ? refused : served); });
    }
  });
  BOOST_TEST(served > rounds / 10);
  BOOST_TEST(refused > rounds / 10);
  BOOST_TEST(served + refused == asked);
}

BEHAVIOUR(R43_accepts_cancelled_and_racing_close_leak_nothing, static_cast<unsigned>(Wire::unix_path)) {
  long asked = 0;
  long answered = 0;
  race(world, [&](Server server, int count) {
    for (int i = 0; i <= count; ++i) {
      ++asked;
      const auto answer = [&answered](error_code, const Socket&) { ++answered; };
      server.async_accept(libnet::cancel_after(std::chrono::microseconds(10 * i), answer));
    }
  });
  BOOST_TEST(answered == asked);
}
