#include "support/behaviour.hpp"

#include "transport/memory_transport.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::ConnectOptions;
using libnet::Server;
using libnet::Socket;

// Receiving with listeners: what is delivered, when it is held back, and the end.

namespace {

/// Cuts what the client reads into single bytes, where the wire can be shaped.
bool read_byte_by_byte(World& world) {
  if (!world.in_memory()) return false;
  world.memory_ends().client->shape().limit_reads(1);
  return true;
}

std::string all_values() {
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes.push_back(static_cast<char>(value));
  return bytes;
}

}  // namespace

BEHAVIOUR(B110_bytes_arrive_unchanged, all_wires) {
  for (const bool shaped : {false, true}) {
    auto [client, server] = world.pair();
    if (shaped && !read_byte_by_byte(world)) continue;
    Recorder recorder;
    recorder.watch(client, "client");
    std::string sent;
    for (int i = 0; i < 10; ++i) sent += all_values();
    server.end(sent);
    world.run();
    BOOST_TEST((recorder.received("client") == sent));
  }
}

BEHAVIOUR(B110_bytes_arrive_unchanged_awaited, all_wires) {
  auto [client, server] = world.pair();
  read_byte_by_byte(world);
  server.end(all_values());
  world.await([](Socket socket) -> asio::awaitable<void> {
    std::string received;
    while (const Chunk chunk = co_await socket.async_read()) received += chunk;
    BOOST_TEST((received == all_values()));
  }(client));
  world.run();
}

BEHAVIOUR(B112_bytes_read_grows_and_stays, all_wires) {
  auto [client, server] = world.pair();
  const std::string sent = random_bytes(1'048'576);
  std::string received;
  Log log;
  client.on(event::data, [&, client](Chunk chunk) {
    received += chunk;
    if (client.bytes_read() != received.size()) log.emplace_back("wrong count");
  });
  client.on(event::end, [&, client] {
    log.emplace_back("end");
    BOOST_TEST(client.bytes_read() == 1'048'576U);
  });
  client.on(event::close, [&](bool) { log.emplace_back("close"); });
  server.end(sent);
  world.run();
  const Log expected{"end", "close"};
  BOOST_TEST(log == expected, per_element);
  BOOST_TEST(client.bytes_read() == 1'048'576U);
  BOOST_TEST((received == sent));
}

BEHAVIOUR(B113_pause_before_connect_and_the_last_call_wins, all_wires) {
  Server server(world.io());
  server.on(event::connection, [](Socket socket) { socket.end("hello"); });
  world.listen(server);
  const auto make = [&](Recorder& recorder) {
    Socket socket(world.io());
    recorder.watch(socket, "client");
    return socket;
  };
  Recorder paused_log;
  Socket paused = make(paused_log);
  paused.resume().resume().pause();
  paused.connect(world.connect_options(server));
  Recorder flowing_log;
  Socket flowing = make(flowing_log);
  flowing.pause().resume();
  flowing.connect(world.connect_options(server));
  world.run_until(
      [&] { return flowing_log.count("client:close(false)") == 1 && paused_log.count("client:ready") == 1; });
  world.settle();
  const Log held{"connect", "ready"};
  BOOST_TEST(paused_log.of("client") == held, per_element);
  BOOST_TEST(paused.is_paused());
  BOOST_TEST(paused.bytes_read() == 0U);
  paused.resume();
  server.close();
  world.run();
  const Log expected{"connect", "ready", "data(5)", "end", "finish", "close(false)"};
  BOOST_TEST(paused_log.of("client") == expected, per_element);
  BOOST_TEST(flowing_log.of("client") == expected, per_element);
}

BEHAVIOUR(B114_paused_in_data_and_no_byte_lost, all_wires) {
  auto [client, server] = world.pair();
  if (world.in_memory()) world.memory_ends().client->shape().limit_reads(777);
  const std::string sent = random_bytes(300'000);
  std::string received;
  bool may_come = true;
  bool closed = false;
  int pauses = 0;
  client.on(event::data, [&, client](Chunk chunk) mutable {
    BOOST_TEST(may_come);
    received += chunk;
    client.pause();
    may_come = false;
    ++pauses;
  });
  client.on(event::end, [&] { BOOST_TEST(may_come); });
  client.on(event::close, [&](bool) { closed = true; });
  server.end(sent);
  while (!closed) {
    world.settle();
    may_come = true;
    const int before = pauses;
    client.resume();
    if (!closed) world.run_until([&] { return closed || pauses != before; });
  }
  BOOST_TEST(pauses > 4);
  BOOST_TEST((received == sent));
}

BEHAVIOUR(B115_pause_and_resume_are_legal_in_every_state, all_wires) {
  Socket fresh(world.io());
  fresh.pause().pause().resume().resume();
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.pause().pause().resume().resume();
  server.end("hello");
  client.on(event::end, [client]() mutable { client.pause().resume(); });
  client.on(event::close, [client](bool) mutable { client.pause().resume().pause(); });
  world.run();
  client.pause().resume().pause();
  server.resume().pause();
  world.run();
  const Log expected{"data(5)", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B116_C6_unread_data_hold_back_end_and_close, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  server.end("hello");
  world.settle();
  BOOST_TEST(recorder.log().empty());
  BOOST_TEST(client.bytes_read() == 0U);
  client.on(event::data, [&](Chunk chunk) { recorder.note("client:" + chunk.to_string()); });
  world.run();
  const Log expected{"hello", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(C6_the_window_fills_when_nobody_consumes, all_wires) {
  for (const bool paused : {false, true}) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(client, "client", paused ? Recorder::Data::record : Recorder::Data::ignore);
    if (paused) client.pause();
    const std::string sent = random_bytes(16 * 1024 * 1024);
    bool written = false;
    server.write(sent, [&] { written = true; });
    world.settle();
    BOOST_TEST(!written);
    BOOST_TEST(server.buffered() > 0U);
    BOOST_TEST(client.bytes_read() == 0U);
    BOOST_TEST(recorder.log().empty());
    const std::size_t held = server.buffered();
    world.settle();
    BOOST_TEST(server.buffered() == held);
    client.resume();  // where nobody listens, this throws away what comes
    server.end();
    world.run();
    BOOST_TEST(written);
    BOOST_TEST(client.bytes_read() == sent.size());
    if (paused) BOOST_TEST((recorder.received("client") == sent));
    BOOST_TEST(recorder.count("client:end") == 1U);
    BOOST_TEST(recorder.count("client:close(false)") == 1U);
  }
}

BEHAVIOUR(B117_the_end_without_data_needs_no_consumer, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  server.end();
  world.run();
  const Log expected{"end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B117_pause_holds_the_end_back, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  client.pause();
  server.end();
  world.settle();
  BOOST_TEST(recorder.log().empty());
  client.resume();
  world.run();
  const Log expected{"end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B117_a_half_open_socket_without_an_end_listener_is_not_told, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true});
  server.end();
  world.settle();
  BOOST_TEST(client.readable());
  BOOST_TEST(!client.destroyed());
  int ends = 0;
  client.on(event::end, [&] { ++ends; });
  BOOST_TEST(ends == 0);
  world.run_until([&] { return ends == 1; });
  BOOST_TEST(!client.readable());
  BOOST_TEST(client.writable());
  client.end();
  world.run();
  BOOST_TEST(ends == 1);
}

BEHAVIOUR(B117_waiting_for_the_end_of_a_half_open_socket_awaited, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true});
  server.end();
  world.settle();
  world.await([](Socket socket) -> asio::awaitable<void> {
    co_await socket.async_wait(event::end);
    BOOST_TEST(!socket.readable());
    co_await socket.async_close();
  }(client));
  world.run();
}

BEHAVIOUR(B118_never_read_although_both_sides_ended, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  client.end();
  server.end("unread");
  world.settle();
  const Log so_far{"finish"};
  BOOST_TEST(recorder.of("client") == so_far, per_element);
  world.await([](Socket socket) -> asio::awaitable<void> {
    const Chunk chunk = co_await socket.async_read();
    BOOST_TEST(chunk == "unread");
  }(client));
  world.run();
  const Log expected{"finish", "end", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B119_B120_one_data_with_the_whole_message_precedes_one_end, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  server.end(std::string(36, 'x'));
  world.run();
  const Log expected{"data(36)", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B119_no_end_after_destroy, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  server.end("bye");
  client.on(event::data, [client](Chunk) mutable { client.destroy(); });
  world.run();
  const Log expected{"data(3)", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(R3_destroy_drops_the_queue_and_no_data_comes_after, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  server.write(random_bytes(500'000));
  bool destroyed = false;
  client.on(event::data, [&, client](Chunk) mutable {
    BOOST_TEST(!destroyed);
    client.write(random_bytes(2'000'000));
    client.destroy();
    destroyed = true;
    BOOST_TEST(client.buffered() == 0U);
  });
  server.on(event::error, [](const libnet::Error&) {});
  world.run();
  BOOST_TEST(recorder.of("client").size() == 2U);
  BOOST_TEST(recorder.of("client").back() == "close(false)");
  BOOST_TEST(recorder.received("server").size() < 2'000'000U);
}

BEHAVIOUR(R31_pause_inside_the_connection_listener_holds, all_wires) {
  Server server(world.io());
  Socket accepted;
  Recorder recorder;
  server.on(event::connection, [&](Socket socket) {
    socket.pause();
    recorder.watch(socket, "server");
    accepted = socket;
  });
  world.listen(server);
  Socket client = libnet::connect(world.io(), world.connect_options(server));
  client.end("hello");
  bool finished = false;
  client.on(event::finish, [&] { finished = true; });
  world.run_until([&] { return finished && recorder.count("server:ready") == 1; });
  world.settle();
  const Log held{"connect", "ready"};
  BOOST_TEST(recorder.of("server") == held, per_element);
  BOOST_TEST(accepted.bytes_read() == 0U);
  accepted.resume();
  server.close();
  world.run();
  const Log expected{"connect", "ready", "data(5)", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("server") == expected, per_element);
}

BEHAVIOUR(B124_a_reset_is_reported_although_nobody_reads, tcp_wires | static_cast<unsigned>(Wire::memory)) {
  auto [client, server] = world.pair();
  int errors = 0;
  bool closed = false;
  client.on(event::error, [&](const libnet::Error& error) {
    ++errors;
    BOOST_TEST(error.message() == "read ECONNRESET");
    BOOST_TEST(error.code() == boost::system::errc::connection_reset);
  });
  client.on(event::close, [&](bool had_error) { closed = had_error; });
  server.reset();
  world.run();
  BOOST_TEST(errors == 1);
  BOOST_TEST(closed);
}

BEHAVIOUR(C6_a_read_ends_the_discarding_that_resume_began, all_wires) {
  auto [client, server] = world.pair();
  server.resume();
  client.write("discarded");
  world.run_until([&] { return server.bytes_read() == 9; });
  std::string received;
  const auto read = [&] { server.async_read([&](libnet::error_code, const Chunk& chunk) { received += chunk; }); };
  read();
  client.write("first ");
  world.run_until([&] { return received == "first "; });
  client.write("second");  // while nobody reads
  world.settle();
  read();
  world.run_until([&] { return received == "first second"; });
  client.destroy();
  server.destroy();
  world.run();
}
