#include <boost/asio/executor_work_guard.hpp>

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// B250: run(), run_one() and poll() drive the loop to the same sequences.

namespace {

void drive_by_run(asio::io_context& io) { io.run(); }

void drive_by_run_one(asio::io_context& io) {
  while (io.run_one() != 0) {
  }
}

/// As a game or a simulation does: its own loop calls poll() in every frame, and holds a work guard meanwhile.
template <std::size_t (asio::io_context::*Poll)()>
void drive_by_polling(asio::io_context& io, const bool& finished) {
  const auto guard = asio::make_work_guard(io);
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!finished && std::chrono::steady_clock::now() < deadline) (io.*Poll)();
  for (int i = 0; i < 100; ++i) (io.*Poll)();
}

/// The same without a guard: poll() stops the context whenever nothing counts, and the caller restarts it.
void drive_by_poll_and_restart(asio::io_context& io, const bool& finished) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!finished && std::chrono::steady_clock::now() < deadline) {
    io.poll();
    if (io.stopped()) io.restart();
  }
  for (int i = 0; i < 100; ++i) {
    io.restart();
    io.poll();
  }
}

void drive_by_run_for(asio::io_context& io, const bool& finished) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!finished && std::chrono::steady_clock::now() < deadline) {
    io.run_for(1ms);
    if (io.stopped()) io.restart();
  }
  io.restart();
  io.run();
}

/// A conversation in both styles, and an end: each name's entries in their order.
struct Conversation {
  explicit Conversation(World& world) {
    auto [made_client, made_server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
    client = made_client;
    server = made_server;
    recorder.watch(client, "client", Recorder::Data::ignore);
    recorder.watch(server, "server", Recorder::Data::ignore);
    world.spawn(ask(client, *this));
    server.on(event::data, [this, peer = server](Chunk chunk) mutable {
      question += chunk;
      if (question.size() < 6) return;
      const libnet::Corked corked = peer.corked();
      BOOST_TEST(!peer.write(std::string(300'000, 'a'), [this] { recorder.note("server:written"); }));
    });
    server.on(event::end,
              [peer = server, this]() mutable { peer.end("!", [this] { recorder.note("server:finish callback"); }); });
    server.on(event::close, [this](bool) { finished = ++closed == 2; });
    client.on(event::close, [this](bool) { finished = ++closed == 2; });
  }

  static asio::awaitable<void> ask(Socket socket, Conversation& all) {
    co_await socket.async_write("why");
    co_await socket.async_write("so");
    co_await socket.async_write("?");
    all.recorder.note("client:asked");
    while (all.answer.size() < 300'000) all.answer += co_await socket.async_read();
    co_await socket.async_end();
    all.recorder.note("client:ended");
    while (const Chunk chunk = co_await socket.async_read()) all.answer += chunk;
    all.recorder.note("client:heard all");
    co_await socket.async_close();
    all.recorder.note("client:closed");
  }

  Socket client;
  Socket server;
  Recorder recorder;
  std::string question;
  std::string answer;
  int closed = 0;
  bool finished = false;
};

template <class DriveIt>
Log log_of(const World& world, const std::string& name, DriveIt drive) {
  World own({world.wire(), world.reactor()});
  Conversation conversation(own);
  if (own.io().stopped()) own.io().restart();
  drive(own.io(), conversation.finished);
  BOOST_TEST(conversation.finished);
  BOOST_TEST(conversation.question == "whyso?");
  BOOST_TEST((conversation.answer == std::string(300'000, 'a') + "!"));
  return conversation.recorder.of(name);
}

}  // namespace

BEHAVIOUR(B250_however_the_loop_is_driven, all_wires) {
  const std::map<std::string, Log> expected{
      {"client", {"asked", "ended", "finish", "heard all", "end", "close(false)", "closed"}},
      {"server", {"drain", "written", "end", "finish callback", "finish", "close(false)"}}};
  for (const auto& [name, log] : expected) {
    const auto expect = [&world, &name = name, &log = log](const char* how, auto drive) {
      BOOST_TEST_CONTEXT(how << " " << name) { BOOST_TEST(log_of(world, name, drive) == log, per_element); }
    };
    expect("run", [](asio::io_context& io, const bool&) { drive_by_run(io); });
    expect("run_one", [](asio::io_context& io, const bool&) { drive_by_run_one(io); });
    expect("run_for", drive_by_run_for);
    expect("poll", drive_by_polling<&asio::io_context::poll>);
    expect("poll_one", drive_by_polling<&asio::io_context::poll_one>);
    expect("poll and restart", drive_by_poll_and_restart);
  }
}

BEHAVIOUR(B250_polled_timers, all_wires) {
  auto [client, server] = world.pair();
  int timeouts = 0;
  client.set_timeout(1ms, [&] { ++timeouts; });
  const auto guard = asio::make_work_guard(world.io());
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (timeouts == 0 && std::chrono::steady_clock::now() < deadline) world.io().poll();
  BOOST_TEST(timeouts == 1);
}

BEHAVIOUR(B250_a_listener_that_polls_the_context_itself, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  server.on(event::data, [&](Chunk chunk) {
    log.push_back("begin " + chunk.to_string());
    world.io().poll();
    log.push_back("end");
  });
  client.write("a");
  world.run_until([&] { return log.size() == 2; });
  client.end("b");
  client.resume();
  world.run();
  BOOST_TEST((log == Log{"begin a", "end", "begin b", "end"}), per_element);
}

BEHAVIOUR(C12_run_after_an_exception_delivers_the_rest, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  client.async_write("x", [&](const error_code&, std::size_t) {
    log.push_back("first");
    throw std::runtime_error("oops");
  });
  client.async_write("y", [&](const error_code&, std::size_t) { log.push_back("second"); });
  server.async_read([&](const error_code&, Chunk) { log.push_back("read"); });
  BOOST_CHECK_THROW(world.run(), std::runtime_error);
  BOOST_TEST((log == Log{"first"}), per_element);
  world.run_until([&] { return log.size() == 3; });
  BOOST_TEST(std::count(log.begin(), log.end(), "second") == 1);
  BOOST_TEST((client.ready_state() == libnet::ReadyState::open));
}

BEHAVIOUR(stopping_the_context_ends_the_turns_although_many_sockets_have_more, ip_wires) {
  constexpr std::size_t pairs = 8;
  std::vector<World::Pair> made;
  std::size_t received = 0;
  for (std::size_t i = 0; i < pairs; ++i) {
    auto& [client, server] = made.emplace_back(world.pair());
    server.on(event::data, [peer = server](Chunk chunk) mutable { peer.write(chunk); });
    client.on(event::data, [&, peer = client](Chunk chunk) mutable {
      if (++received == 100) world.io().stop();
      if (received < 200) peer.write(chunk);
    });
  }
  for (World::Pair& pair : made) pair.client.write("x");
  world.io().run();
  BOOST_TEST(received >= 100U);
  BOOST_TEST(received < 100U + pairs);  // the turn that runs is completed, no other follows
  world.io().restart();
  world.run_until([&] { return received >= 200; });
  for (World::Pair& pair : made) pair.client.end();
  world.run();
}
