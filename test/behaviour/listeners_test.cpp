#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::ListenerId;
using libnet::Server;
using libnet::Socket;

// B235, B236, B237: the order of listeners, and their coming and going while they run.

namespace {

/// Lets the client send one byte and waits until the server's last listener of 'data' has noted it.
void emit_data(World& world, Socket& client, Log& log, const std::string& last) {
  log.clear();
  client.write("x");
  world.run_until([&] { return !log.empty() && log.back() == last; });
}

}  // namespace

BEHAVIOUR(B235_order_of_registration, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  const auto note = [&log](const std::string& what) { return [&log, what](Chunk) { log.push_back(what); }; };
  server.on(event::data, note("first"));
  server.once(event::data, note("once"));
  server.prepend(event::data, note("front"));
  server.on(event::data, note("last"));
  server.prepend(event::data, note("very front"));
  emit_data(world, client, log, "last");
  BOOST_TEST((log == Log{"very front", "front", "first", "once", "last"}), per_element);
  BOOST_TEST(server.listener_count(event::data) == 4U);
  emit_data(world, client, log, "last");
  BOOST_TEST((log == Log{"very front", "front", "first", "last"}), per_element);
}

BEHAVIOUR(B235_once_is_removed_before_it_runs, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  server.once(event::data, [&, self = server](Chunk) mutable {
    log.push_back("once " + std::to_string(self.listener_count(event::data)));
    self.once(event::data, [&log](Chunk) { log.push_back("again"); });  // runs for the next one
  });
  emit_data(world, client, log, "once 0");
  emit_data(world, client, log, "again");
  BOOST_TEST(server.listener_count(event::data) == 0U);
}

BEHAVIOUR(B235_added_and_removed_during_an_emission, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  std::optional<ListenerId> removed;
  server.once(event::data, [&, self = server](Chunk) mutable {
    log.push_back("first");
    self.on(event::data, [&log](Chunk) { log.push_back("added"); });
    self.prepend(event::data, [&log](Chunk) { log.push_back("added in front"); });
    BOOST_TEST(self.off(*removed));
    BOOST_TEST(!self.off(*removed));
  });
  removed = server.on(event::data, [&log](Chunk) { log.push_back("removed"); });
  server.on(event::data, [&log](Chunk) { log.push_back("last"); });
  emit_data(world, client, log, "last");
  BOOST_TEST((log == Log{"first", "last"}), per_element);
  emit_data(world, client, log, "added");
  BOOST_TEST((log == Log{"added in front", "last", "added"}), per_element);
}

BEHAVIOUR(B235_remove_all_during_an_emission, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  server.on(event::end, [&] { log.push_back("end"); });
  server.on(event::data, [&, self = server](Chunk) mutable {
    log.push_back("only");
    self.remove_all(event::data);
  });
  server.on(event::data, [&](Chunk) { log.push_back("never"); });
  emit_data(world, client, log, "only");
  client.resume();
  client.end();
  world.run_until([&] { return log.back() == "end"; });
  BOOST_TEST((log == Log{"only", "end"}), per_element);
}

BEHAVIOUR(B235_servers, all_wires) {
  Server server(world.io());
  Log log;
  server.on(event::listening, [&] { log.push_back("second"); });
  const ListenerId removed = server.on(event::listening, [&] { log.push_back("removed"); });
  server.once(event::listening, [&] { log.push_back("third"); });
  server.prepend(event::listening, [&] { log.push_back("first"); });
  BOOST_TEST(server.off(removed));
  BOOST_TEST(server.listener_count(event::listening) == 3U);
  world.listen(server);
  world.settle();
  BOOST_TEST((log == Log{"first", "second", "third"}), per_element);
  BOOST_TEST(server.listener_count(event::listening) == 2U);
  server.remove_all(event::listening);
  BOOST_TEST(server.listener_count(event::listening) == 0U);
}

BEHAVIOUR(B236_off_and_scoped_before_and_after_close, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  const auto note = [&log](Chunk chunk) { log.push_back(chunk.to_string()); };
  const ListenerId id = server.on(event::data, note);
  BOOST_TEST(server.off(id));
  BOOST_TEST(!server.off(id));
  BOOST_TEST(!server.off(ListenerId{}));
  {
    const auto guard = server.scoped(server.on(event::data, note));
    client.write("heard");
    world.run_until([&] { return !log.empty(); });
  }
  BOOST_TEST(server.listener_count(event::data) == 0U);
  client.write("not heard");
  world.settle();
  BOOST_TEST((log == Log{"heard"}), per_element);
  BOOST_TEST(server.bytes_read() == 5U);

  auto late = std::make_unique<libnet::ScopedListener<Socket>>(server, server.on(event::end, [] {}));
  const ListenerId kept = server.on(event::close, [](bool) {});
  server.destroy();
  client.destroy();
  world.run();
  BOOST_TEST(server.listener_count(event::close) == 0U);
  BOOST_TEST(!server.off(kept));
  late.reset();
}

BEHAVIOUR(B236_an_id_is_not_used_again, all_wires) {
  auto [client, server] = world.pair();
  const ListenerId old = server.on(event::end, [] {});
  server.off(old);
  for (int i = 0; i < 100; ++i) BOOST_TEST((server.on(event::end, [] {}) != old));
  BOOST_TEST(!server.off(old));
  BOOST_TEST(server.listener_count(event::end) == 100U);
}

BEHAVIOUR(B237_a_listener_that_throws, all_wires) {
  auto [client, server] = world.pair();
  Log log;
  server.on(event::data, [&](Chunk) { log.push_back("before"); });
  server.on(event::data, [](Chunk) { throw std::runtime_error("oops"); });
  server.on(event::data, [&](Chunk) { log.push_back("not reached"); });
  server.on(event::error, [&](const Error& error) {
    log.push_back(error.name());
    BOOST_CHECK_THROW(std::rethrow_exception(error.exception()), std::runtime_error);
  });
  server.on(event::close, [&](bool had_error) { log.push_back(had_error ? "close" : "clean close"); });
  client.resume();
  client.write("xy");
  world.run();
  BOOST_TEST((log == Log{"before", "ERR_LISTENER_THREW", "close"}), per_element);
  BOOST_TEST(client.destroyed());
}

BEHAVIOUR(B237_what_is_no_listener_throws_too, all_wires) {
  for (int place = 0; place < 4; ++place) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(server, "server");
    const auto oops = [] { throw std::runtime_error("oops"); };
    if (place == 0) server.write("x", oops);
    if (place == 1) server.end(oops);
    if (place == 2) server.on(event::finish, oops);
    if (place == 3) server.once(event::end, oops);
    client.resume();
    if (place > 1) client.end();
    world.run();
    BOOST_TEST(recorder.count("server:error(ERR_LISTENER_THREW)") == 1U, place);
    BOOST_TEST(recorder.count("server:close(true)") == 1U, place);
    BOOST_TEST(recorder.log().back() == "server:close(true)");
  }
}

BEHAVIOUR(B237_a_close_listener_that_throws, all_wires) {
  auto [client, server] = world.pair();
  int closes = 0;
  server.on(event::close, [&](bool) {
    ++closes;
    throw std::runtime_error("oops");
  });
  server.on(event::error, [](const Error&) { BOOST_ERROR("an error after the end"); });
  server.destroy();
  client.resume();
  world.run();
  BOOST_TEST(closes == 1);
}
