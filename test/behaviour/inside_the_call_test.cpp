#include <boost/asio/post.hpp>

#include <functional>
#include <string>
#include <utility>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;

// Contract 1 and B207: no listener and no completion handler runs inside the call that causes it.

namespace {

/// Makes calls, and knows in every listener whether one of them is still running.
class Witness {
 public:
  template <class Call>
  void call(Call&& call) {
    const bool before = std::exchange(inside_, true);
    std::forward<Call>(call)();
    inside_ = before;
  }

  /// A listener or handler that must not run inside a call.
  auto outside(std::string what) {
    return [this, what = std::move(what)](const auto&...) {
      BOOST_TEST(!inside_, what << " ran inside a call");
      ++seen_;
    };
  }
  void watch(Socket socket) {
    socket.on(event::connect, [seen = outside("connect")] { seen(); });
    socket.on(event::ready, [seen = outside("ready")] { seen(); });
    socket.on(event::end, [seen = outside("end")] { seen(); });
    socket.on(event::drain, [seen = outside("drain")] { seen(); });
    socket.on(event::finish, [seen = outside("finish")] { seen(); });
    socket.on(event::timeout, [seen = outside("timeout")] { seen(); });
    socket.on(event::error, [seen = outside("error")](const Error&) { seen(); });
    socket.on(event::close, [seen = outside("close")](bool) { seen(); });
  }
  int seen() const { return seen_; }

 private:
  bool inside_ = false;
  int seen_ = 0;
};

/// `from` has its argument called, where the case wants the calls to be made.
template <class From>
void results_known_at_once(World& world, From from) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  Witness witness;
  std::string buffer(4, '.');
  const auto call_and_see = [&](int more, const std::function<void(Socket)>& calls) {
    const int before = witness.seen();
    from(std::function<void()>([&witness, calls, before, socket = server] {
      witness.call([&] { calls(socket); });
      BOOST_TEST(witness.seen() == before);
    }));
    world.settle();
    BOOST_TEST(witness.seen() == before + more);
  };
  server.unshift("put back");
  call_and_see(12, [&](Socket socket) {
    socket.async_read(witness.outside("read of what was put back"));
    socket.async_read(witness.outside("second read"));
    socket.async_read_some(asio::buffer(buffer), witness.outside("second read_some"));
    socket.async_read_some(asio::buffer(buffer, 0), witness.outside("empty read"));
    socket.async_write("", witness.outside("empty write"));
    socket.async_write_some(asio::buffer(buffer, 0), witness.outside("empty write_some"));
    socket.write("", witness.outside("empty write with a callback"));
    socket.async_drain(witness.outside("drain"));
    socket.async_wait(event::connect, witness.outside("wait for what has happened"));
    socket.end(witness.outside("end"));
    socket.async_end(witness.outside("second end"));
    socket.async_write("late", witness.outside("write after end"));
  });
  call_and_see(7, [&](Socket socket) {
    socket.destroy();
    socket.async_read(witness.outside("read"));
    socket.async_write("x", witness.outside("write"));
    socket.write("x", witness.outside("write with a callback"));
    socket.async_drain(witness.outside("drain"));
    socket.async_end(witness.outside("end"));
    socket.async_close(witness.outside("close"));
    socket.async_connect({.host = "127.0.0.1", .port = 1}, witness.outside("connect"));
  });
  call_and_see(3, [&](Socket socket) {
    socket.async_close(witness.outside("close of a closed socket"));
    socket.async_wait(event::close, witness.outside("wait for the close of a closed socket"));
    socket.async_read(witness.outside("read of a closed socket"));
  });
}

}  // namespace

BEHAVIOUR(B207_C1_results_that_are_known_at_once, all_wires) {
  results_known_at_once(world, [](const auto& calls) { calls(); });
}

/// The loop runs then, but no step of the socket that is called.
BEHAVIOUR(B207_C1_results_known_at_once_in_a_posted_handler, all_wires) {
  results_known_at_once(world, [&](const auto& calls) { asio::post(world.io(), calls); });
}

BEHAVIOUR(B207_C1_results_known_at_once_in_the_listener_of_another_socket, all_wires) {
  results_known_at_once(world, [&](const auto& calls) {
    Socket other(world.io());
    other.on(event::close, [calls](bool) { calls(); });
    other.destroy();
  });
}

BEHAVIOUR(B207_C1_results_known_at_once_in_the_completion_of_another_socket, all_wires) {
  results_known_at_once(world, [&](const auto& calls) {
    Socket other(world.io());
    other.async_read([calls](const error_code&, const Chunk&) { calls(); });
  });
}

BEHAVIOUR(C1_no_event_inside_the_calls_of_a_connection, all_wires) {
  auto [client, server] = world.pair();
  Witness witness;
  witness.watch(client);
  witness.watch(server);
  client.write("waits in the kernel");
  world.settle();
  witness.call([&] { server.on(event::data, [seen = witness.outside("data")](Chunk) { seen(); }); });
  world.settle();
  BOOST_TEST(witness.seen() > 0);
  server.pause();
  client.write("more");
  world.settle();
  witness.call([&] { server.resume(); });
  world.settle();
  witness.call([&] { server.unshift("put back"); });
  world.settle();
  witness.call([&] {
    const libnet::Corked corked = client.corked();
    client.write(std::string(200 * 1024, 'x'), witness.outside("large write"));
  });
  witness.call([&] { client.write(std::string(200 * 1024, 'x'), witness.outside("another one")); });
  witness.call([&] { client.end("x", witness.outside("finish callback")); });
  world.run();
  const int seen = witness.seen();
  BOOST_TEST(seen >= 10);
  witness.call([&] { client.destroy(); });
  witness.call([&] { server.end(); });
  world.settle();
  BOOST_TEST(witness.seen() == seen);
}

BEHAVIOUR(B207_C1_destroy_and_reset, all_wires) {
  auto [client, server] = world.pair();
  Witness witness;
  witness.watch(client);
  witness.watch(server);
  server.async_read(witness.outside("read"));
  server.write("x", witness.outside("write"));
  server.async_wait(event::drain, witness.outside("wait"));
  witness.call([&] { server.destroy(Error(libnet::Errc::timed_out)); });
  witness.call([&] { client.destroy(); });
  BOOST_TEST(witness.seen() == 0);
  world.run();
  BOOST_TEST(witness.seen() >= 6);  // three operations, 'error', two times 'close'
}

BEHAVIOUR(B207_C1_connecting_and_listening, all_wires) {
  Witness witness;
  Server server(world.io());
  server.on(event::listening, [seen = witness.outside("listening")] { seen(); });
  server.on(event::close, [seen = witness.outside("close")] { seen(); });
  server.on(event::error, [seen = witness.outside("error")](const Error&) { seen(); });
  witness.call([&] { world.listen(server); });
  world.settle();
  BOOST_TEST(witness.seen() == 1);

  Socket socket(world.io());
  witness.watch(socket);
  witness.call([&] { world.connect(socket, server); });
  world.settle();
  witness.call([&] { server.on(event::connection, [seen = witness.outside("connection")](Socket) { seen(); }); });
  world.run_until([&] { return witness.seen() >= 4; });

  Socket refused(world.io());
  witness.watch(refused);
  const auto options = world.refusing_options();
  witness.call([&] { refused.connect(options); });
  world.run_until([&] { return refused.destroyed(); });
  witness.call([&] { server.get_connections(witness.outside("get_connections")); });
  witness.call([&] { server.close(witness.outside("close callback")); });
  witness.call([&] { server.close(witness.outside("second close callback")); });
  witness.call([&] { server.async_accept(witness.outside("accept")); });
  witness.call([&] { socket.destroy(); });
  world.run();
  BOOST_TEST(witness.seen() >= 12);
}

BEHAVIOUR(C1_calls_made_by_listeners, all_wires) {
  auto [client, server] = world.pair();
  Witness witness;
  witness.watch(server);
  server.on(event::data, [&, socket = server](Chunk) mutable {
    witness.call([&] {
      socket.write("answer", witness.outside("write"));
      socket.end(witness.outside("end"));
      socket.unshift("again");
      socket.off({});
      socket.destroy_soon();
    });
  });
  client.end("question");
  client.resume();
  world.run();
  BOOST_TEST(witness.seen() >= 4);
}
