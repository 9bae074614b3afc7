#include "support/behaviour.hpp"
#include "support/writes.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// R2, contract 3: every accepted write completes exactly once, in order, before 'close', whatever ends the connection.

namespace {

constexpr std::size_t writes = 24;

/// Each a little later than the one before, so that the clock asks for them in the order of the calls.
std::chrono::milliseconds next_limit(const WriteTally& tally) { return 1s + tally.started * 1ms; }

asio::awaitable<void> write_limited(Socket socket, std::string data, WriteTally* tally) {
  const auto limit = next_limit(*tally);
  auto note = tally->next();
  auto [code, bytes] = co_await socket.async_write(data, libnet::cancel_after(limit, libnet::as_tuple));
  note(code, bytes);
}

/// How the writes are made. Both styles are used from inside the loop, so that a coroutine starts at once as well.
struct Callbacks {
  static void write(Socket& socket, std::string data, WriteTally& tally) { socket.write(data, tally.next()); }
  static void write_limited_time(Socket& socket, std::string data, WriteTally& tally) {
    const auto limit = next_limit(tally);
    socket.async_write(std::move(data), libnet::cancel_after(limit, tally.next()));
  }
};
struct Awaited {
  static void write(Socket& socket, std::string data, WriteTally& tally) {
    asio::co_spawn(socket.get_executor(), write_and_note(socket, std::move(data), &tally), asio::detached);
  }
  static void write_limited_time(Socket& socket, std::string data, WriteTally& tally) {
    asio::co_spawn(socket.get_executor(), write_limited(socket, std::move(data), &tally), asio::detached);
  }
};

/// More than any kernel buffers: small ones, large ones, empty ones.
template <class Write>
void make_writes(Socket& socket, WriteTally& tally, Write write) {
  for (std::size_t i = 0; i < writes; ++i) {
    write(socket, std::string(i % 3 == 0 ? 1024 * 1024 : i % 3 == 1 ? i : 0, 'x'), tally);
  }
}

/// One socket whose end is watched.
struct Ending {
  explicit Ending(Socket watched) : socket(std::move(watched)) {
    socket.on(event::error, [this](const Error& error) {
      BOOST_TEST(closes == 0);
      ++errors;
      code = error.code();
    });
    socket.on(event::close, [this](bool failed) {
      ++closes;
      had_error = failed;
      completed_before_close = tally.completions.size();
    });
  }

  void check(bool fails) const {
    BOOST_TEST(tally.started == writes);
    BOOST_TEST(completed_before_close == writes);
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(closes == 1);
    BOOST_TEST(errors == (fails ? 1 : 0));
    BOOST_TEST(had_error == fails);
  }
  /// What succeeded comes first, then all the others have one code.
  void check_codes(const error_code& expected) const {
    bool failed = false;
    for (const auto& completion : tally.completions) {
      failed = failed || completion.code;
      BOOST_TEST((completion.code == (failed ? expected : error_code())));
    }
    BOOST_TEST(failed);
  }

  Socket socket;
  WriteTally tally;
  error_code code;
  std::size_t completed_before_close = 0;
  int errors = 0;
  int closes = 0;
  bool had_error = false;
};

/// A connected client with writes under way, whose peer does not read.
template <class Style>
void with_writes_under_way(World& world, void (*then)(World&, Ending&, Socket&), bool limited = false) {
  auto [client, server] = world.pair();
  server.pause();
  server.on(event::data, [](Chunk) {});
  server.on(event::error, [](const Error&) {});
  Ending ending(client);
  if (limited) world.use_manual_clock();
  asio::post(world.io(),
             [&] { make_writes(ending.socket, ending.tally, limited ? &Style::write_limited_time : &Style::write); });
  world.settle();
  BOOST_TEST(ending.tally.started == writes);
  BOOST_TEST(ending.tally.completions.size() < writes);
  then(world, ending, server);
}

template <class Style>
void peer_reset(World& world) {
  with_writes_under_way<Style>(world, [](World& w, Ending& ending, Socket& server) {
    if (w.is_unix()) {
      server.destroy();  // with unread input: the nearest thing to a reset
    } else {
      server.reset();
    }
    w.run();
    ending.check(true);
    ending.check_codes(ending.code);
  });
}

template <class Style>
void peer_end(World& world) {
  with_writes_under_way<Style>(world, [](World& w, Ending& ending, Socket& server) {
    server.end();
    w.settle();
    server.resume();
    w.run();
    ending.check(false);
    BOOST_TEST(ending.tally.all({}));
  });
}

template <class Style>
void destroyed(World& world) {
  with_writes_under_way<Style>(world, [](World& w, Ending& ending, Socket& server) {
    ending.socket.destroy();
    server.resume();
    w.run();
    ending.check(false);
    ending.check_codes(asio::error::operation_aborted);
  });
}

template <class Style>
void destroyed_with_an_error(World& world) {
  with_writes_under_way<Style>(world, [](World& w, Ending& ending, Socket& server) {
    ending.socket.destroy(Error(Errc::invalid_argument, "test"));
    server.resume();
    w.run();
    ending.check(true);
    ending.check_codes(Errc::invalid_argument);
  });
}

template <class Style>
void timed_out(World& world) {
  with_writes_under_way<Style>(
      world,
      [](World& w, Ending& ending, Socket& server) {
        w.advance(2s);
        server.resume();
        w.run();
        ending.check(true);
        ending.check_codes(Errc::timed_out);
        BOOST_TEST(ending.code == Errc::timed_out);
      },
      true);
}

template <class Style>
void destroyed_before_connect(World& world) {
  Server server(world.io());
  server.on(event::connection, [](const Socket&) {});
  world.listen(server);
  Ending ending{Socket(world.io())};
  asio::post(world.io(), [&] {
    world.connect(ending.socket, server);
    make_writes(ending.socket, ending.tally, &Style::write);
    ending.socket.destroy();
    server.close();
  });
  world.run();
  ending.check(false);
  BOOST_TEST(ending.tally.all(Errc::closed_before_connection));
}

template <class Style>
void failed_connect(World& world) {
  const auto options = world.refusing_options();
  Ending ending{Socket(world.io())};
  asio::post(world.io(), [&] {
    ending.socket.connect(options);
    make_writes(ending.socket, ending.tally, &Style::write);
  });
  world.run();
  ending.check(true);
  BOOST_TEST(ending.tally.all(ending.code));
  BOOST_TEST(ending.tally.bytes() == 0U);
}

}  // namespace

BEHAVIOUR(R2_peer_reset, all_wires) { peer_reset<Callbacks>(world); }
BEHAVIOUR(R2_peer_reset_awaited, all_wires) { peer_reset<Awaited>(world); }
BEHAVIOUR(R2_peer_end, all_wires) { peer_end<Callbacks>(world); }
BEHAVIOUR(R2_peer_end_awaited, all_wires) { peer_end<Awaited>(world); }
BEHAVIOUR(R2_destroy, all_wires) { destroyed<Callbacks>(world); }
BEHAVIOUR(R2_destroy_awaited, all_wires) { destroyed<Awaited>(world); }
BEHAVIOUR(R2_destroy_with_an_error, all_wires) { destroyed_with_an_error<Callbacks>(world); }
BEHAVIOUR(R2_destroy_with_an_error_awaited, all_wires) { destroyed_with_an_error<Awaited>(world); }
BEHAVIOUR(R2_write_timed_out, all_wires) { timed_out<Callbacks>(world); }
BEHAVIOUR(R2_write_timed_out_awaited, all_wires) { timed_out<Awaited>(world); }
BEHAVIOUR(R2_destroy_before_connect, all_wires) { destroyed_before_connect<Callbacks>(world); }
BEHAVIOUR(R2_destroy_before_connect_awaited, all_wires) { destroyed_before_connect<Awaited>(world); }
BEHAVIOUR(R2_failed_connect, all_wires) { failed_connect<Callbacks>(world); }
BEHAVIOUR(R2_failed_connect_awaited, all_wires) { failed_connect<Awaited>(world); }
