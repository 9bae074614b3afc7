#include <cerrno>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"
#include "support/writes.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// B271: what a process has is its child's as well after fork(), and only what either does on purpose acts on it.

namespace {

constexpr unsigned lookup_wire = static_cast<unsigned>(Wire::tcp4);

/// How often a case forks: a race shows up sooner or later.
int rounds() {
  const char* wanted = std::getenv("LIBNET_FORK_ROUNDS");
  return wanted != nullptr ? std::atoi(wanted) : 2;
}

/// A child process, made by fork(); the context is told on both sides. Nothing is asserted in the child.
class Child {
 public:
  explicit Child(asio::io_context& io) {
    io.notify_fork(asio::execution_context::fork_prepare);
    id_ = ::fork();
    if (id_ == 0) ::alarm(60);
    io.notify_fork(id_ == 0 ? asio::execution_context::fork_child : asio::execution_context::fork_parent);
    BOOST_REQUIRE(id_ >= 0);
  }
  /// One that plays a part and ends, without the exit of this program. The part says whether all was well.
  Child(asio::io_context& io, const std::function<bool()>& part) : Child(io) {
    if (!is_here()) return;
    try {
      ::_exit(part() ? 0 : 1);
    } catch (...) {
      ::_exit(2);
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (id_ > 0) ended_well();
  }

  /// Whether this is the child.
  bool is_here() const noexcept { return id_ == 0; }

  /// Waits for its end.
  bool ended_well() {
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0 && errno == EINTR) {
    }
    id_ = -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t id_ = -1;
};

/// A blocking client of a server.
RawSocket client_of(const Server& server) {
  const SocketAddress address = server.address().value();
  RawSocket client(address.family());
  BOOST_REQUIRE(client.connect(address) == 0);
  return client;
}

/// Everything up to the end; "reset" if there is none.
std::string read_to_end(const RawSocket& client) {
  std::string text;
  char buffer[64];
  for (;;) {
    const ssize_t size = ::recv(client.descriptor(), buffer, sizeof buffer, 0);
    if (size < 0) return "reset";
    if (size == 0) return text;
    text.append(buffer, static_cast<std::size_t>(size));
  }
}

std::string read_some(const RawSocket& client) {
  char buffer[64];
  const ssize_t size = ::recv(client.descriptor(), buffer, sizeof buffer, 0);
  return std::string(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
}

/// Says something and waits for it at the other end.
void expect_carried(World& world, Socket from, Socket to) {
  std::string received;
  const auto listener = to.scoped(to.on(event::data, [&](const Chunk& chunk) { received += chunk; }));
  from.write("still there");
  world.run_until([&] { return received == "still there"; });
}

void echo(Socket socket) {
  socket.on(event::data, [socket](const Chunk& chunk) mutable { socket.write(chunk); });
}

/// What a child does with what it has inherited, and then runs until nothing is left to be done.
using Farewell = void (*)(Server&, Socket&, Socket&);

const Farewell farewells[] = {
    [](Server&, Socket&, Socket&) {},  // it just ends
    [](Server& server, Socket& one, Socket& other) {
      server.close();
      one.destroy();
      other.destroy();
    },
    [](Server& server, Socket& one, Socket& other) {
      server.close();
      one.destroy_soon();
      other.destroy_soon();
    },
    [](Server& server, Socket& one, Socket& other) {
      server = Server();
      one = Socket();
      other = Socket();
    },
    [](Server& server, Socket& one, Socket& other) {
      server.async_close([](const error_code&) {});
      one.async_close([](const error_code&) {});
      other.async_close([](const error_code&) {});
    },
};

}  // namespace

BEHAVIOUR(B271_what_a_child_gives_up_stays_the_parent_s, real_wires) {
  for (int round = 0; round < rounds(); ++round) {
    for (const Farewell farewell : farewells) {
      Server server(world.io());
      server.on(event::connection, &echo);
      world.listen(server);
      auto [client, accepted] = world.pair();
      bool timed_out = false;
      client.set_timeout(50ms, [&] { timed_out = true; });
      Child child(world.io(), [&, one = client, other = accepted]() mutable {
        client = Socket();
        accepted = Socket();
        farewell(server, one, other);
        world.settle();
        return true;
      });
      BOOST_TEST(child.ended_well());
      world.run_until([&] { return timed_out; });
      expect_carried(world, client, accepted);
      expect_carried(world, accepted, client);
      expect_serving(world, server);
      if (world.is_unix()) BOOST_TEST(std::filesystem::exists(server.address()->address()));
      client.destroy();
      accepted.destroy();
      server.close();
      world.run();
      BOOST_TEST(!client.error());
    }
  }
}

BEHAVIOUR(B271_the_end_of_the_context_in_a_child, real_wires) {
  auto io = std::make_unique<asio::io_context>();
  libnet::use_reactor(*io, world.reactor());
  const libnet::ListenOptions where = world.listen_options();
  Server server(*io);
  server.on(event::connection, &echo);
  server.listen(where);
  const RawSocket client = client_of(server);
  ::send(client.descriptor(), "before", 6, MSG_NOSIGNAL);
  while (server.connections() == 0) io->run_one();
  Child child(*io, [&] {
    io.reset();
    return true;
  });
  BOOST_TEST(child.ended_well());
  std::string received;
  while (received != "before") {
    io->run_one_for(10ms);
    char buffer[16];
    const ssize_t size = ::recv(client.descriptor(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (size > 0) received.append(buffer, static_cast<std::size_t>(size));
  }
  if (world.is_unix()) BOOST_TEST(std::filesystem::exists(std::string(where.path)));
  const RawSocket second = client_of(server);
  while (server.connections() < 2) io->run_one();
}

BEHAVIOUR(B271_queued_bytes_are_sent_once, real_wires) {
  const std::string bytes = random_bytes(4'000'000);
  auto [client, server] = world.pair();
  server.pause();
  bool taken_back = false;
  int completions = 0;
  client.write(std::string(bytes), [&](const error_code& code, std::size_t) {
    ++completions;
    taken_back = code == asio::error::operation_aborted;
  });
  client.end();
  world.settle();
  BOOST_REQUIRE(client.buffered() > 0U);
  Child child(world.io(), [&, client = client, server = server]() mutable {
    server.pause();
    world.settle();
    return client.buffered() == 0 && completions == 1 && taken_back;
  });
  BOOST_TEST(child.ended_well());
  std::string received;
  bool ended = false;
  server.on(event::end, [&] { ended = true; });
  server.on(event::data, [&](const Chunk& chunk) { received += chunk; });
  server.resume();
  world.run_until([&] { return ended; });
  BOOST_TEST((received == bytes));
  BOOST_TEST(completions == 1);
  BOOST_TEST(!taken_back);
}

BEHAVIOUR(B271_what_is_written_while_connecting_is_sent_once, tcp_wires) {
  Server server(world.io());
  world.listen(server);
  Socket client(world.io());
  bool attempted = false;
  client.on(event::connection_attempt, [&](const SocketAddress&) { attempted = true; });
  world.connect(client, server);
  client.write("once");
  client.end();
  world.run_until([&] { return attempted; });
  BOOST_REQUIRE(client.connecting());
  Child child(world.io(), [&] {
    server.close();
    bool closed = false;
    client.on(event::connect, [&] { client.destroy(); });
    client.on(event::close, [&](bool) { closed = true; });
    world.run_until([&] { return closed; });
    return true;
  });
  BOOST_TEST(child.ended_well());
  std::string received;
  bool ended = false;
  server.on(event::connection, [&](Socket socket) {
    socket.on(event::data, [&](const Chunk& chunk) { received += chunk; });
    socket.on(event::end, [&] { ended = true; });
  });
  world.run_until([&] { return ended; });
  BOOST_TEST(received == "once");
}

BEHAVIOUR(B271_a_child_for_each_connection, real_wires) {
  for (int round = 0; round < rounds(); ++round) {
    Server server(world.io());
    std::optional<RawSocket> client;
    std::optional<Child> child;
    server.on(event::connection, [&](Socket socket) {
      child.emplace(world.io());
      if (!child->is_here()) {
        socket.destroy();
        return;
      }
      client.reset();
      server.close();
      socket.on(event::data, [socket](const Chunk& chunk) mutable { socket.write("child: " + chunk.to_string()); });
      socket.on(event::close, [](bool had_error) { ::_exit(had_error ? 1 : 0); });
    });
    world.listen(server);
    client.emplace(client_of(server));
    world.run_until([&] { return child.has_value() && !child->is_here() && server.connections() == 0; });
    client->send("hello");
    BOOST_TEST(read_some(*client) == "child: hello");
    ::shutdown(client->descriptor(), SHUT_WR);
    BOOST_TEST(read_to_end(*client).empty());
    BOOST_TEST(child->ended_well());
    BOOST_TEST(server.listening());
    server.remove_all(event::connection);
    server.on(event::connection, &echo);
    expect_serving(world, server);
    server.close();
    world.run();
  }
}

BEHAVIOUR(B271_a_child_s_coroutine_serves_its_connection_awaited, real_wires) {
  Server server(world.io());
  std::optional<RawSocket> client;
  std::optional<Child> child;
  server.serve([&](Socket socket) -> asio::awaitable<void> {
    child.emplace(world.io());
    if (!child->is_here()) {
      socket.destroy();
      co_return;
    }
    client.reset();
    server.close();
    while (Chunk chunk = co_await socket.async_read()) co_await socket.async_write(chunk);
    socket.on(event::close, [](bool had_error) { ::_exit(had_error ? 1 : 0); });
  });
  world.listen(server);
  client.emplace(client_of(server));
  world.run_until([&] { return child.has_value() && !child->is_here() && server.connections() == 0; });
  client->send("hello");
  BOOST_TEST(read_some(*client) == "hello");
  ::shutdown(client->descriptor(), SHUT_WR);
  BOOST_TEST(read_to_end(*client).empty());
  BOOST_TEST(child->ended_well());
}

BEHAVIOUR(B271_end_and_reset_act_on_the_shared_connection, real_wires) {
  for (const bool reset : {false, true}) {
    if (reset && world.is_unix()) continue;
    Server server(world.io());
    Socket accepted;
    server.on(event::connection, [&](Socket socket) { accepted = std::move(socket); });
    world.listen(server);
    const RawSocket client = client_of(server);
    world.run_until([&] { return accepted.native_handle() >= 0; });
    Child child(world.io(), [&] {
      reset ? accepted.reset() : accepted.end("bye");
      world.settle();
      return true;
    });
    BOOST_TEST(read_to_end(client) == (reset ? "reset" : "bye"));
    BOOST_TEST(child.ended_well());
    accepted.destroy();
    server.close();
    world.run();
  }
}

BEHAVIOUR(B271_what_the_child_writes_itself_leaves_before_it_closes, real_wires) {
  auto [client, server] = world.pair();
  const std::string bytes = random_bytes(3'000'000, 7);
  std::string received;
  bool ended = false;
  client.on(event::data, [&](const Chunk& chunk) { received += chunk; });
  client.on(event::end, [&] { ended = true; });
  Child child(world.io(), [&, writer = server]() mutable {
    client.destroy();
    server = Socket();
    bool closed = false;
    writer.on(event::close, [&](bool had_error) { closed = !had_error; });
    writer.write(std::string(bytes));
    writer.destroy_soon();
    world.run_until([&] { return closed; });
    return true;
  });
  world.run_until([&] { return received.size() == bytes.size(); });
  BOOST_TEST((received == bytes));
  BOOST_TEST(child.ended_well());
  world.settle();
  BOOST_TEST(!ended);
  expect_carried(world, server, client);
  expect_carried(world, client, server);
}

BEHAVIOUR(B271_both_processes_accept_and_serve, real_wires) {
  for (int round = 0; round < rounds(); ++round) {
    Server server(world.io());
    const pid_t parent = ::getpid();
    server.on(event::connection, [&](Socket socket) { socket.end(::getpid() == parent ? "parent" : "child"); });
    world.listen(server);
    world.settle();
    Child child(world.io(), [&] {
      world.run_until([&] { return server.connections() == 1; });
      world.run_until([&] { return server.connections() == 0; });
      server.close();
      world.settle();
      return true;
    });
    {
      const RawSocket first = client_of(server);  // only the child's loop runs
      BOOST_TEST(read_to_end(first) == "child");
    }
    BOOST_TEST(child.ended_well());
    const RawSocket second = client_of(server);
    world.run_until([&] { return server.connections() == 1; });
    world.settle();
    BOOST_TEST(read_to_end(second) == "parent");
    server.close();
  }
}

BEHAVIOUR(B271_time_limits_go_on_in_both, real_wires) {
  auto [client, server] = world.pair();
  bool timed_out = false;
  client.set_timeout(30ms, [&] { timed_out = true; });
  world.settle();
  Child child(world.io(), [&] {
    world.run_until([&] { return timed_out; });
    timed_out = false;
    client.set_timeout(20ms, [&] { timed_out = true; });
    world.run_until([&] { return timed_out; });
    return true;
  });
  BOOST_TEST(child.ended_well());
  world.run_until([&] { return timed_out; });
}

BEHAVIOUR(B271_lookups_go_on_in_both, lookup_wire) {
  for (int round = 0; round < rounds(); ++round) {
    int found = 0;
    Socket asked(world.io());
    asked.on(event::lookup, [&](const libnet::LookupResult& result) { found += result.error ? 0 : 1; });
    asked.on(event::error, [](const libnet::Error&) {});
    asked.connect(1, "localhost");
    world.io().run_one();  // the lookup is under way
    Child child(world.io(), [&] {
      world.run_until([&] { return found > 0 && asked.destroyed(); });
      found = 0;
      Socket later(world.io());
      later.on(event::lookup, [&](const libnet::LookupResult& result) { found += result.error ? 0 : 1; });
      later.on(event::error, [](const libnet::Error&) {});
      later.connect(1, "localhost");
      world.run_until([&] { return found > 0; });
      return true;
    });
    world.run_until([&] { return found > 0 && asked.destroyed(); });
    BOOST_TEST(child.ended_well());
  }
}
