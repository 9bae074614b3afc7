#include <boost/asio/strand.hpp>

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// B232, B233, R8, R40: handles that go at awkward moments, and handles of nothing.

namespace {

using Box = std::shared_ptr<Socket>;

/// A socket whose only handle is in a box that its listeners share.
Box box(Socket& socket) { return std::make_shared<Socket>(std::exchange(socket, Socket())); }

template <class... Answers>
void harmless(const Answers&...) {}

/// Calls everything there is.
void use_all(Socket socket) {
  std::string buffer(8, '.');
  const auto ignore = [](const auto&...) {};
  socket.connect({.port = 1});
  socket.async_connect({.port = 1}, ignore);
  socket.async_read(ignore);
  socket.async_read_some(asio::buffer(buffer), ignore);
  socket.pause();
  socket.resume();
  socket.unshift("x");
  BOOST_TEST(!socket.write("x"));
  BOOST_TEST(!socket.write("x", ignore));
  socket.async_write("x", ignore);
  socket.async_write_some(asio::buffer(buffer), ignore);
  socket.async_drain(ignore);
  {
    const libnet::Corked corked = socket.corked();
  }
  socket.end("x");
  socket.end(ignore);
  socket.async_end(ignore);
  socket.destroy();
  socket.destroy_soon();
  socket.reset();
  socket.async_close(ignore);
  const auto id = socket.on(event::end, [] {});
  socket.once(event::error, [](const Error&) {});
  socket.prepend(event::data, [](Chunk) {});
  {
    const auto guard = socket.scoped(socket.on(event::drain, [] {}));
  }
  BOOST_TEST(!socket.off(id));
  socket.remove_all(event::end);
  socket.async_wait(event::close, ignore);
  socket.set_timeout(1s, [] {});
  socket.set_no_delay();
  socket.set_keep_alive(true);
  socket.ref();
  socket.unref();
}

void expect_closed(const Socket& socket) {
  BOOST_TEST(!socket.connecting());
  BOOST_TEST(socket.pending());
  BOOST_TEST((socket.ready_state() == libnet::ReadyState::closed));
  BOOST_TEST(!socket.readable());
  BOOST_TEST(!socket.writable());
  BOOST_TEST(socket.destroyed());
  BOOST_TEST(socket.buffered() == 0U);
  BOOST_TEST(!socket.need_drain());
  BOOST_TEST(socket.native_handle() == -1);
  BOOST_TEST(socket.listener_count(event::end) == 0U);
  harmless(socket.get_executor(), socket.timeout(), socket.bytes_read(), socket.bytes_written(), socket.local_address(),
           socket.remote_address(), socket.is_paused(), socket.error(), socket.server(), socket.id());
}

void use_all(Server server) {
  const auto ignore = [](const auto&...) {};
  server.listen();
  server.listen(0, ignore);
  server.async_listen({}, ignore);
  server.async_accept(ignore);
  server.serve([](Socket) -> asio::awaitable<void> { co_return; });
  server.close();
  server.close(ignore);
  server.async_close(ignore);
  server.off(server.on(event::listening, [] {}));
  server.remove_all(event::listening);
  server.async_wait(event::listening, ignore);
  server.get_connections(ignore);
  server.async_get_connections(ignore);
  server.ref();
  server.unref();
  BOOST_TEST(!server.listening());
  BOOST_TEST(!server.address().has_value());
  BOOST_TEST(server.connections() == 0U);
  BOOST_TEST(server.sockets().empty());
  BOOST_TEST(server.native_handle() == -1);
  BOOST_TEST(server.listener_count(event::close) == 0U);
  harmless(server.error(), server.get_executor());
}

}  // namespace

BEHAVIOUR(B232_the_last_handle_goes_in_each_listener, all_wires) {
  // The listener that drops it is the only one that still holds the socket, and destroys itself with it.
  const std::array<std::string, 5> places{"data", "end", "finish", "close", "write"};
  for (const std::string& place : places) {
    auto [client, server] = world.pair();
    const Box only = box(server);
    int ran = 0;
    const auto drop = [held = only, place, &ran](const std::string& where) {
      if (where != place) return;
      ++ran;
      *held = Socket();
    };
    only->on(event::data, [drop](Chunk chunk) {
      drop("data");
      BOOST_TEST(chunk == "hello");  // still there
    });
    only->on(event::end, [drop] { drop("end"); });
    only->on(event::finish, [drop] { drop("finish"); });
    only->on(event::close, [drop](bool) { drop("close"); });
    only->write("x", [drop] { drop("write"); });
    client.resume();
    client.end("hello");
    world.run();
    BOOST_TEST(ran == 1, place);
    BOOST_TEST(client.destroyed());
  }
}

BEHAVIOUR(B232_a_listener_that_is_its_own_last_owner, all_wires) {
  auto [client, server] = world.pair();
  const auto watcher = std::make_shared<int>(0);
  Socket copy = server;
  server.on(event::data, [watcher, self = server](Chunk chunk) mutable {
    ++*watcher;
    self.remove_all(event::data);  // the end of this very listener, and of its handle
    BOOST_TEST(chunk == "hello");
  });
  server = Socket();
  copy = Socket();
  client.write("hello");
  client.resume();
  world.run_until([&] { return *watcher == 1; });
  client.end();
  world.run();
  BOOST_TEST(watcher.use_count() == 1);
  BOOST_TEST(client.destroyed());
}

BEHAVIOUR(B232_dropping_and_destroying_in_completions, all_wires) {
  for (const bool destroy : {true, false}) {
    auto [client, server] = world.pair();
    const Box only = box(server);
    int ran = 0;
    const auto drop = [held = only, destroy, &ran](const auto&...) {
      ++ran;
      if (destroy) held->destroy();
      *held = Socket();
    };
    only->async_read(drop);
    only->async_wait(event::close, [&ran](const error_code&, bool) { ++ran; });
    client.resume();
    client.end("x");
    world.run();
    BOOST_TEST(ran == 2);
  }
}

BEHAVIOUR(R40_the_server_goes_inside_its_own_listeners, all_wires) {
  for (const std::string place : {"listening", "connection", "close"}) {
    auto only = std::make_shared<Server>(world.io());
    int ran = 0;
    const auto drop = [held = only, place, &ran](const std::string& where) {
      if (where != place) return;
      ++ran;
      if (place != "close") held->close();
      *held = Server();
    };
    only->on(event::listening, [drop] { drop("listening"); });
    only->on(event::connection, [drop](Socket socket) {
      socket.end("bye");
      drop("connection");
    });
    only->on(event::close, [drop] { drop("close"); });
    world.listen(*only);
    Socket client(world.io());
    client.on(event::error, [](const Error&) {});
    world.connect(client, *only);
    if (place == "close") only->close();
    only.reset();
    client.resume();
    world.run();
    BOOST_TEST(ran == 1, place);
    BOOST_TEST(client.destroyed());
  }
}

BEHAVIOUR(R40_the_server_goes_inside_handler_error, all_wires) {
  auto only = std::make_shared<Server>(world.io());
  int ran = 0;
  only->serve([](Socket) -> asio::awaitable<void> {
    throw std::runtime_error("oops");
    co_return;
  });
  only->on(event::handler_error, [held = only, &ran](const Socket& socket, const std::exception_ptr&) {
    BOOST_TEST(socket.destroyed());
    ++ran;
    held->close();
    *held = Server();
  });
  world.listen(*only);
  Socket client(world.io());
  client.on(event::error, [](const Error&) {});
  world.connect(client, *only);
  only.reset();
  client.resume();
  world.run();
  BOOST_TEST(ran == 1);
}

BEHAVIOUR(B232_a_temporary_socket_in_every_state, all_wires) {
  Server server(world.io());
  int connections = 0;
  server.on(event::connection, [&](Socket) { ++connections; });
  world.listen(server);
  {
    const Socket fresh(world.io());
  }
  {
    Socket connecting(world.io());
    world.connect(connecting, server);
  }
  {
    Socket destroyed(world.io());
    world.connect(destroyed, server);
    destroyed.destroy();
  }
  libnet::connect(world.io(), world.connect_options(server), [] {}).write("goodbye");
  world.run_until([&] { return connections >= 1; });
  server.close();
  world.run();
  BOOST_TEST(server.connections() == 0U);
}

BEHAVIOUR(B233_handles_of_nothing, all_wires) {
  Socket socket;
  use_all(socket);
  expect_closed(socket);
  use_all(Server());
  auto [client, server] = world.pair();
  Socket moved = std::move(client);
  use_all(client);  // NOLINT(bugprone-use-after-move): it is what a moved-from handle is
  expect_closed(client);
  BOOST_TEST((moved.ready_state() == libnet::ReadyState::open));
}

BEHAVIOUR(B233_awaiting_a_handle_of_nothing, all_wires) {
  world.await([]() -> asio::awaitable<void> {
    Socket socket;
    const auto [read, chunk] = co_await socket.async_read(libnet::as_tuple);
    BOOST_TEST(read == Errc::closed);
    const auto [written, size] = co_await socket.async_write("x", libnet::as_tuple);
    BOOST_TEST(written == Errc::closed);
    const auto [waited] = co_await socket.async_wait(event::end, libnet::as_tuple);
    BOOST_TEST(waited == Errc::closed);
    const auto [closed] = co_await socket.async_close(libnet::as_tuple);
    BOOST_TEST(closed == Errc::closed);
    const auto [accepted, nobody] = co_await Server().async_accept(libnet::as_tuple);
    BOOST_TEST(accepted == Errc::closed);
    const auto [listened] = co_await Server().async_listen({}, libnet::as_tuple);
    BOOST_TEST(listened == Errc::closed);
    BOOST_CHECK_THROW(co_await socket.async_read(), libnet::SystemError);
  }());
}

namespace {

/// Handles in every state, kept beyond the end of an io_context on which they lived.
template <class MakeExecutor>
void outlive(World& settings, MakeExecutor make_executor) {
  std::vector<Socket> sockets;
  std::vector<Server> servers;
  {
    asio::io_context io;
    libnet::use_reactor(io, settings.reactor());
    const auto executor = make_executor(io);
    sockets.emplace_back(executor);
    servers.emplace_back(executor);
    Server server(executor);
    server.on(event::connection, [&sockets](Socket socket) { sockets.push_back(std::move(socket)); });
    server.listen(settings.listen_options());
    Socket client(executor);
    settings.connect(client, server);
    client.write("never read");
    client.on(event::end, [] {});
    sockets.push_back(client);
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (sockets.size() < 3 && io.run_one_until(deadline) != 0) {
    }
    Socket closed(executor);
    closed.destroy();
    sockets.push_back(closed);
    sockets.emplace_back(executor);
    sockets.back().connect({.host = "localhost", .port = 9});  // looks a name up
    sockets.emplace_back(executor);
    settings.connect(sockets.back(), server);
    servers.push_back(server);
    io.poll();
  }
  BOOST_TEST(sockets.size() >= 6U);
  for (const Socket& socket : sockets) {
    use_all(socket);
    expect_closed(socket);
  }
  for (const Server& server : servers) use_all(server);
}

}  // namespace

BEHAVIOUR(B233_R8_a_handle_outlives_its_io_context, real_wires) {
  outlive(world, [](asio::io_context& io) { return io.get_executor(); });
}

BEHAVIOUR(B233_a_handle_outlives_the_io_context_of_its_strand, real_wires) {
  outlive(world, [](asio::io_context& io) { return asio::make_strand(io); });
}

BEHAVIOUR(B233_the_last_handle_goes_with_a_strand_that_goes_first, real_wires) {
  // The service of the strands may be younger than that of the sockets: it then ends first, with what waits in it.
  asio::io_context io;
  const Socket plain(io);
  const auto strand = asio::make_strand(io);
  asio::post(strand, [held = Socket(strand)] {});
  asio::post(strand, [held = Server(strand)] {});
}
