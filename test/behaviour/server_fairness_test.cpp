#include <algorithm>
#include <vector>

#include "reactor/loop.hpp"
#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"

using namespace libnet::test;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// A server whose backlog is never empty leaves the others their steps.

namespace {

constexpr std::size_t all_clients = 1'000;
constexpr std::size_t waiting_clients = 100;

/// An object that is always due, and notes how many connections were taken between two of its steps.
class AlwaysDue final : libnet::reactor::Task {
 public:
  AlwaysDue(World& world, const std::size_t& taken)
      : loop_(libnet::reactor::Loop::of(world.io().get_executor())), taken_(taken) {
    loop_->schedule(*this);
  }
  AlwaysDue(const AlwaysDue&) = delete;
  AlwaysDue& operator=(const AlwaysDue&) = delete;
  ~AlwaysDue() { loop_->unschedule(*this); }

  void run_task() override {
    most_ = std::max(most_, taken_ - before_);
    before_ = taken_;
    loop_->schedule(*this);
  }
  std::size_t most() const { return most_; }

 private:
  std::shared_ptr<libnet::reactor::Loop> loop_;
  const std::size_t& taken_;
  std::size_t before_ = 0;
  std::size_t most_ = 0;
};

/// Clients of which so many wait in the backlog until all have connected.
class Crowd {
 public:
  explicit Crowd(const SocketAddress& address) : address_(address) {
    while (clients_.size() < waiting_clients) come();
  }
  void come() {
    if (clients_.size() == all_clients) return;
    clients_.emplace_back(address_.family());
    clients_.back().reset_on_close();
    BOOST_REQUIRE(clients_.back().connect(address_) == 0);
  }

 private:
  SocketAddress address_;
  std::vector<RawSocket> clients_;
};

}  // namespace

BEHAVIOUR(B302_accepting_takes_at_most_32_connections_between_the_steps_of_others, real_wires) {
  Server server(world.io());
  world.listen(server);
  Crowd crowd(server.address().value());
  std::size_t taken = 0;
  server.on(event::connection, [&](Socket socket) {
    ++taken;
    socket.destroy();
    crowd.come();
  });
  const AlwaysDue other(world, taken);
  world.run_until([&] { return taken == all_clients; });
  BOOST_TEST(other.most() == 32u);
}

BEHAVIOUR(B302_accepting_refuses_at_most_32_connections_between_the_steps_of_others, real_wires) {
  Server server(world.io());
  server.max_connections(0);
  world.listen(server);
  Crowd crowd(server.address().value());
  std::size_t taken = 0;
  server.on(event::drop, [&](const libnet::DropInfo&) {
    ++taken;
    crowd.come();
  });
  server.on(event::connection, [](const Socket&) { BOOST_ERROR("a connection beyond the limit"); });
  const AlwaysDue other(world, taken);
  world.run_until([&] { return taken == all_clients; });
  BOOST_TEST(other.most() == 32u);
}

BEHAVIOUR(B302_accepting_by_a_coroutine_takes_at_most_32_connections_between_the_steps_of_others_awaited, real_wires) {
  Server server(world.io());
  world.listen(server);
  Crowd crowd(server.address().value());
  std::size_t taken = 0;
  const AlwaysDue other(world, taken);
  world.await([](Server waiting, Crowd& clients, std::size_t& count) -> asio::awaitable<void> {
    while (count < all_clients) {
      Socket socket = co_await waiting.async_accept();
      ++count;
      socket.destroy();
      clients.come();
    }
  }(server, crowd, taken));
  BOOST_TEST(other.most() <= 32u);
  BOOST_TEST(other.most() > 0u);
}
