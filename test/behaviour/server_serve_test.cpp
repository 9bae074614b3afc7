#include <boost/asio/steady_timer.hpp>

#include "support/behaviour.hpp"
#include "support/log_lines.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// serve: one coroutine a connection.

namespace {

/// Sends `question`, ends, and reads the whole answer. Coroutines get what they need as parameters.
asio::awaitable<std::string> ask(World& world, Server server, std::string question) {
  Socket socket = co_await libnet::async_connect(world.io(), world.connect_options(server));
  co_await socket.async_end(question);
  std::string answer;
  while (const Chunk chunk = co_await socket.async_read()) answer += chunk;
  co_return answer;
}

asio::awaitable<void> ask_and_close(World& world, Server server, std::string expected) {
  const std::string answer = co_await ask(world, server, "question");
  BOOST_TEST(answer == expected);
  server.close();
}

/// What handlers of a connection can be made to wait for.
struct Gate {
  explicit Gate(asio::io_context& io) : timer(io) { timer.expires_at(asio::steady_timer::time_point::max()); }
  asio::awaitable<void> wait() {
    const auto [ignored] = co_await timer.async_wait(libnet::as_tuple);
    static_cast<void>(ignored);
  }
  void open() { timer.cancel(); }
  asio::steady_timer timer;
};

}  // namespace

BEHAVIOUR(B227_one_coroutine_a_connection, all_wires) {
  Server server(world.io());
  int started = 0;
  server.serve([&started](Socket socket) -> asio::awaitable<void> {
    ++started;
    std::string question;
    while (const Chunk chunk = co_await socket.async_read()) question += chunk;
    co_await socket.async_write(question + "!");
  });
  world.listen(server);
  int answered = 0;
  const auto client = [](World& here, Server asked, int number, int& done) -> asio::awaitable<void> {
    const std::string answer = co_await ask(here, asked, std::to_string(number));
    BOOST_TEST(answer == std::to_string(number) + "!");
    if (++done == 20) asked.close();
  };
  for (int i = 0; i < 20; ++i) world.spawn(client(world, server, i, answered));
  world.run();
  BOOST_TEST(started == 20);
  BOOST_TEST(answered == 20);
}

BEHAVIOUR(B227_serve_may_come_before_and_after_listen, all_wires) {
  const auto handler = [](Socket socket) -> asio::awaitable<void> { co_await socket.async_write("served"); };
  Server before(world.io());
  before.serve(handler);
  world.listen(before);
  world.spawn(ask_and_close(world, before, "served"));
  world.run();
  Server after(world.io());
  world.listen(after);
  world.spawn(ask_and_close(world, after, "served"));
  world.settle();
  after.serve(handler);
  world.run();
}

BEHAVIOUR(B227_R38_a_capturing_lambda_lives_until_its_last_coroutine_ends, all_wires) {
  Gate gate(world.io());
  std::weak_ptr<std::string> watched;
  int running = 0;
  {
    Server server(world.io());
    auto text = std::make_shared<std::string>("captured");
    watched = text;
    server.serve([text = std::move(text), &gate, &running](Socket socket) -> asio::awaitable<void> {
      ++running;
      co_await gate.wait();
      co_await socket.async_write(*text);
      --running;
    });
    world.listen(server);
    for (int i = 0; i < 3; ++i) world.spawn(ask_and_close(world, server, "captured"));
    world.run_until([&] { return running == 3; });
    server.close();
  }
  world.settle();
  BOOST_TEST(!watched.expired());
  gate.open();
  world.run();
  BOOST_TEST(running == 0);
  BOOST_TEST(watched.expired());
}

BEHAVIOUR(B227_a_return_closes_whatever_copies_and_listeners_exist, all_wires) {
  Server server(world.io());
  Recorder recorder;
  std::vector<Socket> kept;
  server.serve([&](Socket socket) -> asio::awaitable<void> {
    kept.push_back(socket);
    recorder.watch(socket, "accepted", Recorder::Data::ignore);
    socket.write("queued when the handler returns");
    co_return;
  });
  world.listen(server);
  world.spawn(ask_and_close(world, server, "queued when the handler returns"));
  world.run();
  BOOST_REQUIRE(kept.size() == 1u);
  BOOST_TEST(kept[0].destroyed());
  BOOST_TEST(recorder.count("accepted:close(false)") == 1u);
}

BEHAVIOUR(B227_an_exception_costs_that_socket_alone, all_wires) {
  Server server(world.io());
  Gate gate(world.io());
  Recorder recorder;
  Log handler_errors;
  server.serve([&](Socket socket) -> asio::awaitable<void> {
    const Chunk name = co_await socket.async_read();
    const std::string who = name.to_string();
    recorder.watch(socket, who);
    if (who == "bad") throw std::runtime_error("handler failed");
    co_await gate.wait();
    co_await socket.async_write("fine");
  });
  server.on(event::handler_error, [&](Socket socket, const std::exception_ptr& thrown) {
    BOOST_TEST((socket.error().code() == Errc::handler_threw));
    BOOST_TEST((socket.server() == server));
    try {
      std::rethrow_exception(thrown);
    } catch (const std::runtime_error& error) {
      handler_errors.emplace_back(error.what());
    }
    gate.open();
  });
  world.listen(server);
  world.await([](World& here, Server asked) -> asio::awaitable<void> {
    Socket good = co_await libnet::async_connect(here.io(), here.connect_options(asked));
    co_await good.async_write("good");
    Socket bad = co_await libnet::async_connect(here.io(), here.connect_options(asked));
    co_await bad.async_write("bad");
    const Chunk nothing = co_await bad.async_read();
    BOOST_TEST(nothing.empty());
    const Chunk answer = co_await good.async_read();
    BOOST_TEST(answer.to_string() == "fine");
    asked.close();
  }(world, server));
  world.run();
  expect(handler_errors, {"handler failed"});
  expect(recorder.of("bad"), {"error(ERR_HANDLER_THREW)", "close(true)"});
  expect(recorder.of("good"), {"finish", "end", "close(false)"});
}

BEHAVIOUR(B227_a_SystemError_is_the_socket_s_error, all_wires) {
  Server server(world.io());
  Recorder recorder;
  bool reported = false;
  server.serve([&](Socket socket) -> asio::awaitable<void> {
    recorder.watch(socket, "accepted", Recorder::Data::ignore);
    co_await socket.async_read(libnet::cancel_after(0s));  // throws
  });
  server.on(event::handler_error, [&](const Socket& socket, const std::exception_ptr&) {
    reported = socket.error().code() == Errc::timed_out;
    server.close();
  });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  world.run();
  BOOST_TEST(reported);
  BOOST_TEST(recorder.count("accepted:error(" + libnet::error_name(Errc::timed_out) + ")") == 1u);
  BOOST_TEST(recorder.count("accepted:close(true)") == 1u);
}

BEHAVIOUR(B227_an_exception_before_the_first_await_counts_as_well, all_wires) {
  // The handler is a plain function here that throws instead of returning a coroutine.
  Server server(world.io());
  int reported = 0;
  server.serve([](const Socket&) -> asio::awaitable<void> { throw std::runtime_error("no coroutine"); });
  server.on(event::handler_error, [&](const Socket& socket, const std::exception_ptr&) {
    ++reported;
    BOOST_TEST((socket.error().code() == Errc::handler_threw));
    if (reported == 3) server.close();
  });
  world.listen(server);
  std::vector<Socket> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(world.io());
    world.connect(clients.back(), server);
  }
  world.run();
  BOOST_TEST(reported == 3);
}

BEHAVIOUR(B227_a_handler_error_that_nobody_hears_is_logged_once, all_wires) {
  LogLines log;
  Server server(world.io());
  server.serve([&server](const Socket&) -> asio::awaitable<void> {
    server.close();
    throw std::runtime_error("nobody hears this");
    co_return;
  });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  world.run();
  log.expect_one("nobody hears this");
}

BEHAVIOUR(B227_C10_a_throwing_connection_listener_costs_that_socket_alone, all_wires) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  int connections = 0;
  server.on(event::connection, [&](Socket socket) {
    ++connections;
    recorder.watch(socket, std::to_string(connections));
    if (connections == 1) throw std::runtime_error("listener failed");
    socket.end("fine");
    server.close();
  });
  world.listen(server);
  Socket first(world.io());
  recorder.watch(first, "first");
  world.connect(first, server);
  world.run_until([&] { return recorder.count("first:close(false)") == 1; });
  Socket second(world.io());
  recorder.watch(second, "second");
  world.connect(second, server);
  world.run();
  expect(recorder.of("1"), {"error(" + libnet::error_name(Errc::listener_threw) + ")", "close(true)"});
  BOOST_TEST(recorder.received("second") == "fine");
  expect(recorder.of("server"), {"listening", "handler_error", "close"});
}

BEHAVIOUR(B228_async_close_waits_for_the_handlers, all_wires) {
  Server server(world.io());
  Gate gate(world.io());
  Log log;
  server.serve([&](Socket socket) -> asio::awaitable<void> {
    log.emplace_back("started");
    socket.destroy();  // the connection is gone long before the handler
    co_await gate.wait();
    log.emplace_back("ended");
  });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  world.run_until([&] { return log.size() == 1; });
  const auto close = [](Server closed, Log& told) -> asio::awaitable<void> {
    co_await closed.async_close();
    told.emplace_back("closed");
  };
  world.spawn(close(server, log));
  world.run_until([&] { return client.destroyed() || client.ready_state() == libnet::ReadyState::closed; });
  world.settle();
  BOOST_TEST(!server.listening());
  expect(log, {"started"});
  gate.open();
  world.run();
  expect(log, {"started", "ended", "closed"});
}

BEHAVIOUR(B228_a_handler_may_close_its_server, all_wires) {
  Server server(world.io());
  bool closed = false;
  server.serve([&](Socket socket) -> asio::awaitable<void> {
    server.close([&](error_code code) { closed = !code; });
    co_await socket.async_write("the last one");
  });
  world.listen(server);
  world.await([](World& here, Server asked) -> asio::awaitable<void> {
    const std::string answer = co_await ask(here, asked, "?");
    BOOST_TEST(answer == "the last one");
  }(world, server));
  world.run();
  BOOST_TEST(closed);
}

BEHAVIOUR(B227_serve_goes_on_when_the_server_listens_again, all_wires) {
  Server server(world.io());
  int served = 0;
  server.serve([&served](Socket socket) -> asio::awaitable<void> {
    ++served;
    co_await socket.async_write("served");
  });
  world.await([](World& here, Server again) -> asio::awaitable<void> {
    for (int round = 0; round < 3; ++round) {
      co_await again.async_listen(here.listen_options());
      const std::string answer = co_await ask(here, again, "?");
      BOOST_TEST(answer == "served");
      co_await again.async_close();
    }
  }(world, server));
  world.run();
  BOOST_TEST(served == 3);
}

BEHAVIOUR(B229_sockets_of_serve_are_half_open_unless_told_otherwise, all_wires) {
  Server server(world.io());
  server.serve([](Socket socket) -> asio::awaitable<void> {
    BOOST_TEST(socket.allow_half_open());
    std::string question;
    while (const Chunk chunk = co_await socket.async_read()) question += chunk;
    asio::steady_timer think(socket.get_executor(), 5ms);
    co_await think.async_wait(asio::use_awaitable);
    co_await socket.async_write("answer to " + question);
  });
  world.listen(server);
  world.spawn(ask_and_close(world, server, "answer to question"));
  world.run();

  Server strict(world.io(), {.socket = {.allow_half_open = false}});
  bool checked = false;
  strict.serve([&](const Socket& socket) -> asio::awaitable<void> {
    BOOST_TEST(!socket.allow_half_open());
    checked = true;
    strict.close();
    co_return;
  });
  world.listen(strict);
  Socket client(world.io());
  world.connect(client, strict);
  world.run();
  BOOST_TEST(checked);
}
