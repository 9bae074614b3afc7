#include "support/behaviour.hpp"

#include <boost/asio/steady_timer.hpp>

#include <stdexcept>

#include "support/log_lines.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SystemError;

// Errors that nobody receives, and exceptions from listeners: each costs one connection and one line in the log.

namespace {

const Error cause(Errc::invalid_argument, "test");

/// The loop and its other connections go on.
void check_that_the_loop_goes_on(World& world) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  client.end("alive");
  world.run();
  BOOST_TEST(recorder.received("server") == "alive");
}

}  // namespace

BEHAVIOUR(C9_R59_a_connection_that_nobody_watches_fails, all_wires) {
  LogLines lines;
  auto [client, server] = world.pair();
  Recorder recorder;
  server.on(event::close, [&](bool had_error) { recorder.note(had_error ? "close(true)" : "close(false)"); });
  server.destroy(cause);
  world.run();
  const Log expected{"close(true)"};
  BOOST_TEST(recorder.log() == expected, per_element);
  lines.expect_none();  // somebody may still ask
  server = {};
  lines.expect_one("unhandled error: test: invalid argument");
  check_that_the_loop_goes_on(world);
  lines.expect_none();
}

BEHAVIOUR(C9_a_reset_that_nobody_hears, ip_wires) {
  LogLines lines;
  auto [client, server] = world.pair();
  client.reset();
  world.run_until([&] { return server.destroyed(); });
  world.run();
  server = {};
  lines.expect_one("read ECONNRESET");
  check_that_the_loop_goes_on(world);
}

BEHAVIOUR(C9_a_refused_connection_that_nobody_watches, all_wires) {
  LogLines lines;
  {
    const Socket socket = libnet::connect(world.io(), world.refusing_options());
    world.run();
    BOOST_TEST(socket.destroyed());
  }
  lines.expect_one(world.is_unix() ? "connect ENOENT" : "connect ECONNREFUSED");
  check_that_the_loop_goes_on(world);
}

// A pipe without a callback hears nothing for anybody; one with a callback does.
BEHAVIOUR(C9_an_error_of_a_piped_socket, all_wires) {
  for (const bool heard : {false, true}) {
    for (const bool source : {false, true}) {
      LogLines lines;
      auto first = world.pair();
      auto second = world.pair();
      const auto on_piped = [](const error_code& code) { BOOST_TEST((code == cause.code())); };
      heard ? first.server.pipe(second.client, on_piped) : first.server.pipe(second.client);
      (source ? first.server : second.client).destroy(cause);
      first.client.destroy();
      second.server.destroy();
      world.settle();
      (source ? first.server : second.client) = {};
      world.settle();
      heard ? lines.expect_none() : lines.expect_one("unhandled error: test: invalid argument");
      first.server.destroy();
      second.client.destroy();
      world.run();
    }
  }
}

BEHAVIOUR(C9_a_write_after_the_end_without_callback, all_wires) {
  LogLines lines;
  auto [client, server] = world.pair();
  client.end();
  client.write("late");
  world.run();
  client = {};
  lines.expect_one("unhandled error");
}

BEHAVIOUR(C9_a_server_that_cannot_listen, all_wires) {
  LogLines lines;
  Server first(world.io());
  world.listen(first);
  const std::string taken = first.address()->address();
  Server second(world.io());
  if (world.is_unix()) {
    second.listen(taken);
  } else {
    second.listen(first.address()->port(), taken);
  }
  first.on(event::connection, [](const Socket&) {});
  world.settle();
  lines.expect_one("EADDRINUSE");
  BOOST_TEST(first.listening());
  first.close();
  world.run();
}

BEHAVIOUR(C9_an_error_between_two_awaits_awaited, all_wires) {
  LogLines lines;
  auto [client, server] = world.pair();
  world.spawn([](Socket socket) -> asio::awaitable<void> {
    socket.destroy(cause);
    co_await socket.async_wait(event::close);
    const auto [code, chunk] = co_await socket.async_read(libnet::as_tuple);
    BOOST_TEST(code == Errc::destroyed);
    BOOST_TEST((socket.error().code() == Errc::invalid_argument));
  }(client));
  world.run();
  client = {};
  lines.expect_one("unhandled error: test: invalid argument");
}

BEHAVIOUR(B210_an_error_that_was_received_is_not_logged, all_wires) {
  // Each way to receive an error, alone.
  using Way = void (*)(Socket&, int&);
  const std::vector<std::pair<const char*, Way>> ways{
      {"listener", [](Socket& s, int& got) { s.on(event::error, [&](const Error&) { ++got; }); }},
      {"read",
       [](Socket& s, int& got) { s.async_read([&](const error_code& code, Chunk) { got += code.failed() ? 1 : 0; }); }},
      {"end callback",
       [](Socket& s, int& got) {
         s.end(random_bytes(8'000'000), [&](const error_code& code) { got += code.failed() ? 1 : 0; });
       }},
      {"write callback",
       [](Socket& s, int& got) {
         s.write(random_bytes(8'000'000), [&](const error_code& code, std::size_t) { got += code.failed() ? 1 : 0; });
       }},
      {"drain",
       [](Socket& s, int& got) {
         s.write(random_bytes(8'000'000));
         s.async_drain([&](const error_code& code) { got += code.failed() ? 1 : 0; });
       }},
      {"wait for the error",
       [](Socket& s, int& got) { s.async_wait(event::error, [&](const error_code&, const Error&) { ++got; }); }},
      {"wait for another event",
       [](Socket& s, int& got) {
         s.async_wait(event::timeout, [&](const error_code& code) { got += code.failed() ? 1 : 0; });
       }},
      {"close",
       [](Socket& s, int& got) {
         s.write(random_bytes(8'000'000));
         s.async_close([&](const error_code& code) { got += code.failed() ? 1 : 0; });
       }},
  };
  for (const auto& [name, way] : ways) {
    LogLines lines;
    auto [client, server] = world.pair();
    server.pause();
    int received = 0;
    bool closed = false;
    client.on(event::close, [&](bool had_error) { closed = had_error; });
    way(client, received);
    world.settle();
    BOOST_TEST(received == 0, name);
    client.destroy(cause);
    world.run_until([&] { return closed; });
    world.settle();
    BOOST_TEST(received == 1, name);
    server.destroy();
    world.run();
    client = {};
    lines.expect_none();
  }
}

BEHAVIOUR(B210_who_only_waits_for_close_did_not_receive_the_error, all_wires) {
  LogLines lines;
  auto [client, server] = world.pair();
  bool had_error = false;
  client.async_wait(event::close, [&](const error_code&, bool error) { had_error = error; });
  world.settle();
  client.destroy(cause);
  world.run();
  BOOST_TEST(had_error);
  client = {};
  lines.expect_one("unhandled error: test: invalid argument");
}

BEHAVIOUR(B210_listeners_hear_an_error_that_an_operation_received, all_wires) {
  LogLines lines;
  auto [client, server] = world.pair();
  Recorder recorder;
  client.on(event::error, [&](const Error& error) { recorder.note("error " + error.name()); });
  client.on(event::close, [&](bool) { recorder.note("close"); });
  client.async_read([&](const error_code& code, Chunk) { recorder.note("read " + libnet::error_name(code)); });
  world.settle();
  client.destroy(cause);
  world.run();
  const Log expected{"read ERR_INVALID_ARGUMENT", "error ERR_INVALID_ARGUMENT", "close"};
  BOOST_TEST(recorder.log() == expected, per_element);
  client = {};
  lines.expect_none();
}

BEHAVIOUR(B210_a_refused_connect_that_was_awaited_is_not_logged, all_wires) {
  LogLines lines;
  const auto nowhere = world.refusing_options();
  world.await([](Socket socket, libnet::ConnectOptions where) -> asio::awaitable<void> {
    try {
      co_await socket.async_connect(where);
      BOOST_ERROR("connected to nobody");
    } catch (const SystemError& error) {
      BOOST_TEST(std::string(error.what()).starts_with("connect E"));
    }
  }(Socket(world.io()), nowhere));
  world.run();
  lines.expect_none();
}

BEHAVIOUR(B210_an_operation_error_disturbs_nothing, all_wires) {
  LogLines lines;
  auto [client, server] = world.pair({.max_buffered = 100'000});
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  server.pause();
  Log codes;
  const auto note = [&](const error_code& code) { codes.push_back(libnet::error_name(code)); };
  Chunk first;
  client.async_read([&](const error_code& code, Chunk chunk) {
    note(code);
    first = chunk;
    BOOST_TEST(chunk.to_string() == "answer");
  });
  client.async_read([&](const error_code& code, Chunk) { note(code); });  // busy
  client.async_wait(event::timeout, libnet::cancel_after(0s, [&](const error_code& code) { note(code); }));
  client.write(random_bytes(8'000'000));
  client.write("no room", [&](const error_code& code, std::size_t) { note(code); });
  world.settle();
  const Log refused{"ERR_BUSY", "ERR_OVERFLOW", "ERR_TIMED_OUT"};
  Log sorted = codes;
  std::sort(sorted.begin(), sorted.end());
  BOOST_TEST(sorted == refused, per_element);
  BOOST_TEST(recorder.log().empty());
  server.write("answer");
  world.run_until([&] { return codes.size() == 4; });
  BOOST_TEST(codes.back().empty());
  server.resume();  // nobody consumes: discarded
  client.end();
  world.run();
  BOOST_TEST(server.bytes_read() == 8'000'000U);
  BOOST_TEST(recorder.of("client").back() == "close(false)");
  lines.expect_none();
}

BEHAVIOUR(C10_B237_what_a_listener_throws_costs_its_socket, all_wires) {
  using Provoke = void (*)(Socket& socket, Socket& peer);
  struct Case {
    std::string event;
    Provoke provoke;
  };
  const std::vector<Case> cases{
      {"data", [](Socket&, Socket& peer) { peer.write("x"); }},
      {"end", [](Socket&, Socket& peer) { peer.end(); }},
      {"drain",
       [](Socket& socket, Socket& peer) {
         socket.write(random_bytes(8'000'000));
         peer.resume();
       }},
      {"finish", [](Socket& socket, Socket&) { socket.end(); }},
      {"timeout", [](Socket& socket, Socket&) { socket.set_timeout(1ms); }},
      {"written",
       [](Socket& socket, Socket&) {
         socket.write("x", [](const error_code&) { throw std::runtime_error("from written"); });
       }},
      {"ended", [](Socket& socket, Socket&) { socket.end([] { throw std::runtime_error("from ended"); }); }},
  };
  for (const auto& [name, provoke] : cases) {
    LogLines lines;
    auto [peer, socket] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
    const auto fail = [what = "from " + name] { throw std::runtime_error(what); };
    socket.on(event::data, [&, fail](Chunk) { fail(); });
    socket.on(event::end, fail);
    socket.on(event::drain, fail);
    socket.on(event::finish, fail);
    socket.on(event::timeout, fail);
    Recorder recorder;
    recorder.watch(socket, "socket");
    std::string what;
    const auto heard = socket.on(event::error, [&](const Error& error) {
      try {
        std::rethrow_exception(error.exception());
      } catch (const std::runtime_error& thrown) {
        what = thrown.what();
      }
    });
    provoke(socket, peer);
    world.run_until([&] { return recorder.count("socket:close(true)") == 1; });
    const Log expected{"error(ERR_LISTENER_THREW)", "close(true)"};
    BOOST_TEST(recorder.of("socket") == expected, per_element);  // the second listener did not run
    BOOST_TEST(what == "from " + name);
    BOOST_TEST(!socket.off(heard));
    lines.expect_none();
    peer.destroy();
    world.run();
  }
  check_that_the_loop_goes_on(world);
}

BEHAVIOUR(C10_an_exception_that_nobody_hears_of_is_logged_once, all_wires) {
  LogLines lines;
  auto [client, server] = world.pair();
  server.on(event::data, [](Chunk) { throw std::runtime_error("a listener's trouble"); });
  client.write("x");
  world.run();
  lines.expect_one("a listener's trouble");
  BOOST_TEST((server.error().code() == Errc::listener_threw));
  check_that_the_loop_goes_on(world);
}

BEHAVIOUR(C10_exceptions_from_error_and_close_listeners, all_wires) {
  LogLines lines;
  auto [client, server] = world.pair();
  Log seen;
  client.on(event::error, [&](const Error&) {
    seen.emplace_back("error");
    throw std::runtime_error("in error");
  });
  client.on(event::close, [&](bool) {
    seen.emplace_back("close");
    libnet::core::forget_logged();  // another second has come
    throw std::runtime_error("in close");
  });
  client.destroy(cause);
  world.run();
  const Log expected{"error", "close"};
  BOOST_TEST(seen == expected, per_element);
  const Log logged = lines.take();
  BOOST_REQUIRE(logged.size() == 2U);
  BOOST_TEST(logged[0].find("in error") != std::string::npos);
  BOOST_TEST(logged[1].find("in close") != std::string::npos);
  BOOST_TEST((client.error().code() == Errc::invalid_argument));
  check_that_the_loop_goes_on(world);
}

BEHAVIOUR(B173_C10_a_connection_listener_that_throws_costs_that_socket, all_wires) {
  for (const bool reported : {true, false}) {
    LogLines lines;
    Server server(world.io());
    int connections = 0;
    std::string echo;
    server.on(event::connection, [&](Socket socket) {
      if (++connections == 1) throw std::runtime_error("not this one");
      socket.on(event::data, [&echo, socket](Chunk chunk) mutable {
        echo += chunk;
        socket.end();
      });
    });
    Log errors;
    if (reported) {
      server.on(event::handler_error, [&](const Socket& socket, const std::exception_ptr&) {
        errors.push_back(libnet::error_name(socket.error().code()));
      });
    }
    world.listen(server);
    Socket first(world.io());
    Recorder recorder;
    recorder.watch(first, "first");
    world.connect(first, server);
    world.run_until([&] { return first.ready_state() == libnet::ReadyState::closed && first.destroyed(); });
    BOOST_TEST(recorder.of("first").back().starts_with("close"));
    Socket second(world.io());
    world.connect(second, server);
    second.write("served");
    world.run_until([&] { return echo == "served"; });
    BOOST_TEST(server.listening());
    server.close();
    second.end();
    world.run();
    BOOST_TEST(errors.size() == (reported ? 1U : 0U));
    if (reported) {
      lines.expect_none();
    } else {
      lines.expect_one("not this one");
    }
  }
}

BEHAVIOUR(B173_R60_a_serve_handler_that_throws_costs_that_socket_awaited, all_wires) {
  for (const bool reported : {true, false}) {
    LogLines lines;
    Server server(world.io());
    server.serve([](Socket socket) -> asio::awaitable<void> {
      const Chunk question = co_await socket.async_read();
      if (question.to_string() == "fail") throw std::runtime_error("a handler's trouble");
      co_await socket.async_write(question);
    });
    int errors = 0;
    if (reported) server.on(event::handler_error, [&](const Socket&, const std::exception_ptr&) { ++errors; });
    world.listen(server);
    const auto options = world.connect_options(server);
    for (const std::string question : {"fail", "fine"}) {
      world.await([](Socket socket, libnet::ConnectOptions where, std::string ask) -> asio::awaitable<void> {
        co_await socket.async_connect(where);
        co_await socket.async_write(ask);
        const auto [code, answer] = co_await socket.async_read(libnet::as_tuple);
        BOOST_TEST(answer.to_string() == (ask == "fine" ? "fine" : ""));
      }(Socket(world.io()), options, question));
    }
    server.close();
    world.run();
    BOOST_TEST(errors == (reported ? 1 : 0));
    if (reported) {
      lines.expect_none();
    } else {
      lines.expect_one("a handler's trouble");
    }
  }
}

BEHAVIOUR(C10_a_listener_of_a_server_that_throws_is_logged, all_wires) {
  LogLines lines;
  Server server(world.io());
  server.on(event::listening, [] { throw std::runtime_error("in listening"); });
  server.on(event::connection, [](const Socket&) {});
  server.on(event::close, [] { throw std::runtime_error("in close"); });
  world.listen(server);
  world.settle();
  BOOST_TEST(server.listening());
  lines.expect_one("in listening");
  libnet::core::forget_logged();  // another second has come
  server.close();
  world.run();
  lines.expect_one("in close");
}

BEHAVIOUR(R60_what_a_completion_handler_throws_leaves_run_and_nothing_is_lost, all_wires) {
  auto [client, server] = world.pair();
  auto [other_client, other_server] = world.pair();
  Recorder recorder;
  recorder.watch(other_server, "other");
  server.async_read([](const error_code&, Chunk) { throw std::runtime_error("mine"); });
  client.write("x");
  other_client.write("y");
  BOOST_CHECK_THROW(world.run_until([] { return false; }), std::runtime_error);
  world.run_until([&] { return recorder.received("other") == "y"; });
  std::string later;
  server.async_read([&](const error_code&, Chunk chunk) { later += chunk; });
  client.end("z");
  world.run_until([&] { return later == "z"; });
  other_client.destroy();
  server.destroy();
  world.run();
}
