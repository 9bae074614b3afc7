#include <boost/asio/bind_executor.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "support/behaviour.hpp"
#include "support/case_report.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Error;
using libnet::Server;
using libnet::Socket;

// B234: an io_context that is destroyed with everything in flight. The address sanitizer's leak check watches, and
// `alive` counts what user code left behind.

namespace {

/// Counts its copies, and notes when user code runs that must not.
class Trace {
 public:
  struct State {
    int alive = 0;
    bool ended = false;  // the io_context is being destroyed
    int ran_late = 0;
  };
  explicit Trace(State& state) : state_(&state) { ++state_->alive; }
  Trace(const Trace& other) : state_(other.state_) { ++state_->alive; }
  Trace& operator=(const Trace&) = delete;
  ~Trace() { --state_->alive; }

  template <class... Arguments>
  void operator()(const Arguments&...) const {
    if (state_->ended) ++state_->ran_late;
  }

 private:
  State* state_;
};

void listen_to_all(Socket socket, const Trace& trace) {
  // Each listener holds its own socket.
  socket.on(event::connect, [socket, trace] { trace(); });
  socket.on(event::end, [socket, trace] { trace(); });
  socket.on(event::drain, [socket, trace] { trace(); });
  socket.on(event::finish, [socket, trace] { trace(); });
  socket.on(event::timeout, [socket, trace] { trace(); });
  socket.on(event::error, [socket, trace](const Error&) { trace(); });
  socket.on(event::close, [socket, trace](bool) { trace(); });
}

asio::awaitable<void> read_for_ever(Socket socket, Trace trace) {
  try {
    while (true) co_await socket.async_read();
  } catch (...) {
    trace();
    throw;
  }
}

asio::awaitable<void> write_for_ever(Socket socket, Trace trace) {
  while (true) {
    co_await socket.async_write(std::string(1 << 20, 'x'));
    trace();
  }
}

asio::awaitable<void> sleep_with(Socket socket, Trace trace) {
  asio::steady_timer timer(socket.get_executor(), 1h);
  co_await timer.async_wait(asio::use_awaitable);
  trace();
}

/// Everything that can be in flight, then the end of the io_context.
template <class MakeExecutor>
void end_with_everything_in_flight(World& settings, int turns, MakeExecutor make_executor) {
  note_coroutine();
  Trace::State state;
  {
    asio::io_context io;
    libnet::use_reactor(io, settings.reactor());
    const auto executor = make_executor(io);
    const Trace trace(state);

    Server server(executor);
    server.on(event::close, [server, trace] { trace(); });
    server.on(event::handler_error, [server, trace](const Socket&, const std::exception_ptr&) { trace(); });
    server.serve([server, trace](Socket socket) -> asio::awaitable<void> {
      const Trace inside(trace);
      asio::co_spawn(socket.get_executor(), write_for_ever(socket, trace), asio::detached);
      asio::co_spawn(socket.get_executor(), sleep_with(socket, trace), asio::detached);
      while (co_await socket.async_read()) {
      }
      inside();
    });
    server.listen(settings.listen_options());

    Server waiting(executor);
    waiting.listen(settings.listen_options());
    waiting.async_accept([waiting, trace](const auto&, const Socket&) { trace(); });
    waiting.async_wait(event::error, [waiting, trace](const auto&, const Error&) { trace(); });

    std::vector<Socket> clients;
    for (int i = 0; i < 4; ++i) {
      Socket& client = clients.emplace_back(executor);
      settings.connect(client, server);
      listen_to_all(client, trace);
      client.write(std::string(1 << 20, 'y'), [client, trace] { trace(); });
      client.async_wait(event::drain, [client, trace](const auto&) { trace(); });
      client.set_timeout(1h, [client, trace] { trace(); });
    }
    clients[0].on(event::data, [self = clients[0], trace](Chunk) mutable {
      self.pause();
      trace();
    });
    asio::co_spawn(executor, read_for_ever(clients[1], trace), asio::detached);
    clients[2].end("the end", [self = clients[2], trace] { trace(); });
    clients[2].async_close([self = clients[2], trace](const auto&) { trace(); });
    clients[3].async_read(libnet::cancel_after(1h, [self = clients[3], trace](const auto&, Chunk) { trace(); }));
    clients.clear();

    Socket looking(executor);
    listen_to_all(looking, trace);
    looking.async_connect({.host = "localhost", .port = 9}, [looking, trace](const auto&) { trace(); });
    Socket fresh(executor);
    listen_to_all(fresh, trace);
    fresh.async_wait(event::connect, [fresh, trace](const auto&) { trace(); });
    asio::post(executor, [held = Socket(executor), trace] { trace(); });

    for (int i = 0; i < turns; ++i) io.poll_one();
    state.ended = true;
  }
  BOOST_TEST(state.ran_late == 0);
  BOOST_TEST(state.alive == 0);
}

}  // namespace

BEHAVIOUR(B234_everything_in_flight, all_wires) {
  for (const int turns : {0, 1, 2, 5, 10, 50, 200}) {
    end_with_everything_in_flight(world, turns, [](asio::io_context& io) { return io.get_executor(); });
  }
}

BEHAVIOUR(B234_everything_in_flight_on_a_strand, real_wires) {
  for (const int turns : {0, 1, 5, 20, 200}) {
    end_with_everything_in_flight(world, turns, [](asio::io_context& io) { return asio::make_strand(io); });
  }
}

BEHAVIOUR(B234_what_is_due_but_not_delivered, all_wires) {
  Trace::State state;
  {
    World inner({world.wire(), world.reactor()});
    auto [client, server] = inner.pair();
    const Trace trace(state);
    listen_to_all(client, trace);
    listen_to_all(server, trace);
    client.async_read([client = client, trace](const auto&, Chunk) { trace(); });
    client.async_write("x", [client = client, trace](const auto&, std::size_t) { trace(); });
    server.write("y", [server = server, trace] { trace(); });
    client.destroy(Error(libnet::Errc::timed_out));
    server.destroy();
    state.ended = true;
  }
  BOOST_TEST(state.ran_late == 0);
  BOOST_TEST(state.alive == 0);
}

BEHAVIOUR(B234_a_handler_that_waits_for_another_context, all_wires) {
  Trace::State state;
  asio::io_context other;
  {
    World inner({world.wire(), world.reactor()});
    auto [client, server] = inner.pair();
    const Trace trace(state);
    client.async_read(
        asio::bind_executor(other.get_executor(), [client = client, trace](const auto&, Chunk) { trace(); }));
    inner.settle();
    state.ended = true;
  }
  other.run();  // returns: nothing is waited for there any more
  BOOST_TEST(state.ran_late == 0);
  BOOST_TEST(state.alive == 0);
}

BEHAVIOUR(B234_a_completion_under_way_to_another_context, all_wires) {
  Trace::State state;
  asio::io_context other;
  {
    World inner({world.wire(), world.reactor()});
    auto [client, server] = inner.pair();
    const Trace trace(state);
    client.async_write("x", asio::bind_executor(other.get_executor(),
                                                [client = client, trace](const auto&, std::size_t) { trace(); }));
    inner.settle();
  }
  BOOST_TEST(state.alive == 1);
  BOOST_TEST(other.run() == 1U);  // it was complete: it is delivered, and its handle is harmless
  BOOST_TEST(state.alive == 0);
}

BEHAVIOUR(B234_destructors_of_listeners_that_use_the_socket, all_wires) {
  struct LastWords {
    explicit LastWords(Socket held) : socket(std::move(held)) {}
    LastWords(const LastWords&) = default;
    LastWords& operator=(const LastWords&) = delete;
    ~LastWords() {
      socket.write("last words");
      socket.on(event::close, [](bool) {});
      socket.destroy();
    }
    Socket socket;
  };
  World inner({world.wire(), world.reactor()});
  auto [client, server] = inner.pair();
  client.on(event::end, [words = LastWords(client)] {});
  server.async_read([words = LastWords(server)](const auto&, Chunk) {});
}
