#include <functional>
#include <string>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Errc;
using libnet::Error;
using libnet::Socket;
using libnet::SocketOptions;

// R58: every error of a connection tells the operation and both addresses.

namespace {

/// Breaks the client's connection and gives back its error.
Error error_after(World& world, const SocketOptions& options,
                  const std::function<void(Socket& client, Socket& server)>& cause) {
  auto [client, server] = world.pair(options, {.allow_half_open = true});
  Error found;
  client.on(event::error, [&](const Error& error) { found = error; });
  server.on(event::error, [](const Error&) {});
  const auto local = client.local_address();
  const auto remote = client.remote_address();
  cause(client, server);
  world.run_until([&] { return static_cast<bool>(found); });
  if (world.is_tcp()) {
    BOOST_TEST((found.local_address() == local));
    BOOST_TEST((found.remote_address() == remote));
  }
  BOOST_TEST((client.error().code() == found.code()));
  client.destroy();
  server.destroy();
  world.run();
  return found;
}

}  // namespace

BEHAVIOUR(R58_a_reset_by_the_peer, ip_wires) {
  const Error error = error_after(world, {}, [](Socket&, Socket& server) { server.reset(); });
  BOOST_TEST(error.operation() == "read");
  BOOST_TEST(error.message() == "read ECONNRESET");
}

BEHAVIOUR(R58_a_write_after_the_end, all_wires) {
  const Error error = error_after(world, {}, [](Socket& client, Socket&) {
    client.end();
    client.write("late");
  });
  BOOST_TEST(error.operation() == "write");
  BOOST_TEST((error.code() == Errc::write_after_end));
}

BEHAVIOUR(R58_an_overflow, all_wires) {
  const SocketOptions options{.high_water_mark = 1, .max_buffered = 1, .on_overflow = libnet::OverflowPolicy::destroy};
  const Error error = error_after(world, options, [](Socket& client, Socket&) {
    client.cork();
    client.write("fills the queue");
    client.write("and overflows it");
  });
  BOOST_TEST(error.operation() == "write");
  BOOST_TEST((error.code() == Errc::overflow));
}

BEHAVIOUR(R58_a_peer_that_takes_nothing, all_wires) {
  world.use_manual_clock();
  const Error error = error_after(world, {}, [&](Socket& client, Socket& server) {
    server.pause();
    client.write(random_bytes(8'000'000));
    client.destroy_soon();
    world.settle();
    world.advance(3s);
  });
  BOOST_TEST(error.operation() == "write");
  BOOST_TEST((error.code() == Errc::timed_out));
}

BEHAVIOUR(R58_a_reset_where_there_is_none, static_cast<unsigned>(Wire::unix_path)) {
  libnet::Server server(world.io());
  server.on(event::connection, [](const Socket&) {});
  world.listen(server);
  Socket client(world.io());
  Error found;
  client.on(event::error, [&](const Error& error) { found = error; });
  world.connect(client, server);
  client.reset();
  world.run_until([&] { return static_cast<bool>(found); });
  BOOST_TEST(found.operation() == "reset");
  BOOST_TEST((found.code() == Errc::invalid_handle));
}
