#include <array>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// R37: whatever a user does at whichever callback of whichever operation is clean, everything completes, and after
// 'close' no listener runs.

namespace {

/// What is done to the victim at one moment of its life.
enum class Action : std::uint8_t { destroy, destroy_with_error, destroy_soon, reset, end, last_handle, count };

/// One life of a connection with every kind of callback. The k-th callback that runs does the action.
class Life {
 public:
  Life(World& world, Action action, bool victim_is_client, int moment)
      : world_(world), action_(action), victim_is_client_(victim_is_client), left_(moment) {}

  /// True if the moment came: else all callbacks are through.
  bool run() {
    auto [client, server] = world_.pair({.high_water_mark = 1, .linger_time = 5ms}, {.linger_time = 5ms});
    begin(client, client_);
    begin(server, server_);
    client_.socket = std::exchange(client, Socket());
    server_.socket = std::exchange(server, Socket());
    begin_client();
    begin_server();
    world_.run();
    BOOST_TEST(client_.pending == 0, "an operation of the client never completed");
    BOOST_TEST(server_.pending == 0, "an operation of the server never completed");
    BOOST_TEST(client_.closes == 1);
    BOOST_TEST(server_.closes == 1);
    return left_ < 0;
  }

 private:
  struct Side {
    Socket socket;
    int pending = 0;
    int closes = 0;
    bool closed = false;
  };

  Side& victim() { return victim_is_client_ ? client_ : server_; }

  void moment() {
    if (left_-- != 0) return;
    Socket& socket = victim().socket;
    switch (action_) {
      case Action::destroy: socket.destroy(); break;
      case Action::destroy_with_error: socket.destroy(Error(Errc::timed_out)); break;
      case Action::destroy_soon: socket.destroy_soon(); break;
      case Action::reset:
        if (world_.is_unix()) {
          BOOST_CHECK_NO_THROW(reset_unless_impossible(socket));
        } else {
          socket.reset();
        }
        break;
      case Action::end: socket.end("the end"); break;
      case Action::last_handle: {
        Socket last = std::exchange(socket, Socket());
        remove_listeners(last);
        break;
      }
      case Action::count: break;
    }
  }
  static void reset_unless_impossible(Socket& socket) {
    try {
      socket.reset();
    } catch (const libnet::SystemError& failure) {
      if (failure.code() != Errc::invalid_handle) throw;
      socket.destroy();
    }
  }
  /// All but those of 'error' and 'close', which watch.
  static void remove_listeners(Socket& socket) {
    socket.remove_all(event::data);
    socket.remove_all(event::end);
    socket.remove_all(event::drain);
    socket.remove_all(event::finish);
    socket.remove_all(event::timeout);
    socket.destroy_soon();
  }

  /// A listener.
  void heard(Side& side) {
    BOOST_TEST(!side.closed, "a listener ran after 'close'");
    moment();
  }
  /// An operation's handler: once, and if it is none that waits for the close, before it.
  auto completion(Side& side) {
    ++side.pending;
    return [this, &side, once = std::make_shared<bool>(false)](const error_code&, const auto&...) {
      BOOST_TEST(!std::exchange(*once, true));
      --side.pending;
      moment();
    };
  }

  void begin(Socket socket, Side& side) {
    socket.on(event::end, [this, &side] { heard(side); });
    socket.on(event::drain, [this, &side] { heard(side); });
    socket.on(event::finish, [this, &side] { heard(side); });
    socket.on(event::error, [this, &side](const Error&) { heard(side); });
    socket.on(event::close, [this, &side](bool) {
      heard(side);
      ++side.closes;
    });
    socket.on(event::close, [&side](bool) { side.closed = true; });
    socket.async_wait(event::end, completion(side));
    socket.async_wait(event::close, completion(side));
    socket.async_wait(event::error, completion(side));
  }

  void begin_client() {
    Socket& client = client_.socket;
    client.cork();
    client.write("question", completion(client_));
    client.async_write(std::string(200'000, 'x'), completion(client_));
    client.async_drain(completion(client_));
    client.uncork();
    client.async_read(completion(client_));
    client.async_read(completion(client_));  // busy
  }

  void begin_server() {
    server_.socket.on(event::data, [this](Chunk chunk) {
      heard(server_);
      received_ += chunk.size();
      const bool asked = received_ >= 200'008 && !std::exchange(answered_, true);
      if (!asked || server_.socket == Socket()) return;
      Socket copy = server_.socket;
      copy.write("answer", completion(server_));
      copy.end("!", completion(server_));
      copy.async_end(completion(server_));
      if (client_.socket != Socket()) client_.socket.async_close(completion(client_));
    });
  }

  World& world_;
  Action action_;
  bool victim_is_client_;
  int left_;
  Side client_;
  Side server_;
  std::size_t received_ = 0;
  bool answered_ = false;
};

void live_all_lives(World& world, Action action) {
  for (const bool victim_is_client : {true, false}) {
    int moment = 0;
    bool came = true;
    for (; came; moment += moment < 40 ? 1 : 9) {
      BOOST_TEST_CONTEXT((victim_is_client ? "client, moment " : "server, moment ") << moment) {
        World own({world.wire(), world.reactor()});
        came = Life(own, action, victim_is_client, moment).run();
      }
    }
    BOOST_TEST(moment > 20);
  }
}

}  // namespace

BEHAVIOUR(R37_destroy_at_every_callback, all_wires) { live_all_lives(world, Action::destroy); }
BEHAVIOUR(R37_destroy_with_an_error_at_every_callback, all_wires) { live_all_lives(world, Action::destroy_with_error); }
BEHAVIOUR(R37_destroy_soon_at_every_callback, all_wires) { live_all_lives(world, Action::destroy_soon); }
BEHAVIOUR(R37_reset_at_every_callback, all_wires) { live_all_lives(world, Action::reset); }
BEHAVIOUR(R37_end_at_every_callback, all_wires) { live_all_lives(world, Action::end); }
BEHAVIOUR(R37_the_last_handle_at_every_callback, all_wires) { live_all_lives(world, Action::last_handle); }

BEHAVIOUR(R37_the_io_context_ends_at_every_callback, all_wires) {
  // Not inside the callback, which no loop allows, but right after it.
  for (int moment = 0; moment < 60; ++moment) {
    World own({world.wire(), world.reactor()});
    auto [client, server] = own.pair();
    server.on(event::data, [peer = server](Chunk chunk) mutable { peer.write(chunk); });
    server.on(event::end, [peer = server] {});
    client.async_read([kept = client](const auto&, Chunk) {});
    client.async_write(std::string(100'000, 'x'), [kept = client](const auto&, std::size_t) {});
    client.async_end([kept = client](const auto&) {});
    client.async_close([kept = client](const auto&) {});
    for (int i = 0; i < moment; ++i) own.io().poll_one();
  }
}
