#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "support/behaviour.hpp"
#include "support/case_report.hpp"
#include "support/seed.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// B251, R15, contract 11: strands of an io_context that two threads run, and contexts of one thread each. The thread
// sanitizer runs these.

namespace {

/// Checks in any thread; the case's own thread reports.
class Findings {
 public:
  void check(bool right, const char* what) {
    if (right) return;
    const std::lock_guard lock(mutex_);
    wrong_.emplace_back(what);
  }
  ~Findings() {
    for (const std::string& what : wrong_) BOOST_ERROR(what);
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> wrong_;
};

/// Runs a context in two threads until it has nothing to do.
void run_in_two_threads(asio::io_context& io) {
  const auto run = [&io] { io.run_for(60s); };
  std::thread other(run);
  run();
  other.join();
  BOOST_TEST(io.stopped(), "the loop did not come to an end");
}

/// Notes whether two pieces of user code of one socket ever run at the same time.
class Exclusive {
 public:
  explicit Exclusive(Findings& findings) : findings_(findings) {}
  class Scope {
   public:
    explicit Scope(Exclusive& owner) : owner_(owner) {
      owner_.findings_.check(!owner_.inside_.exchange(true), "two handlers of one strand ran at once");
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { owner_.inside_ = false; }

   private:
    Exclusive& owner_;
  };

 private:
  Findings& findings_;
  std::atomic<bool> inside_{false};
};

asio::awaitable<void> echo(Socket socket) {
  while (const Chunk chunk = co_await socket.async_read()) co_await socket.async_write(chunk);
}

asio::awaitable<void> ask(Socket socket, libnet::ConnectOptions where, Findings& findings, std::atomic<int>& rounds) {
  co_await socket.async_connect(where);
  for (int i = 0; i < 50; ++i) {
    const std::string question = random_bytes(1 + static_cast<std::size_t>(i) * 37, static_cast<std::uint64_t>(i));
    co_await socket.async_write(question);
    std::string answer;
    while (answer.size() < question.size()) answer += co_await socket.async_read(libnet::cancel_after(60s));
    findings.check(answer == question, "a wrong answer");
    ++rounds;
  }
  co_await socket.async_end();
  findings.check((co_await socket.async_read()).empty(), "something behind the end");
  co_await socket.async_close();
}

}  // namespace

BEHAVIOUR(B251_a_server_and_its_clients_each_on_a_strand, real_wires) {
  note_coroutine();
  Findings findings;
  std::atomic<int> rounds{0};
  asio::io_context io(2);
  Server server(asio::make_strand(io));
  server.serve(echo);
  server.listen(world.listen_options());
  constexpr int clients = 8;
  std::atomic<int> left{clients};
  const auto where = world.connect_options(server);
  for (int i = 0; i < clients; ++i) {
    const auto strand = asio::make_strand(io);
    asio::co_spawn(strand, ask(Socket(strand), where, findings, rounds), [&, server](const std::exception_ptr& thrown) {
      findings.check(thrown == nullptr, "a client failed");
      if (--left == 0) asio::post(server.get_executor(), [last = server]() mutable { last.close(); });
    });
  }
  run_in_two_threads(io);
  BOOST_TEST(rounds == clients * 50);
}

BEHAVIOUR(B251_listeners_on_strands, real_wires) {
  Findings findings;
  Exclusive server_side(findings);
  asio::io_context io(2);
  Server server(asio::make_strand(io));
  int connections = 0;
  constexpr int clients = 8;
  server.on(event::connection, [&, self = server](Socket socket) mutable {
    const Exclusive::Scope scope(server_side);
    socket.on(event::data, [&, socket](Chunk chunk) mutable {
      const Exclusive::Scope inside(server_side);
      if (!socket.write(chunk)) socket.pause();
    });
    socket.on(event::drain, [&, socket]() mutable {
      const Exclusive::Scope inside(server_side);
      socket.resume();
    });
    if (++connections == clients) self.close();
  });
  server.listen(world.listen_options());
  const auto where = world.connect_options(server);
  std::array<std::string, clients> received;
  std::vector<std::unique_ptr<Exclusive>> exclusives;
  for (std::string& bytes : received) {
    Exclusive& exclusive = *exclusives.emplace_back(std::make_unique<Exclusive>(findings));
    Socket client(asio::make_strand(io));
    client.connect(where, [&exclusive, client]() mutable {
      const Exclusive::Scope scope(exclusive);
      client.end(random_bytes(300'000));
    });
    client.on(event::data, [&exclusive, &bytes](Chunk chunk) {
      const Exclusive::Scope scope(exclusive);
      bytes += chunk;
    });
  }
  run_in_two_threads(io);
  for (const std::string& bytes : received) BOOST_TEST((bytes == random_bytes(300'000)));
}

BEHAVIOUR(R15_cancelled_reads_lose_no_byte, real_wires) {
  // The bytes come from another strand, the cancellation from a timer of this one: they race.
  asio::io_context io(2);
  Server server(asio::make_strand(io));
  server.listen(world.listen_options());
  const std::string sent = random_bytes(6'000, seed());
  std::string received;
  int cancelled = 0;
  asio::cancellation_signal cancellation;  // a timer that has fired may still use it when the coroutine is over
  const auto read_racing = [](Server from, asio::cancellation_signal& signal, std::string& bytes,
                              int& count) -> asio::awaitable<void> {
    Socket socket = co_await from.async_accept();
    from.close();
    asio::steady_timer timer(socket.get_executor());
    std::mt19937_64 random(seed());
    while (true) {
      timer.expires_after(std::chrono::microseconds(random() % 40));
      timer.async_wait([&signal](const error_code& code) {
        if (!code) signal.emit(asio::cancellation_type::terminal);
      });
      const auto [code, chunk] =
          co_await socket.async_read(asio::bind_cancellation_slot(signal.slot(), libnet::as_tuple));
      timer.cancel();
      bytes += chunk;
      if (code == asio::error::operation_aborted) {
        ++count;
      } else if (code || chunk.empty()) {
        break;
      }
    }
  };
  const auto write_slowly = [](Socket socket, libnet::ConnectOptions to,
                               const std::string& bytes) -> asio::awaitable<void> {
    co_await socket.async_connect(to);
    asio::steady_timer timer(socket.get_executor());
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
      co_await socket.async_write(std::string_view(bytes).substr(at, 3));
      timer.expires_after(std::chrono::microseconds(at % 30));
      co_await timer.async_wait(asio::use_awaitable);
    }
    co_await socket.async_close();
  };
  const auto rethrow = [](const std::exception_ptr& thrown) {
    if (thrown) std::rethrow_exception(thrown);
  };
  asio::co_spawn(server.get_executor(), read_racing(server, cancellation, received, cancelled), rethrow);
  const auto strand = asio::make_strand(io);
  asio::co_spawn(strand, write_slowly(Socket(strand), world.connect_options(server), sent), rethrow);
  run_in_two_threads(io);
  BOOST_TEST((received == sent));
  BOOST_TEST_MESSAGE(cancelled << " reads were cancelled");
}

BEHAVIOUR(R15_time_limits_that_race, real_wires) {
  asio::io_context io(2);
  Findings findings;
  std::atomic<int> completed{0};
  std::vector<Socket> kept;
  for (int i = 0; i < 8; ++i) {
    const auto strand = asio::make_strand(io);
    Server server(strand);
    server.listen(world.listen_options());
    const auto other = asio::make_strand(io);
    const auto where = world.connect_options(server);
    asio::co_spawn(
        strand,
        [](Server from, std::atomic<int>& count) -> asio::awaitable<void> {
          std::mt19937_64 random(seed());
          Socket socket;
          while (socket == Socket()) {
            const auto [code, accepted] = co_await from.async_accept(
                libnet::cancel_after(std::chrono::microseconds(random() % 200), libnet::as_tuple));
            if (!code) socket = accepted;
          }
          from.close();
          std::size_t bytes = 0;
          while (bytes < 200) {
            const auto [code, chunk] = co_await socket.async_read(
                libnet::cancel_after(std::chrono::microseconds(random() % 60), libnet::as_tuple));
            bytes += chunk.size();
          }
          ++count;
        }(server, completed),
        asio::detached);
    asio::co_spawn(
        other,
        [](Socket socket, libnet::ConnectOptions to) -> asio::awaitable<void> {
          co_await socket.async_connect(to);
          for (int sent = 0; sent < 200; ++sent) co_await socket.async_write("x");
          co_await socket.async_close();
        }(Socket(other), where),
        asio::detached);
  }
  run_in_two_threads(io);
  BOOST_TEST(completed == 8);
}

BEHAVIOUR(B251_destroy_and_close_race_with_the_peer, real_wires) {
  Findings findings;
  std::atomic<int> closes{0};
  asio::io_context io(2);
  Server server(asio::make_strand(io));
  int connections = 0;
  constexpr int clients = 40;
  server.on(event::connection, [&, self = server](Socket socket) mutable {
    socket.on(event::error, [](const Error&) {});
    socket.on(event::close, [&](bool) { ++closes; });
    socket.write(std::string(10'000, 'x'));
    if (connections % 2 == 0) socket.destroy();
    if (++connections == clients) self.close();
  });
  server.listen(world.listen_options());
  const auto where = world.connect_options(server);
  for (int i = 0; i < clients; ++i) {
    Socket client(asio::make_strand(io));
    client.on(event::error, [](const Error&) {});
    client.on(event::close, [&](bool) { ++closes; });
    client.on(event::data, [client, i](Chunk) mutable {
      if (i % 3 == 0) client.destroy();
      if (i % 3 == 1) client.end();
      if (i % 3 == 2) client.destroy_soon();
    });
    client.connect(where);
  }
  run_in_two_threads(io);
  BOOST_TEST(closes == 2 * clients);
}

BEHAVIOUR(C11_handles_are_dropped_in_any_thread, real_wires) {
  for (int round = 0; round < 20; ++round) {
    asio::io_context io(2);
    Server server(asio::make_strand(io));
    std::string received;
    server.once(event::connection, [&received, self = server](Socket socket) mutable {
      socket.on(event::data, [&received](Chunk chunk) { received += chunk; });
      self.close();
    });
    server.listen(world.listen_options());
    Socket client(asio::make_strand(io));
    client.connect(world.connect_options(server), [] {});  // the listener holds it until it is connected
    client.write("hello");
    const auto guard = std::make_unique<asio::executor_work_guard<asio::io_context::executor_type>>(io.get_executor());
    std::thread first([&io] { io.run_for(60s); });
    std::thread second([&io] { io.run_for(60s); });
    std::vector<std::thread> droppers;
    for (int i = 0; i < 4; ++i) {
      droppers.emplace_back([copy = client, other = server]() mutable {
        const Socket more = copy;
        copy = Socket();
        other = Server();
      });
    }
    client = Socket();
    server = Server();
    for (std::thread& dropper : droppers) dropper.join();
    guard->reset();
    first.join();
    second.join();
    BOOST_TEST(io.stopped());
    BOOST_TEST(received == "hello");
  }
}

BEHAVIOUR(B251_a_stop_token_from_another_thread, real_wires) {
  for (int round = 0; round < 20; ++round) {
    asio::io_context io(2);
    std::stop_source source;
    const std::stop_token token = source.get_token();
    Server server(asio::make_strand(io));
    auto listen = world.listen_options();
    listen.stop = &token;
    server.listen(listen);
    auto connect = world.connect_options(server);
    connect.stop = &token;
    std::vector<Socket> clients;
    for (int i = 0; i < 4; ++i) {
      Socket& client = clients.emplace_back(asio::make_strand(io));
      client.on(event::error, [](const Error&) {});
      client.connect(connect, [client]() mutable { client.destroy(); });
    }
    std::thread stopper([&source] { source.request_stop(); });
    run_in_two_threads(io);
    stopper.join();
    BOOST_TEST(!server.listening());
    for (const Socket& client : clients) BOOST_TEST(!client.connecting());
  }
}

BEHAVIOUR(B251_handlers_that_run_elsewhere, real_wires) {
  // The sockets live on strands, their handlers in a context of another thread.
  asio::io_context io(2);
  asio::io_context other;
  auto guard = asio::make_work_guard(other);
  std::thread runner([&other] { other.run(); });
  Server server(asio::make_strand(io));
  server.serve(echo);
  server.listen(world.listen_options());
  const auto strand = asio::make_strand(io);
  Socket client(strand);
  Findings findings;
  const std::thread::id home = runner.get_id();
  client.async_connect(
      world.connect_options(server), asio::bind_executor(other.get_executor(), [&](const error_code& connected) {
        findings.check(!connected && std::this_thread::get_id() == home, "connected elsewhere");
        asio::dispatch(strand, [&] {
          client.async_write("hello", asio::bind_executor(other.get_executor(), [&](const error_code&, std::size_t n) {
                               findings.check(n == 5 && std::this_thread::get_id() == home, "written elsewhere");
                             }));
          client.async_read(asio::bind_executor(other.get_executor(), [&](const error_code&, Chunk chunk) {
            findings.check(chunk == "hello" && std::this_thread::get_id() == home, "read elsewhere");
            asio::post(strand, [&] { client.destroy(); });
            asio::post(server.get_executor(), [&] { server.close(); });
          }));
        });
      }));
  run_in_two_threads(io);
  guard.reset();
  runner.join();
  BOOST_TEST(client.destroyed());
}

BEHAVIOUR(C11_one_context_per_thread, real_wires) {
  // The recommended shape: each thread runs its own context, with the reactor of the case.
  Findings findings;
  std::atomic<int> rounds{0};
  asio::io_context serving(1);
  libnet::use_reactor(serving, world.reactor());
  Server server(serving);
  server.serve(echo);
  server.listen(world.listen_options());
  const auto where = world.connect_options(server);
  constexpr int clients = 3;
  std::vector<std::thread> threads;
  std::atomic<int> left{clients};
  for (int i = 0; i < clients; ++i) {
    threads.emplace_back([&, server] {
      asio::io_context io(1);
      libnet::use_reactor(io, world.reactor());
      asio::co_spawn(io, ask(Socket(io), where, findings, rounds),
                     [&](const std::exception_ptr& thrown) { findings.check(thrown == nullptr, "a client failed"); });
      io.run_for(60s);
      if (--left == 0) asio::post(server.get_executor(), [last = server]() mutable { last.close(); });
    });
  }
  serving.run_for(60s);
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(serving.stopped());
  BOOST_TEST(rounds == clients * 50);
}
