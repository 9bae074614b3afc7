#include <fcntl.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <random>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "core/acceptor.hpp"
#include "core/connection.hpp"
#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"
#include "support/record_transport.hpp"
#include "support/seed.hpp"
#include "support/spoken_stage.hpp"
#include "transport/descriptor_transport.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::DropInfo;
using libnet::DropReason;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;
using libnet::core::LobbyLimits;

// Connections that were accepted and are not handed out yet: a stage of the test holds them until their peers say so.

namespace {

/// A server whose connections get through a stage first.
struct Guarded {
  explicit Guarded(World& in, const LobbyLimits& limits = {}) : world(in), server(in.io()) {
    libnet::core::Acceptor::of(server).require(SpokenStage::one(counts), limits);
    server.on(event::drop, [this](const DropInfo& info) { dropped.push_back(info); });
    server.on(event::close, [this] { log.emplace_back("close"); });
    world.listen(server);
    address = server.address().value();
  }

  RawSocket client(const std::string& saying = "") const {
    RawSocket made(address.family());
    BOOST_REQUIRE(made.connect(address) == 0);
    if (!saying.empty()) made.send(saying);
    return made;
  }
  /// Clients that say nothing and are in the lobby.
  void silent(std::size_t count) {
    const std::size_t before = counts->made;
    for (std::size_t i = 0; i < count; ++i) clients.push_back(client());
    world.run_until([&] { return counts->made == before + count; });
  }
  void keep_connections() {
    server.on(event::connection, [this](Socket socket) { taken.push_back(std::move(socket)); });
  }
  void accept() {
    server.async_accept([this](error_code code, Socket socket) {
      log.push_back(code ? libnet::error_name(code) : "accepted");
      if (!code) taken.push_back(std::move(socket));
    });
  }

  World& world;
  std::shared_ptr<SpokenStage::Counts> counts = std::make_shared<SpokenStage::Counts>();
  Server server;
  SocketAddress address;
  std::vector<RawSocket> clients;
  std::vector<Socket> taken;
  std::vector<DropInfo> dropped;
  Log log;
};

/// What the server's socket reads next.
std::string next_of(World& world, const Socket& socket) {
  std::string text;
  world.await([](Socket from, std::string& into) -> asio::awaitable<void> {
    const Chunk chunk = co_await from.async_read();
    into = chunk.to_string();
  }(socket, text));
  return text;
}

/// What the client's blocking socket receives next: "" at the end.
std::string received(const RawSocket& client) {
  char byte = 0;
  return ::recv(client.descriptor(), &byte, 1, 0) == 1 ? std::string(1, byte) : std::string();
}

}  // namespace

BEHAVIOUR(lobby_silent_clients_delay_no_waiting_accept, real_wires) {
  Guarded guarded(world);
  guarded.accept();
  guarded.silent(50);
  BOOST_TEST(guarded.log.empty());
  const RawSocket good = guarded.client("g!");
  world.run_until([&] { return !guarded.log.empty(); });
  expect(guarded.log, {"accepted"});
  BOOST_TEST(received(good) == "w");
  BOOST_TEST(next_of(world, guarded.taken.front()) == "!");
  BOOST_TEST(guarded.server.connections() == 51u);
  BOOST_TEST(guarded.server.sockets().size() == 1u);
  BOOST_TEST(guarded.dropped.empty());
}

BEHAVIOUR(lobby_an_accept_takes_a_connection_after_its_stage_awaited, real_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Guarded guarded(here);
    const RawSocket silent = guarded.client();
    const RawSocket good = guarded.client("g!");
    const Socket socket = co_await guarded.server.async_accept();
    const Chunk chunk = co_await Socket(socket).async_read();
    BOOST_TEST(chunk.to_string() == "!");
    BOOST_TEST(socket.server().has_value());
  }(world));
}

BEHAVIOUR(B44_lobby_a_connection_counts_once_from_accept_to_close, real_wires) {
  Guarded guarded(world);
  guarded.keep_connections();
  guarded.silent(1);
  BOOST_TEST(guarded.server.connections() == 1u);
  BOOST_TEST(guarded.server.sockets().empty());
  std::optional<std::size_t> counted;
  guarded.server.get_connections([&](error_code, std::size_t count) { counted = count; });
  world.run_until([&] { return counted.has_value(); });
  BOOST_TEST(*counted == 1u);
  guarded.clients.front().send("g");
  world.run_until([&] { return guarded.taken.size() == 1; });
  BOOST_TEST(guarded.server.connections() == 1u);
  BOOST_TEST(guarded.server.sockets().size() == 1u);
  guarded.taken.front().destroy();
  world.settle();
  BOOST_TEST(guarded.server.connections() == 0u);
}

BEHAVIOUR(B48_lobby_who_waits_counts_for_max_connections, real_wires) {
  Guarded guarded(world);
  guarded.server.max_connections(2);
  guarded.keep_connections();
  guarded.silent(2);
  const RawSocket third = guarded.client("g");
  world.run_until([&] { return guarded.dropped.size() == 1; });
  BOOST_TEST((guarded.dropped[0].reason == DropReason::max_connections));
  BOOST_TEST(!guarded.dropped[0].error);
  BOOST_TEST(guarded.counts->made == 2u);
  guarded.clients.pop_back();  // its place is free again
  world.run_until([&] { return guarded.dropped.size() == 2; });
  const RawSocket fourth = guarded.client("g");
  world.run_until([&] { return guarded.taken.size() == 1; });
  BOOST_TEST(guarded.server.connections() == 2u);
}

BEHAVIOUR(lobby_the_deadline_counts_from_accept, real_wires) {
  world.use_manual_clock();
  Guarded guarded(world, {.deadline = 10s});
  guarded.keep_connections();
  guarded.silent(1);
  world.advance(5s);
  guarded.clients.front().send("x");
  world.run_until([&] { return guarded.counts->steps == 2; });
  world.advance(4999ms);
  BOOST_TEST(guarded.dropped.empty());
  world.advance(1ms);
  BOOST_REQUIRE(guarded.dropped.size() == 1u);
  const DropInfo& info = guarded.dropped.front();
  BOOST_TEST((info.reason == DropReason::timed_out));
  BOOST_TEST((info.error.code() == Errc::timed_out));
  BOOST_TEST(info.error.operation() == "greet");
  BOOST_TEST(info.remote_address.has_value() == world.is_tcp());
  BOOST_TEST(info.local_address.has_value() == world.is_tcp());
  BOOST_TEST(received(guarded.clients.front()).empty());
  BOOST_TEST(guarded.server.connections() == 0u);
  BOOST_TEST(guarded.counts->alive == 0u);
}

BEHAVIOUR(lobby_fills_up_to_its_limit_as_soon_as_somebody_wants_one, real_wires) {
  Guarded guarded(world, {.capacity = 3});
  for (int i = 0; i < 5; ++i) guarded.clients.push_back(guarded.client());
  world.settle();
  BOOST_TEST(guarded.server.connections() == 0u);  // nobody wants one
  guarded.accept();
  world.run_until([&] { return guarded.server.connections() == 3; });
  world.settle();
  BOOST_TEST(guarded.server.connections() == 3u);
  guarded.accept();
  guarded.clients[1].send("g");
  world.run_until([&] { return guarded.taken.size() == 1 && guarded.server.connections() == 4; });
  world.settle();
  BOOST_TEST(guarded.server.connections() == 4u);
  BOOST_TEST(guarded.counts->made == 4u);
}

BEHAVIOUR(lobby_who_is_ready_first_is_handed_out_first, real_wires) {
  Guarded guarded(world);
  guarded.accept();
  guarded.silent(3);
  std::vector<std::string> order;
  for (const std::size_t next : {2u, 0u, 1u}) {
    if (next != 2) guarded.accept();
    guarded.clients[next].send("g" + std::to_string(next));
    world.run_until([&] { return guarded.taken.size() == order.size() + 1; });
    order.push_back(next_of(world, guarded.taken.back()));
  }
  expect(order, {"2", "0", "1"});
}

BEHAVIOUR(lobby_ready_ones_are_handed_out_in_the_order_in_which_they_became_ready, real_wires) {
  Guarded guarded(world);
  guarded.accept();
  guarded.silent(4);
  std::vector<std::string> order;
  for (const std::size_t next : {3u, 2u, 0u, 1u}) {  // only the first one is wanted yet
    guarded.clients[next].send("g" + std::to_string(next));
    const std::size_t before = guarded.counts->alive;
    world.run_until([&] { return guarded.counts->alive == before - 1; });
  }
  for (std::size_t i = 0; i < 4; ++i) {
    if (i != 0) guarded.accept();
    world.run_until([&] { return guarded.taken.size() == i + 1; });
    order.push_back(next_of(world, guarded.taken.back()));
  }
  expect(order, {"3", "2", "0", "1"});
}

BEHAVIOUR(lobby_a_cancelled_accept_loses_nothing, real_wires) {
  Guarded guarded(world);
  asio::cancellation_signal signal;
  guarded.server.async_accept(asio::bind_cancellation_slot(
      signal.slot(), [&](error_code code, const Socket&) { guarded.log.push_back(libnet::error_name(code)); }));
  guarded.silent(2);
  signal.emit(asio::cancellation_type::total);
  for (std::size_t i = 0; i < 2; ++i) guarded.clients[i].send("g" + std::to_string(i));
  world.run_until([&] { return guarded.counts->alive == 0; });
  world.settle();
  expect(guarded.log, {"ECANCELED"});
  BOOST_TEST(guarded.server.connections() == 2u);  // ready, unwanted and counted
  const RawSocket third = guarded.client("g2");
  world.settle();
  BOOST_TEST(guarded.server.connections() == 2u);  // nothing more is accepted
  std::string seen;
  for (int i = 0; i < 3; ++i) {
    guarded.accept();
    world.run_until([&] { return guarded.taken.size() == static_cast<std::size_t>(i) + 1; });
    seen += next_of(world, guarded.taken.back());
  }
  BOOST_TEST(((seen == "012") || (seen == "102")));
  BOOST_TEST(guarded.dropped.empty());
}

// --- what goes wrong -----------------------------------------------------------------------------------------------

BEHAVIOUR(lobby_each_failure_is_one_drop_and_costs_one_connection, real_wires) {
  for (const auto& [saying, name] : {std::pair("f", "EBADMSG"), std::pair("t", "ERR_HANDLER_THREW")}) {
    Guarded guarded(world);
    guarded.keep_connections();
    const RawSocket bad = guarded.client(saying);
    world.run_until([&] { return guarded.dropped.size() == 1; });
    BOOST_TEST((guarded.dropped[0].reason == DropReason::failed));
    BOOST_TEST(guarded.dropped[0].error.name() == name);
    BOOST_TEST(guarded.dropped[0].remote_address.has_value() == world.is_tcp());
    BOOST_TEST(received(bad).empty());
    BOOST_TEST(guarded.server.connections() == 0u);
    const RawSocket good = guarded.client("g");
    world.run_until([&] { return guarded.taken.size() == 1; });
    BOOST_TEST(guarded.dropped.size() == 1u);
    BOOST_TEST(guarded.counts->alive == 0u);
  }
}

BEHAVIOUR(lobby_a_peer_that_goes_away_is_one_drop, real_wires) {
  Guarded guarded(world);
  guarded.accept();
  guarded.silent(3);
  guarded.clients.pop_back();
  guarded.clients.back().reset_on_close();
  guarded.clients.pop_back();
  world.run_until([&] { return guarded.dropped.size() == 2; });
  for (const DropInfo& info : guarded.dropped) BOOST_TEST(info.error.name() == "ECONNRESET");
  BOOST_TEST(guarded.server.connections() == 1u);
  guarded.clients.front().send("g");
  world.run_until([&] { return !guarded.log.empty(); });
  expect(guarded.log, {"accepted"});
}

BEHAVIOUR(lobby_a_listener_of_drop_that_throws_harms_nobody, real_wires) {
  Guarded guarded(world);
  guarded.keep_connections();
  guarded.server.prepend(event::drop, [](const DropInfo&) { throw std::runtime_error("from a listener"); });
  const RawSocket bad = guarded.client("f");
  world.run_until([&] { return guarded.counts->made == 1 && guarded.server.connections() == 0; });
  const RawSocket good = guarded.client("g");
  world.run_until([&] { return guarded.taken.size() == 1; });
}

BEHAVIOUR(lobby_a_stage_replaces_the_transport, real_wires) {
  using libnet::transport::DescriptorTransport;
  Guarded guarded(world);
  guarded.server.on(event::connection, [](Socket socket) {
    socket.on(event::data, [socket](const Chunk& chunk) mutable { socket.write(chunk); });
    socket.on(event::end, [] {});
  });
  const RawSocket raw = guarded.client("r");
  const int descriptor = ::fcntl(raw.descriptor(), F_DUPFD_CLOEXEC, 0);
  ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
  const auto loop = libnet::reactor::Loop::of(world.io().get_executor());
  auto lower = std::make_unique<DescriptorTransport>(
      loop, descriptor, world.is_unix() ? DescriptorTransport::Kind::unix_stream : DescriptorTransport::Kind::tcp);
  BOOST_REQUIRE(!lower->start());
  auto* connection = new libnet::core::Connection(loop, libnet::SocketOptions());
  Socket client = connection->handle();
  connection->adopt(std::make_unique<RecordTransport>(loop, std::move(lower)));
  Recorder recorder;
  recorder.watch(client, "client");
  const std::string text = random_bytes(100'000);
  client.write(text);
  world.run_until([&] { return recorder.received("client").size() == text.size(); });
  BOOST_TEST((recorder.received("client") == text));
  client.end();
  world.run_until([&] { return recorder.count("client:close(false)") == 1; });
}

// --- closing -------------------------------------------------------------------------------------------------------

BEHAVIOUR(B52_lobby_after_close_a_listener_gets_who_becomes_ready, real_wires) {
  Guarded guarded(world);
  guarded.server.on(event::connection, [&](Socket socket) {
    guarded.log.emplace_back("connection");
    guarded.taken.push_back(std::move(socket));
  });
  guarded.silent(2);
  guarded.server.close();
  BOOST_TEST(probe(guarded.address) != 0);
  world.settle();
  guarded.clients[1].send("g!");
  world.run_until([&] { return guarded.taken.size() == 1; });
  BOOST_TEST(next_of(world, guarded.taken[0]) == "!");
  guarded.taken[0].destroy();
  world.settle();
  expect(guarded.log, {"connection"});  // the other one holds 'close'
  guarded.clients[0].send("f");
  world.run();
  expect(guarded.log, {"connection", "close"});
  BOOST_TEST(guarded.dropped.size() == 1u);
}

BEHAVIOUR(B52_lobby_after_close_serve_gets_who_becomes_ready_awaited, real_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Guarded guarded(here);
    std::string served;
    guarded.server.serve([&served](Socket socket) -> asio::awaitable<void> {
      const Chunk chunk = co_await socket.async_read();
      served += chunk.to_string();
    });
    RawSocket client = guarded.client();
    while (guarded.server.connections() == 0) co_await asio::post(here.io(), asio::use_awaitable);
    asio::steady_timer soon(here.io(), 1ms);
    const auto go_on = [&client](error_code) { client.send("g!"); };
    soon.async_wait(go_on);
    co_await guarded.server.async_close();
    BOOST_TEST(served == "!");
    BOOST_TEST(guarded.dropped.empty());
  }(world));
}

BEHAVIOUR(B52_lobby_after_close_who_waits_for_nobody_is_dropped_and_told, real_wires) {
  Guarded guarded(world);
  guarded.accept();
  guarded.silent(3);
  guarded.clients[0].send("g");
  world.run_until([&] { return guarded.taken.size() == 1; });
  guarded.accept();
  guarded.server.on(event::drop, [&](const DropInfo&) { guarded.log.emplace_back("drop"); });
  guarded.server.close();
  BOOST_TEST(guarded.dropped.empty());  // not inside the call
  world.settle();
  expect(guarded.log, {"accepted", "ECANCELED", "drop", "drop"});
  for (const DropInfo& info : guarded.dropped) {
    BOOST_TEST((info.reason == DropReason::closing));
    BOOST_TEST((info.error.code() == asio::error::operation_aborted));
  }
  BOOST_TEST(guarded.server.connections() == 1u);
  guarded.taken[0].destroy();
  world.run();
  expect(guarded.log, {"accepted", "ECANCELED", "drop", "drop", "close"});
}

BEHAVIOUR(B52_lobby_a_listener_that_goes_after_close_drops_who_is_left, real_wires) {
  Guarded guarded(world);
  const auto id = guarded.server.on(event::connection, [](const Socket&) { BOOST_ERROR("nobody is ready"); });
  guarded.silent(2);
  guarded.server.close();
  world.settle();
  BOOST_TEST(guarded.server.connections() == 2u);
  guarded.server.off(id);
  world.run();
  BOOST_TEST(guarded.dropped.size() == 2u);
  expect(guarded.log, {"close"});
}

BEHAVIOUR(B13_lobby_a_new_session_leaves_those_of_the_old_one_to_the_listener, real_wires) {
  Guarded guarded(world);
  guarded.keep_connections();
  guarded.silent(1);
  guarded.server.close();
  world.listen(guarded.server);
  const SocketAddress again = guarded.server.address().value();
  RawSocket second(again.family());
  BOOST_REQUIRE(second.connect(again) == 0);
  world.run_until([&] { return guarded.server.connections() == 2; });
  guarded.clients[0].send("g");
  world.run_until([&] { return guarded.taken.size() == 1; });
  guarded.taken[0].destroy();
  world.run_until([&] { return !guarded.log.empty(); });
  expect(guarded.log, {"close"});
  BOOST_TEST(guarded.server.connections() == 1u);
  second.send("g");
  world.run_until([&] { return guarded.taken.size() == 2; });
}

BEHAVIOUR(B13_lobby_a_waiting_accept_of_a_new_session_gets_none_of_the_old_one, real_wires) {
  Guarded guarded(world);
  guarded.accept();
  guarded.silent(2);
  guarded.clients[0].send("g");
  guarded.server.close();
  world.listen(guarded.server);
  guarded.accept();
  world.run_until([&] { return guarded.dropped.size() == 2; });
  const SocketAddress again = guarded.server.address().value();
  RawSocket client(again.family());
  BOOST_REQUIRE(client.connect(again) == 0);
  client.send("g");
  world.run_until([&] { return guarded.taken.size() == 1; });
  expect(guarded.log, {"ECANCELED", "close", "accepted"});
}

BEHAVIOUR(B231_lobby_the_last_handle_drops_who_waits, real_wires) {
  const auto counts = std::make_shared<SpokenStage::Counts>();
  std::vector<RawSocket> clients;
  asio::cancellation_signal signal;
  {
    Server server(world.io());
    libnet::core::Acceptor::of(server).require(SpokenStage::one(counts));
    world.listen(server);
    server.async_accept(asio::bind_cancellation_slot(signal.slot(), [](error_code, const Socket&) {}));
    for (int i = 0; i < 3; ++i) {
      clients.emplace_back(server.address()->family());
      BOOST_REQUIRE(clients.back().connect(server.address().value()) == 0);
    }
    world.run_until([&] { return counts->alive == 3; });
    signal.emit(asio::cancellation_type::terminal);
  }
  world.run();
  BOOST_TEST(counts->alive == 0u);
  for (const RawSocket& client : clients) BOOST_TEST(received(client).empty());
}

BEHAVIOUR(B234_lobby_the_end_of_the_io_context_closes_all_in_it, real_wires) {
  const std::size_t before = open_descriptors();
  const auto counts = std::make_shared<SpokenStage::Counts>();
  const auto options = world.listen_options();
  const std::size_t held = open_descriptors() - before;
  {
    auto io = std::make_unique<asio::io_context>();
    libnet::use_reactor(*io, world.reactor());
    Server server(*io);
    libnet::core::Acceptor::of(server).require(SpokenStage::one(counts));
    bool ending = false;
    server.on(event::drop, [&](const DropInfo&) { BOOST_TEST(!ending); });
    server.listen(options);
    server.async_accept([](error_code, const Socket&) {});
    const SocketAddress address = server.address().value();
    std::vector<RawSocket> clients;
    for (const char* saying : {"x", "g", "g", "f"}) {
      clients.emplace_back(address.family());
      BOOST_REQUIRE(clients.back().connect(address) == 0);
      clients.back().send(saying);
    }
    while (counts->steps < 2) io->run_one();
    ending = true;
    io.reset();
    BOOST_TEST(counts->alive == 0u);
    BOOST_TEST(server.connections() == 0u);
  }
  BOOST_TEST(open_descriptors() == before + held);
}

// --- racing --------------------------------------------------------------------------------------------------------

namespace {

constexpr int rounds = 1'250;  // for each of two ways and two settings: 10,000 connections and more

/// Clients say anything or nothing, the loop does a random number of things, the server closes, clients go.
template <class Want>
void race(World& world, Want want) {
  std::mt19937 random(seed());
  const auto dice = [&random](unsigned sides) { return static_cast<int>(random() % sides); };
  const auto some_turns = [&] {
    if (world.io().stopped()) world.io().restart();
    for (int turns = dice(8); turns > 0; --turns) world.io().poll_one();
  };
  const auto here = world.listen_options();
  const auto counts = std::make_shared<SpokenStage::Counts>();
  Server first(world.io());
  first.listen(here);
  world.settle();
  first.close();
  world.run();
  const std::size_t before = open_descriptors();
  long closes = 0;
  long drops = 0;
  for (int round = 0; round < rounds; ++round) {
    Server server(world.io());
    libnet::core::Acceptor::of(server).require(SpokenStage::one(counts), {.capacity = 3});
    server.listen(here);
    const SocketAddress address = server.address().value();
    server.on(event::close, [&closes] { ++closes; });
    server.on(event::drop, [&drops](const DropInfo&) { ++drops; });
    want(server, dice(4));
    some_turns();
    std::vector<RawSocket> clients;
    for (int i = dice(4) + 1; i >= 0; --i) {
      clients.emplace_back(address.family());
      clients.back().reset_on_close();
      BOOST_REQUIRE(clients.back().connect(address) == 0);
      constexpr const char* sayings[] = {"g", "g", "f", "t", "x", ""};
      clients.back().send(sayings[dice(6)]);
      some_turns();
    }
    if (dice(2) == 0) clients.pop_back();
    some_turns();
    server.close();
    some_turns();
    clients.clear();
    server = Server();
    if (round % 16 == 0 || round + 1 == rounds) world.run();
  }
  BOOST_TEST(closes == rounds);
  BOOST_TEST(drops > rounds / 10);
  BOOST_TEST(counts->made > static_cast<std::size_t>(rounds));
  BOOST_TEST(counts->alive == 0u);
  BOOST_TEST(open_descriptors() == before);
}

}  // namespace

BEHAVIOUR(R43_lobby_listeners_racing_close_leak_nothing, static_cast<unsigned>(Wire::tcp4)) {
  long served = 0;
  long gone = 0;
  race(world, [&](Server server, int) {
    server.on(event::connection, [&](Socket socket) {
      ++served;
      socket.on(event::error, [](const Error&) {});
      socket.on(event::close, [&](bool) { ++gone; });
    });
  });
  BOOST_TEST(served > rounds / 10);
  BOOST_TEST(gone == served);
}

BEHAVIOUR(R43_lobby_accepts_racing_close_leak_nothing, static_cast<unsigned>(Wire::tcp4)) {
  long asked = 0;
  long answered = 0;
  race(world, [&](Server server, int count) {
    for (int i = 0; i <= count; ++i) {
      ++asked;
      server.async_accept([&](error_code code, Socket socket) {
        ++answered;
        if (!code) socket.on(event::error, [](const Error&) {});
      });
    }
  });
  BOOST_TEST(answered == asked);
}
