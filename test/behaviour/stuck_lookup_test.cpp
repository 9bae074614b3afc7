#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "support/behaviour.hpp"
#include "support/stuck_names.hpp"

using namespace libnet::test;
using libnet::Error;
using libnet::Socket;

// Lookups of names that nobody answers for.

namespace {

constexpr auto one_wire = static_cast<unsigned>(Wire::tcp4);

}  // namespace

BEHAVIOUR(R51_a_stuck_lookup_is_cancelled_at_once, one_wire) {
  gate().set_open(false);
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  socket.connect(80, new_name());
  world.settle();
  gate().await(1);
  socket.destroy();
  world.run();  // returns, although the lookup still hangs
  const std::vector<std::string> expected{"close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  gate().set_open(true);
  gate().await(0);
}

BEHAVIOUR(R51_a_stuck_lookup_awaited_and_out_of_time, one_wire) {
  gate().set_open(false);
  world.await([](World& here, std::string name) -> asio::awaitable<void> {
    Socket socket(here.io());
    const auto [code] = co_await socket.async_connect({.host = name, .port = 80, .timeout = 5ms}, libnet::as_tuple);
    BOOST_TEST((code == libnet::Errc::timed_out));
    BOOST_TEST(socket.error().host() == name);
  }(world, new_name()));
  gate().set_open(true);
  gate().await(0);
}

BEHAVIOUR(R51_stuck_lookups_do_not_hold_up_others, one_wire) {
  gate().set_open(false);
  libnet::Server server(world.io());
  world.listen(server);
  std::vector<Socket> stuck;
  for (int i = 0; i < 8; ++i) {
    stuck.emplace_back(world.io());
    stuck.back().connect(80, new_name());
  }
  world.settle();
  gate().await(8);
  Socket socket(world.io());
  bool connected = false;
  socket.connect({.host = "localhost", .port = server.address()->port(), .family = 4}, [&] { connected = true; });
  world.run_until([&] { return connected; });
  for (Socket& each : stuck) each.destroy();
  gate().set_open(true);
  gate().await(0);
}

BEHAVIOUR(R51_equal_lookups_are_one, one_wire) {
  gate().set_open(false);
  int failed = 0;
  const std::string name = new_name();
  std::vector<Socket> sockets;
  for (int i = 0; i < 100; ++i) {
    sockets.emplace_back(world.io());
    sockets.back().on(event::error, [&](const Error& error) {
      BOOST_TEST(error.message() == "getaddrinfo EAI_AGAIN " + name);
      ++failed;
    });
    sockets.back().connect(80, name);
  }
  world.settle();
  gate().await(1);
  gate().set_open(true);
  world.run_until([&] { return failed == 100; });
  BOOST_TEST(gate().asked_for(name) == 1);
}

BEHAVIOUR(R51_the_context_ends_while_a_lookup_hangs, one_wire) {
  gate().set_open(false);
  {
    asio::io_context io;
    Socket socket(io);
    socket.connect(80, new_name());
    io.poll();
    gate().await(1);
  }
  gate().set_open(true);
  gate().await(0);
}

BEHAVIOUR(B271_a_child_process_has_lookup_threads_of_its_own, one_wire) {
  gate().set_open(false);
  Socket socket(world.io());
  socket.connect(80, new_name());
  world.settle();
  gate().await(1);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(60);
    asio::io_context io;
    bool found = false;
    Socket own(io);
    own.on(event::lookup, [&](const libnet::LookupResult& result) {
      found = !result.error;
      own.destroy();
    });
    own.connect(80, "localhost");
    io.run();
    ::_exit(found ? 0 : 1);
  }
  int status = -1;
  BOOST_TEST(::waitpid(child, &status, 0) == child);
  BOOST_TEST(status == 0);
  socket.destroy();
  gate().set_open(true);
  gate().await(0);
}

// The last case leaves a lookup hanging: the program must end all the same.
BEHAVIOUR(R51_the_program_ends_while_a_lookup_hangs, one_wire) {
  gate().set_open(false);
  asio::io_context io;
  Socket socket(io);
  socket.connect(80, "forever.stuck");  // for both reactors: the second one joins
  io.poll();
  gate().await(1);
}
