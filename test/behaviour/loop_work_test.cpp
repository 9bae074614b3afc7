#include <optional>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// Contract 12: what keeps run() going, and how else the loop may be driven.

namespace {

/// Whether run() would go on after everything that is due now was delivered.
bool keeps_running(World& world) {
  world.io().restart();
  while (world.io().poll() != 0) {
  }
  return !world.io().stopped();
}

}  // namespace

BEHAVIOUR(B184_a_listening_server_counts, all_wires) {
  Server server(world.io());
  BOOST_TEST(!keeps_running(world));
  world.listen(server);
  BOOST_TEST(keeps_running(world));
  server.close();
  BOOST_TEST(!keeps_running(world));
  world.listen(server);
  BOOST_TEST(keeps_running(world));
  server.close();
  world.run();
}

BEHAVIOUR(B184_a_server_that_resolves_a_name_counts, static_cast<unsigned>(Wire::tcp4)) {
  Server server(world.io());
  bool listening = false;
  server.listen({.host = "localhost"}, [&] {
    listening = true;
    server.close();
  });
  world.run();
  BOOST_TEST(listening);
}

BEHAVIOUR(B184_a_failed_listen_does_not_count, all_wires) {
  Server taken(world.io());
  world.listen(taken);
  taken.unref();
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  const std::string where = taken.address()->address();
  const int port = taken.address()->port();
  server.listen(world.is_unix() ? libnet::ListenOptions{.path = where}
                                : libnet::ListenOptions{.host = where, .port = port});
  world.run();
  expect(recorder.of("server"), {"error(EADDRINUSE)"});
}

BEHAVIOUR(B184_a_connecting_socket_counts, all_wires) {
  Server server(world.io());
  world.listen(server);
  server.unref();
  Socket client(world.io());
  bool connected = false;
  client.pause();
  client.on(event::connect, [&] { connected = true; });
  world.connect(client, server);
  world.run();
  BOOST_TEST(connected);
}

BEHAVIOUR(B184_connected_sockets_count_unless_paused, all_wires) {
  auto [client, server] = world.pair();
  BOOST_TEST(keeps_running(world));
  client.pause();
  BOOST_TEST(keeps_running(world));
  server.pause();
  BOOST_TEST(!keeps_running(world));
  client.resume();
  BOOST_TEST(keeps_running(world));
  client.pause();
  BOOST_TEST(!keeps_running(world));
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B184_a_waiting_read_counts_also_on_a_paused_socket, all_wires) {
  auto [client, server] = world.pair();
  client.pause();
  server.pause();
  BOOST_TEST(!keeps_running(world));
  std::string received;
  server.async_read([&](error_code, Chunk chunk) { received = chunk.to_string(); });
  BOOST_TEST(keeps_running(world));
  client.write("x");
  world.run();
  BOOST_TEST(received == "x");
}

BEHAVIOUR(B184_queued_bytes_count, all_wires) {
  auto [client, server] = world.pair({}, {.linger_time = 10s});
  client.pause();
  server.pause();
  const std::string body = random_bytes(16'000'000);  // more than any kernel takes unread
  bool written = false;
  client.write(body, [&] { written = true; });
  BOOST_TEST(keeps_running(world));
  BOOST_TEST(!written);
  std::size_t received = 0;
  server.on(event::data, [&](const Chunk& chunk) {
    received += chunk.size();
    if (received == body.size()) server.pause();
  });
  server.resume();
  world.run();
  BOOST_TEST(written);
  BOOST_TEST(received == body.size());
}

BEHAVIOUR(B184_an_end_under_way_counts, all_wires) {
  auto [client, server] = world.pair();
  client.pause();
  server.pause();
  bool finished = false;
  client.end("bye", [&] { finished = true; });
  world.run();
  BOOST_TEST(finished);
}

BEHAVIOUR(B184_a_lingering_socket_counts, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  server.unref();
  client.write("the end");
  client = Socket();  // lingers: flushed, ended, closed
  world.run();
  expect(recorder.of("server"), {"data(7)", "end", "finish", "close(false)"});
}

BEHAVIOUR(B184_timers_do_not_count, all_wires) {
  auto [client, server] = world.pair();
  client.unref();
  server.unref();
  bool timed_out = false;
  client.set_timeout(1h, [&] { timed_out = true; });
  server.async_read(libnet::cancel_after(1h, [](error_code, const Chunk&) {}));
  Socket fresh(world.io());
  fresh.set_timeout(1h);
  world.run();
  BOOST_TEST(!timed_out);
}

BEHAVIOUR(B184_what_is_due_is_delivered_before_run_returns, all_wires) {
  Socket fresh(world.io());
  Recorder recorder;
  recorder.watch(fresh, "fresh");
  fresh.destroy();
  world.run();
  expect(recorder.of("fresh"), {"close(false)"});

  auto [client, server] = world.pair();
  recorder.watch(client, "client");
  client.unref();
  server.unref();
  int completions = 0;
  client.write("x", [&] { ++completions; });
  client.async_drain([&](error_code) { ++completions; });
  client.destroy();
  client.async_read([&](error_code, const Chunk&) { ++completions; });
  world.run();
  BOOST_TEST(completions == 3);
  expect(recorder.of("client"), {"close(false)"});
}

BEHAVIOUR(B184_what_is_due_of_a_server_is_delivered_before_run_returns, all_wires) {
  Server server(world.io());
  server.unref();
  Recorder recorder;
  recorder.watch(server, "server");
  world.listen(server);
  world.run();
  expect(recorder.of("server"), {"listening"});
  int completions = 0;
  server.async_accept([&](error_code, const Socket&) { ++completions; });
  server.get_connections([&] { ++completions; });
  server.close([&] { ++completions; });
  world.run();
  expect(recorder.of("server"), {"listening", "close"});
  BOOST_TEST(completions == 3);
}

BEHAVIOUR(B185_unref_of_a_server, all_wires) {
  Server before(world.io());
  before.unref();
  world.listen(before);
  Server after(world.io());
  world.listen(after);
  BOOST_TEST(keeps_running(world));
  after.unref();
  world.run();
  BOOST_TEST(before.listening());
  BOOST_TEST(after.listening());
  after.ref();
  BOOST_TEST(keeps_running(world));
  after.unref();
  before.ref().unref().ref();
  BOOST_TEST(keeps_running(world));
  before.close();
  world.run();
}

BEHAVIOUR(B186_ref_and_unref_before_connect_are_remembered, all_wires) {
  Server server(world.io());
  world.listen(server);
  server.unref();
  Socket unreferenced(world.io());
  unreferenced.unref();
  world.connect(unreferenced, server);
  Socket referenced(world.io());
  referenced.unref().ref();
  world.connect(referenced, server);
  bool connected = false;
  referenced.on(event::connect, [&] { connected = true; });
  world.run_until([&] { return connected && !unreferenced.connecting(); });
  BOOST_TEST(keeps_running(world));
  referenced.destroy();
  BOOST_TEST(!keeps_running(world));
  unreferenced.ref();
  BOOST_TEST(keeps_running(world));
}

BEHAVIOUR(B187_a_paused_client_does_not_keep_the_loop, all_wires) {
  Server server(world.io());
  Socket accepted;
  server.on(event::connection, [&](Socket socket) {
    accepted = std::move(socket);
    accepted.pause();
    server.close();
  });
  world.listen(server);
  Socket client(world.io());
  client.pause();
  bool connected = false;
  client.on(event::connect, [&] { connected = true; });
  world.connect(client, server);
  world.run();
  BOOST_TEST(connected);
  BOOST_TEST((client.ready_state() == libnet::ReadyState::open));
}

BEHAVIOUR(B188_connections_of_an_unref_d_server_count, all_wires) {
  Server server(world.io());
  server.unref();
  Recorder recorder;
  server.on(event::connection, [&](Socket socket) {
    recorder.watch(socket, "accepted");
    socket.on(event::data, [socket](const Chunk& chunk) mutable { socket.write(chunk); });
  });
  world.listen(server);
  Socket client(world.io());
  client.unref();
  int rounds = 0;
  client.on(event::connect, [&] { client.write("x"); });
  client.on(event::data, [&](const Chunk&) { ++rounds < 50 ? client.write("x") : (client.end(), true); });
  // The client does not count, so somebody has to until the server's side exists.
  auto guard = std::make_optional(asio::make_work_guard(world.io()));
  server.on(event::connection, [&](const Socket&) { guard.reset(); });
  world.connect(client, server);
  world.run();
  BOOST_TEST(rounds == 50);
  BOOST_TEST(recorder.count("accepted:close(false)") == 1u);
  BOOST_TEST(server.listening());
}

BEHAVIOUR(C12_run_again_after_it_returned, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  client.pause();
  for (int round = 1; round <= 5; ++round) {
    server.pause();
    client.write("hello");  // outside the loop
    world.run();
    BOOST_TEST(recorder.received("server").size() == 5u * static_cast<std::size_t>(round - 1));
    server.resume();
    world.run_until([&] { return recorder.received("server").size() == 5u * static_cast<std::size_t>(round); });
  }
  client.resume();
  client.end();
  world.run();
  expect(recorder.of("server"),
         {"data(5)", "data(5)", "data(5)", "data(5)", "data(5)", "end", "finish", "close(false)"});
}

BEHAVIOUR(C12_objects_may_stop_counting_while_the_loop_does_not_run, all_wires) {
  // Reaching zero outside run() would stop the context, and what is due would wait for the run after the next.
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  world.listen(server);
  world.settle();
  world.io().restart();
  server.close();
  world.io().run();  // no restart: what a user writes
  expect(recorder.of("server"), {"listening", "close"});

  Server dropped(world.io());
  world.listen(dropped);
  const auto again = world.connect_options(dropped);
  world.settle();
  world.io().restart();
  dropped = Server();
  bool posted = false;
  asio::post(world.io(), [&] { posted = true; });
  world.io().run();
  BOOST_TEST(posted);
  Socket client(world.io());
  recorder.watch(client, "client");
  client.connect(again);
  world.run();
  expect(recorder.of("client"), {world.is_unix() ? "error(ENOENT)" : "error(ECONNREFUSED)", "close(true)"});
}

BEHAVIOUR(C12_sockets_may_go_while_the_loop_does_not_run, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  world.io().restart();
  client.destroy();
  server.destroy();
  world.io().run();
  expect(recorder.of("client"), {"close(false)"});
  expect(recorder.of("server"), {"close(false)"});
}

namespace {

/// A conversation: the server echoes, the client ends after some rounds.
class Conversation {
 public:
  explicit Conversation(World& world) : server_(world.io()), client_(world.io()) {
    server_.on(event::connection, [this](Socket socket) {
      recorder.watch(socket, "accepted");
      socket.on(event::data, [socket](const Chunk& chunk) mutable { socket.write(chunk); });
      server_.close();
    });
    recorder.watch(server_, "server");
    recorder.watch(client_, "client");
    client_.on(event::connect, [this] { client_.write("x"); });
    client_.on(event::data, [this](const Chunk&) {
      if (++rounds_ == 20) return void(client_.end());
      client_.write("x");
    });
    world.listen(server_);
    world.connect(client_, server_);
  }

  bool over() const {
    return recorder.count("client:close(false)") + recorder.count("accepted:close(false)") +
               recorder.count("server:close") ==
           3;
  }

  Recorder recorder;

 private:
  Server server_;
  Socket client_;
  int rounds_ = 0;
};

void expect_as_with_run(World& world, Conversation& driven) {
  Conversation reference(world);
  world.run();
  BOOST_TEST(reference.over());
  for (const char* who : {"client", "accepted", "server"}) expect(driven.recorder.of(who), reference.recorder.of(who));
}

template <class Drive>
void drive(Conversation& conversation, Drive once) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  while (!conversation.over()) {
    BOOST_REQUIRE(std::chrono::steady_clock::now() < deadline);
    once();
  }
}

}  // namespace

BEHAVIOUR(C12_B250_driven_by_poll_with_a_work_guard, all_wires) {
  Conversation conversation(world);
  {
    const auto guard = asio::make_work_guard(world.io());
    drive(conversation, [&] { world.io().poll(); });
  }
  expect_as_with_run(world, conversation);
}

BEHAVIOUR(C12_B250_driven_by_poll_one_and_restart, all_wires) {
  Conversation conversation(world);
  drive(conversation, [&] {
    if (world.io().stopped()) world.io().restart();
    world.io().poll_one();
  });
  expect_as_with_run(world, conversation);
}

BEHAVIOUR(C12_B250_driven_by_run_one, all_wires) {
  Conversation conversation(world);
  drive(conversation, [&] { BOOST_REQUIRE(world.io().run_one() == 1u); });
  expect_as_with_run(world, conversation);
}

BEHAVIOUR(C12_B250_driven_by_run_for, all_wires) {
  Conversation conversation(world);
  drive(conversation, [&] {
    if (world.io().stopped()) world.io().restart();
    world.io().run_for(1ms);
  });
  expect_as_with_run(world, conversation);
}

BEHAVIOUR(C12_B250_driven_from_inside_a_handler, all_wires) {
  // A handler of the context that runs the loop itself, as a nested event loop does.
  Conversation conversation(world);
  auto guard = asio::make_work_guard(world.io());
  bool done = false;
  asio::post(world.io(), [&] {
    drive(conversation, [&] { world.io().poll(); });
    done = true;
  });
  while (!done) world.io().run_one();
  guard.reset();
  expect_as_with_run(world, conversation);
}

BEHAVIOUR(C12_work_of_the_user_keeps_unref_d_objects_served, all_wires) {
  Server server(world.io());
  server.unref();
  int connections = 0;
  Socket client(world.io());
  client.unref();
  asio::steady_timer timer(world.io(), 1h);
  timer.async_wait([](error_code) {});
  server.on(event::connection, [&](Socket socket) {
    ++connections;
    socket.destroy();
    timer.cancel();
  });
  world.listen(server);
  world.connect(client, server);
  world.run();
  BOOST_TEST(connections == 1);
}
