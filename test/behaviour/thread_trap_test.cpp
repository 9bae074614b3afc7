#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <unistd.h>

#include <csignal>
#include <functional>
#include <future>
#include <map>
#include <string>
#include <thread>
#include <utility>

#include "support/behaviour.hpp"
#include "support/child.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Error;
using libnet::Server;
using libnet::Socket;

// B252, R64, contract 11: debug builds end the program when a call comes from the wrong thread, and name the function. Other
// builds leave this program out: there such a call is a race.
#ifdef NDEBUG
#error "only for builds that check their threads"
#endif

namespace {

/// A context that another thread runs, and a socket and a server in its hands.
struct Elsewhere {
  explicit Elsewhere(World& world, bool on_strand = false)
      : guard(io.get_executor()),
        executor(on_strand ? asio::any_io_executor(asio::make_strand(io)) : asio::any_io_executor(io.get_executor())) {
    libnet::use_reactor(io, world.reactor());
    server = Server(executor);
    server.on(event::connection, [this](const Socket& made) {
      accepted = made;
      running.set_value();
    });
    server.listen(world.listen_options());
    socket = Socket(executor);
    world.connect(socket, server);
    thread = std::thread([this] { io.run(); });
    running.get_future().wait();
    std::promise<void> idle;
    asio::post(executor, [&idle] { idle.set_value(); });
    idle.get_future().wait();
  }
  ~Elsewhere() {
    guard.reset();
    io.stop();
    if (thread.joinable()) thread.join();
  }

  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  asio::any_io_executor executor;
  std::promise<void> running;
  Server server;
  Socket socket;
  Socket accepted;
  std::thread thread;
};

void expect_trap(World& world, const std::string& name, bool on_strand,
                 const std::function<void(Elsewhere& elsewhere)>& call) {
  const Death death = run_in_child([&] {
    Elsewhere elsewhere(world, on_strand);
    call(elsewhere);
    ::_exit(0);
  });
  BOOST_TEST_CONTEXT(name) {
    BOOST_TEST(death.signal == SIGABRT);
    BOOST_TEST(death.message.find(name + " called from") != std::string::npos, death.message);
  }
}

using Calls = std::multimap<std::string, std::function<void(Elsewhere&)>>;

void ignore() {}
constexpr auto nothing = [](const auto&...) {};

Calls socket_calls() {
  static std::string buffer(8, '.');
  return {
      {"Socket::connect", [](Elsewhere& at) { at.socket.connect({.port = 1}); }},
      {"Socket::async_connect", [](Elsewhere& at) { at.socket.async_connect({.port = 1}, nothing); }},
      {"Socket::async_read", [](Elsewhere& at) { at.socket.async_read(nothing); }},
      {"Socket::async_read_some", [](Elsewhere& at) { at.socket.async_read_some(asio::buffer(buffer), nothing); }},
      {"Socket::pause", [](Elsewhere& at) { at.socket.pause(); }},
      {"Socket::resume", [](Elsewhere& at) { at.socket.resume(); }},
      {"Socket::unshift", [](Elsewhere& at) { at.socket.unshift("x"); }},
      {"Socket::write", [](Elsewhere& at) { at.socket.write("x"); }},
      {"Socket::write", [](Elsewhere& at) { at.socket.write("x", ignore); }},
      {"Socket::async_write", [](Elsewhere& at) { at.socket.async_write("x", nothing); }},
      {"Socket::async_write_some", [](Elsewhere& at) { at.socket.async_write_some(asio::buffer(buffer), nothing); }},
      {"Socket::async_drain", [](Elsewhere& at) { at.socket.async_drain(nothing); }},
      {"Socket::cork", [](Elsewhere& at) { at.socket.cork(); }},
      {"Socket::uncork", [](Elsewhere& at) { at.socket.uncork(); }},
      {"Socket::end", [](Elsewhere& at) { at.socket.end(); }},
      {"Socket::end", [](Elsewhere& at) { at.socket.end(ignore); }},
      {"Socket::async_end", [](Elsewhere& at) { at.socket.async_end(nothing); }},
      {"Socket::destroy", [](Elsewhere& at) { at.socket.destroy(); }},
      {"Socket::destroy", [](Elsewhere& at) { at.socket.destroy(Error(libnet::Errc::closed)); }},
      {"Socket::destroy_soon", [](Elsewhere& at) { at.socket.destroy_soon(); }},
      {"Socket::reset", [](Elsewhere& at) { at.socket.reset(); }},
      {"Socket::async_close", [](Elsewhere& at) { at.socket.async_close(nothing); }},
      {"Socket::on", [](Elsewhere& at) { at.socket.on(event::end, ignore); }},
      {"Socket::off", [](Elsewhere& at) { at.socket.off({}); }},
      {"Socket::remove_all", [](Elsewhere& at) { at.socket.remove_all(event::end); }},
      {"Socket::async_wait", [](Elsewhere& at) { at.socket.async_wait(event::end, nothing); }},
      {"Socket::set_timeout", [](Elsewhere& at) { at.socket.set_timeout(1s); }},
      {"Socket::set_no_delay", [](Elsewhere& at) { at.socket.set_no_delay(); }},
      {"Socket::set_keep_alive", [](Elsewhere& at) { at.socket.set_keep_alive(true); }},
      {"Socket::ref", [](Elsewhere& at) { at.socket.ref(); }},
      {"Socket::unref", [](Elsewhere& at) { at.socket.unref(); }},
  };
}

Calls server_calls() {
  return {
      {"Server::listen", [](Elsewhere& at) { at.server.listen(); }},
      {"Server::async_listen", [](Elsewhere& at) { at.server.async_listen({}, nothing); }},
      {"Server::async_accept", [](Elsewhere& at) { at.server.async_accept(nothing); }},
      {"Server::serve", [](Elsewhere& at) { at.server.serve([](Socket) -> asio::awaitable<void> { co_return; }); }},
      {"Server::close", [](Elsewhere& at) { at.server.close(); }},
      {"Server::close", [](Elsewhere& at) { at.server.close(ignore); }},
      {"Server::async_close", [](Elsewhere& at) { at.server.async_close(nothing); }},
      {"Server::on", [](Elsewhere& at) { at.server.on(event::listening, ignore); }},
      {"Server::off", [](Elsewhere& at) { at.server.off({}); }},
      {"Server::remove_all", [](Elsewhere& at) { at.server.remove_all(event::listening); }},
      {"Server::async_wait", [](Elsewhere& at) { at.server.async_wait(event::listening, nothing); }},
      {"Server::get_connections", [](Elsewhere& at) { at.server.get_connections(ignore); }},
      {"Server::async_get_connections", [](Elsewhere& at) { at.server.async_get_connections(nothing); }},
      {"Server::ref", [](Elsewhere& at) { at.server.ref(); }},
      {"Server::unref", [](Elsewhere& at) { at.server.unref(); }},
  };
}

constexpr unsigned one_wire = 1;

}  // namespace

BEHAVIOUR(B252_R64_a_socket_called_from_the_wrong_thread, one_wire) {
  for (const auto& [name, call] : socket_calls()) expect_trap(world, name, false, call);
}

BEHAVIOUR(B252_R64_a_server_called_from_the_wrong_thread, one_wire) {
  for (const auto& [name, call] : server_calls()) expect_trap(world, name, false, call);
}

BEHAVIOUR(B252_calls_from_outside_a_strand, one_wire) {
  for (const auto& [name, call] : socket_calls()) expect_trap(world, name, true, call);
}

BEHAVIOUR(B252_an_awaited_call_from_the_wrong_thread, one_wire) {
  expect_trap(world, "Socket::async_read", false, [](Elsewhere& at) {
    asio::io_context here;
    asio::co_spawn(
        here, [](Socket socket) -> asio::awaitable<void> { co_await socket.async_read(); }(at.socket),
        [](const std::exception_ptr&) {});
    here.run();
  });
}

BEHAVIOUR(B252_a_second_thread_that_runs_a_context_with_epoll, one_wire) {
  if (world.reactor() != libnet::ReactorKind::epoll) return;
  const Death death = run_in_child([&world] {
    asio::io_context io;
    libnet::use_reactor(io, world.reactor());
    Socket first(io);
    Socket second(io);
    std::promise<void> inside;
    first.on(event::close, [&](bool) {
      inside.set_value();
      std::promise<void>().get_future().wait();  // never returns; the alarm ends a trap that does not come
    });
    first.destroy();
    std::thread runner([&io] { io.run(); });
    inside.get_future().wait();
    asio::post(io, [&second] { second.destroy(); });
    io.run();
    ::_exit(0);
  });
  BOOST_TEST(death.signal == SIGABRT);
  BOOST_TEST(death.message.find("Socket::destroy called from") != std::string::npos, death.message);
}

/// No call from the wrong thread: readiness alone is delivered by a second thread.
BEHAVIOUR(B252_a_second_thread_that_only_runs_a_context_with_epoll, one_wire) {
  if (world.reactor() != libnet::ReactorKind::epoll) return;
  const Death death = run_in_child([&world] {
    asio::io_context io;
    libnet::use_reactor(io, world.reactor());
    Server server(io);
    server.on(event::connection, nothing);
    server.listen(world.listen_options());
    io.poll();
    Socket socket(io);
    std::promise<void> inside;
    socket.on(event::close, [&](bool) {
      inside.set_value();
      std::promise<void>().get_future().wait();  // never returns; the alarm ends a trap that does not come
    });
    socket.destroy();
    std::thread runner([&io] { io.run(); });
    inside.get_future().wait();
    asio::io_context elsewhere;
    asio::ip::tcp::socket client(elsewhere);
    client.connect({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(server.address()->port())});
    io.run();
    ::_exit(0);
  });
  BOOST_TEST(death.signal == SIGABRT);
  BOOST_TEST(death.message.find("libnet: two threads are inside one loop") == 0U, death.message);
}

BEHAVIOUR(B252_what_is_allowed, one_wire) {
  const Death death = run_in_child([&world] {
    // Set-up before the loop runs, in another thread than the one that then runs it.
    asio::io_context io;
    libnet::use_reactor(io, world.reactor());
    Server server(io);
    server.on(event::connection, [](Socket socket) { socket.end("hello"); });
    server.listen(world.listen_options());
    Socket client(io);
    world.connect(client, server);
    client.set_timeout(1h);
    client.write("early");
    std::string received;
    client.on(event::data, [&received](Chunk chunk) { received += chunk; });
    client.on(event::close, [server](bool) mutable { server.close(); });
    std::thread([&io] { io.run(); }).join();
    if (received != "hello") ::_exit(3);
    // After it ran, and in a loop that runs again in this thread.
    client.set_no_delay();
    client.connect({.host = "127.0.0.1", .port = 1});
    client.on(event::error, [](const Error&) {});
    io.restart();
    io.run();
    client.destroy();
    io.restart();
    std::thread([&io] { io.run(); }).join();
    if (!client.destroyed()) ::_exit(4);
  });
  BOOST_TEST(death.signal == 0);
  BOOST_TEST(death.message == "");
}

BEHAVIOUR(B252_handles_may_be_copied_and_dropped_anywhere, one_wire) {
  for (const bool on_strand : {false, true}) {
    const Death death = run_in_child([&world, on_strand] {
      Elsewhere elsewhere(world, on_strand);
      const Socket copy = elsewhere.socket;
      Socket other;
      other = copy;
      std::promise<void> done;
      asio::post(other.get_executor(), [held = other, &done]() mutable {
        held.write("in the right thread");
        done.set_value();
      });
      done.get_future().wait();
      other = Socket();
      if (copy.id() == 0 || !(copy == elsewhere.socket)) ::_exit(5);
      elsewhere.accepted = Socket();
    });
    BOOST_TEST(death.signal == 0);
    BOOST_TEST(death.message == "");
  }
}
