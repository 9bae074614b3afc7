#include "support/behaviour.hpp"
#include "support/visitor.hpp"
#include "support/world_network.hpp"

#include <sys/socket.h>
#include <unistd.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <stop_token>
#include <thread>

using namespace libnet::test;
using libnet::ConnectOptions;
using libnet::Errc;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;
using libnet::SystemError;

// Connections that do not come about: refused, cancelled, timed out; and what is bound before.

namespace {

/// A listener whose backlog is full: who connects to it waits.
class FullListener {
 public:
  explicit FullListener(World& world) : server_(world.io()), visitor_(world) {
    auto options = world.listen_options();
    options.backlog = 0;
    server_.listen(options);
    options_ = world.connect_options(server_);
    if (world.in_memory()) {
      BOOST_REQUIRE(visitor_.connect(server_.address().value()) == 0);
      return;
    }
    sockaddr_storage storage{};
    const socklen_t length = server_.address()->to_native(storage);
    for (int i = 0; i < 8; ++i) {
      const int descriptor = ::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      ::connect(descriptor, reinterpret_cast<const sockaddr*>(&storage), length);
      waiting_.push_back(descriptor);
    }
  }
  FullListener(const FullListener&) = delete;
  FullListener& operator=(const FullListener&) = delete;
  ~FullListener() {
    for (const int descriptor : waiting_) ::close(descriptor);
    server_.close();
  }
  const ConnectOptions& options() const { return options_; }

 private:
  Server server_;
  ConnectOptions options_;
  Visitor visitor_;  // in memory, whom there is room for
  std::vector<int> waiting_;
};

asio::awaitable<error_code> connect_code(Socket socket, ConnectOptions options) {
  auto [code] = co_await socket.async_connect(options, libnet::as_tuple);
  co_return code;
}

}  // namespace

BEHAVIOUR(B70_port_0_is_an_error_and_never_a_throw, ip_wires) {
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  std::string message;
  socket.on(event::error, [&](const libnet::Error& error) { message = error.message(); });
  socket.connect(0, world.wire() == Wire::tcp6 ? "::1" : "127.0.0.1");
  world.run();
  BOOST_TEST(message.starts_with("connect E"));
  BOOST_TEST(recorder.count("client:connect") == 0U);
  BOOST_TEST(recorder.of("client").back() == "close(true)");
}

BEHAVIOUR(B71_a_refusal_with_all_its_detail, ip_wires) {
  const ConnectOptions options = world.refusing_options();
  Socket socket = libnet::connect(world.io(), options);
  Recorder recorder;
  recorder.watch(socket, "client");
  int errors = 0;
  socket.on(event::error, [&](const libnet::Error& error) {
    ++errors;
    BOOST_TEST(error.name() == "ECONNREFUSED");
    BOOST_TEST(error.code() == boost::system::errc::connection_refused);
    BOOST_TEST(error.operation() == "connect");
    BOOST_TEST((error.remote_address() == SocketAddress::ip(options.host, static_cast<std::uint16_t>(*options.port))));
    BOOST_TEST(error.message() ==
               "connect ECONNREFUSED " + std::string(options.host) + ":" + std::to_string(*options.port));
    BOOST_TEST(!error.local_address().has_value());
  });
  BOOST_TEST(recorder.log().empty());
  world.run();
  BOOST_TEST(errors == 1);
  const Log expected{"error(ECONNREFUSED)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  BOOST_TEST(socket.error().name() == "ECONNREFUSED");
}

BEHAVIOUR(B71_a_refusal_awaited, ip_wires) {
  const ConnectOptions options = world.refusing_options();
  world.await([](asio::io_context& io, ConnectOptions where) -> asio::awaitable<void> {
    Socket socket(io);
    bool thrown = false;
    try {
      co_await socket.async_connect(where);
    } catch (const SystemError& error) {
      thrown = true;
      BOOST_TEST(error.code() == boost::system::errc::connection_refused);
      BOOST_TEST(error.what() == "connect ECONNREFUSED " + std::string(where.host) + ":" + std::to_string(*where.port));
    }
    BOOST_TEST(thrown);
    BOOST_TEST(socket.error().name() == "ECONNREFUSED");
  }(world.io(), options));
  world.run();
}

BEHAVIOUR(B72_a_refusal_of_a_bound_socket_names_both_ends, ip_wires) {
  const ConnectOptions refusing = world.refusing_options();
  const ConnectOptions own = world.unused_options();
  const std::string local = std::string(own.host) + ":" + std::to_string(*own.port);
  Socket socket(world.io());
  int errors = 0;
  socket.on(event::error, [&](const libnet::Error& error) {
    ++errors;
    BOOST_TEST(error.message().ends_with(" - Local (" + local + ")"));
    BOOST_REQUIRE(error.local_address().has_value());
    BOOST_TEST(error.local_address()->port() == *own.port);
    BOOST_TEST(error.local_address()->address() == own.host);
  });
  socket.connect({.host = refusing.host, .port = refusing.port, .local_address = own.host, .local_port = own.port});
  world.run();
  BOOST_TEST(errors == 1);
}

BEHAVIOUR(B72_the_port_that_the_system_picked_is_named, ip_wires) {
  const ConnectOptions refusing = world.refusing_options();
  Socket socket(world.io());
  std::uint16_t port = 0;
  std::string message;
  socket.on(event::error, [&](const libnet::Error& error) {
    port = error.local_address().value_or(SocketAddress()).port();
    message = error.message();
  });
  socket.connect({.host = refusing.host, .port = refusing.port, .local_address = refusing.host});
  world.run();
  BOOST_TEST(port > 100);
  BOOST_TEST(message.ends_with(" - Local (" + std::string(refusing.host) + ":" + std::to_string(port) + ")"));
}

BEHAVIOUR(B73_a_local_port_that_is_listened_on, ip_wires) {
  Server taken(world.io());
  world.listen(taken);
  Server target(world.io());
  world.listen(target);
  const ConnectOptions own = world.connect_options(taken);
  ConnectOptions options = world.connect_options(target);
  options.local_address = own.host;
  options.local_port = own.port;
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  socket.connect(options);
  world.run_until([&] { return !recorder.of("client").empty() && recorder.of("client").back() == "close(true)"; });
  const Log expected{"error(EADDRINUSE)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  taken.close();
  target.close();
  world.run();
}

BEHAVIOUR(B74_the_local_port_is_used, ip_wires) {
  Server server(world.io());
  std::vector<Socket> accepted;
  server.on(event::connection, [&](Socket socket) { accepted.push_back(std::move(socket)); });
  world.listen(server);
  ConnectOptions options = world.connect_options(server);
  options.local_port = world.unused_options().port;
  Socket client = libnet::connect(world.io(), options);
  world.run_until([&] { return !accepted.empty() && !client.connecting(); });
  BOOST_TEST(client.local_address()->port() == *options.local_port);
  BOOST_TEST(accepted.front().remote_address()->port() == *options.local_port);
  accepted.front().reset();  // leaves no TIME_WAIT behind
  client.destroy();
  server.close();
  accepted.clear();
  world.run();
}

BEHAVIOUR(B75_a_local_address_must_be_an_ip, ip_wires) {
  Socket socket(world.io());
  for (const char* text : {"localhost", "127.0.0.1.", "foobar"}) {
    const auto is_right = [](const SystemError& error) { return error.code() == Errc::invalid_address; };
    BOOST_CHECK_EXCEPTION(socket.connect({.host = "127.0.0.1", .port = 80, .local_address = text}), SystemError,
                          is_right);
  }
  world.await([](Socket client) -> asio::awaitable<void> {
    const ConnectOptions options{.port = 80, .local_address = "localhost"};
    BOOST_TEST(co_await connect_code(client, options) == Errc::invalid_address);
  }(socket));
  BOOST_TEST(!socket.connecting());
  world.run();
}

BEHAVIOUR(B76_refused_connects_leave_no_descriptor, all_wires) {
  const ConnectOptions options = world.refusing_options();
  Socket(world.io()).connect(options);  // from now on the loop has its descriptors
  world.run();
  const std::size_t before = open_descriptors();
  int errors = 0;
  int closes = 0;
  for (int i = 0; i < 250; ++i) {
    Socket socket = libnet::connect(world.io(), options);
    socket.on(event::error, [&](const libnet::Error& error) {
      errors += error.name() == (world.is_tcp() ? "ECONNREFUSED" : "ENOENT") ? 1 : 0;
    });
    socket.on(event::close, [&](bool had_error) { closes += had_error ? 1 : 0; });
  }
  world.run();
  BOOST_TEST(errors == 250);
  BOOST_TEST(closes == 250);
  BOOST_TEST(open_descriptors() == before);
}

BEHAVIOUR(B76_refused_connects_awaited, all_wires) {
  const ConnectOptions options = world.refusing_options();
  Socket(world.io()).connect(options);  // from now on the loop has its descriptors
  world.run();
  const std::size_t before = open_descriptors();
  world.await([](asio::io_context& io, ConnectOptions where) -> asio::awaitable<void> {
    for (int i = 0; i < 250; ++i) {
      const Socket socket(io);
      const error_code code = co_await connect_code(socket, where);
      BOOST_TEST(static_cast<bool>(code));
    }
  }(world.io(), options));
  world.run();
  BOOST_TEST(open_descriptors() == before);
}

BEHAVIOUR(B85_end_and_then_a_failing_lookup, ip_wires) {
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  std::string operation;
  socket.on(event::error, [&](const libnet::Error& error) { operation = error.operation(); });
  socket.connect(80, "this.name.does.not.exist.invalid");
  socket.end();
  world.run();
  const Log events = recorder.of("client");
  BOOST_REQUIRE(events.size() == 2U);
  BOOST_TEST(events[0].starts_with("error("));
  BOOST_TEST(events[1] == "close(true)");
  BOOST_TEST(operation == "getaddrinfo");
}

BEHAVIOUR(B86_a_stop_before_the_call, all_wires) {
  Server server(world.io());
  int connections = 0;
  server.on(event::connection, [&](Socket) { ++connections; });
  world.listen(server);
  std::stop_source source;
  source.request_stop();
  const std::stop_token token = source.get_token();
  ConnectOptions options = world.connect_options(server);
  options.stop = &token;
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  socket.connect(options);
  BOOST_TEST(recorder.log().empty());
  world.run_until([&] { return recorder.count("client:close(true)") == 1; });
  const Log expected{"error(ECANCELED)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  BOOST_TEST(socket.error().code() == asio::error::operation_aborted);
  world.settle();
  BOOST_TEST(connections == 0);
  server.close();
  world.run();
}

BEHAVIOUR(B86_a_stop_in_the_same_turn, all_wires) {
  Server server(world.io());
  int connections = 0;
  server.on(event::connection, [&](Socket) { ++connections; });
  world.listen(server);
  std::stop_source source;
  const std::stop_token token = source.get_token();
  ConnectOptions options = world.connect_options(server);
  options.stop = &token;
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  socket.connect(options);
  source.request_stop();
  world.run_until([&] { return recorder.count("client:close(true)") == 1; });
  const Log expected{"error(ECANCELED)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  world.settle();
  BOOST_TEST(connections == 0);
  server.close();
  world.run();
}

BEHAVIOUR(B86_a_stop_later_from_another_thread, all_wires) {
  const FullListener full(world);
  std::stop_source source;
  const std::stop_token token = source.get_token();
  ConnectOptions options = full.options();
  options.stop = &token;
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  socket.connect(options);
  world.settle();
  BOOST_TEST(socket.connecting());
  std::jthread([&source] { source.request_stop(); }).join();
  world.run_until([&] { return recorder.count("client:close(true)") == 1; });
  const Log expected{"error(ECANCELED)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B86_a_stop_after_the_connection_is_up_does_nothing, all_wires) {
  Server server(world.io());
  std::vector<Socket> accepted;
  server.on(event::connection, [&](Socket socket) { accepted.push_back(std::move(socket)); });
  world.listen(server);
  std::stop_source source;
  const std::stop_token token = source.get_token();
  ConnectOptions options = world.connect_options(server);
  options.stop = &token;
  Socket socket(world.io());
  socket.connect(options);
  world.run_until([&] { return !socket.connecting() && !accepted.empty(); });
  source.request_stop();
  world.settle();
  BOOST_TEST(!socket.destroyed());
  socket.destroy();
  server.close();
  accepted.clear();
  world.run();
}

BEHAVIOUR(B86_R12_a_stop_before_the_call_awaited, all_wires) {
  Server server(world.io());
  int connections = 0;
  server.on(event::connection, [&](Socket) { ++connections; });
  world.listen(server);
  std::stop_source source;
  source.request_stop();
  const std::stop_token token = source.get_token();
  ConnectOptions options = world.connect_options(server);
  options.stop = &token;
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  world.await([](Socket client, ConnectOptions where) -> asio::awaitable<void> {
    BOOST_TEST(co_await connect_code(client, where) == asio::error::operation_aborted);
    co_await client.async_wait(event::close);
  }(socket, options));
  const Log expected{"error(ECANCELED)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  world.settle();
  BOOST_TEST(connections == 0);
  server.close();
  world.run();
}

BEHAVIOUR(B86_cancelled_by_slot_in_the_same_turn_and_later_awaited, all_wires) {
  const FullListener full(world);
  for (const auto type :
       {asio::cancellation_type::terminal, asio::cancellation_type::partial, asio::cancellation_type::total}) {
    for (const bool same_turn : {true, false}) {
      asio::cancellation_signal signal;
      Socket socket(world.io());
      Recorder recorder;
      recorder.watch(socket, "client");
      int completions = 0;
      error_code result;
      socket.async_connect(full.options(), asio::bind_cancellation_slot(signal.slot(), [&](const error_code& code) {
                             ++completions;
                             result = code;
                           }));
      if (!same_turn) world.settle();
      BOOST_TEST(socket.connecting());
      signal.emit(type);
      BOOST_TEST(completions == 0);
      world.run_until([&] { return recorder.count("client:close(true)") == 1; });
      BOOST_TEST(completions == 1);
      BOOST_TEST(result == asio::error::operation_aborted);
      const Log expected{"error(ECANCELED)", "close(true)"};
      BOOST_TEST(recorder.of("client") == expected, per_element);
    }
  }
}

BEHAVIOUR(B96_destroyed_while_the_lookup_runs, ip_wires) {
  if (world.in_memory()) world.network().below().set_lookup_delay(1h);
  std::size_t after_first = 0;
  Recorder recorder;
  for (int i = 0; i < 20; ++i) {
    Socket socket(world.io());
    recorder.watch(socket, "client");
    socket.connect(1, "localhost");
    world.io().restart();
    if (i % 2 == 0) world.io().poll_one();  // the turn in which the lookup starts
    socket.destroy();
    world.run_until([&] { return recorder.log().size() == static_cast<std::size_t>(i) + 1; });
    if (i == 0) after_first = open_descriptors();
  }
  world.run();
  BOOST_TEST(recorder.count("client:close(false)") == 20U);
  BOOST_TEST(recorder.log().size() == 20U);
  BOOST_TEST(open_descriptors() < after_first + 10);  // a lookup that still runs, in its thread, has some open
}

BEHAVIOUR(R13_connect_timeout, all_wires) {
  const FullListener full(world);
  world.use_manual_clock();
  ConnectOptions options = full.options();
  options.timeout = 500ms;
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  std::string operation;
  socket.on(event::error, [&](const libnet::Error& error) { operation = error.operation(); });
  socket.connect(options);
  world.advance(499ms);
  BOOST_TEST(recorder.log().empty());
  BOOST_TEST(socket.connecting());
  world.advance(1ms);
  const Log expected{"error(ERR_TIMED_OUT)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
  BOOST_TEST(socket.error().code() == Errc::timed_out);
  BOOST_TEST(operation == "connect");
}

BEHAVIOUR(R13_connect_timeout_awaited_by_option_and_by_cancel_after, all_wires) {
  const FullListener full(world);
  world.use_manual_clock();
  int completions = 0;
  world.spawn([](asio::io_context& io, ConnectOptions options, int& done) -> asio::awaitable<void> {
    options.timeout = 300ms;
    BOOST_TEST(co_await connect_code(Socket(io), options) == Errc::timed_out);
    ++done;
    options.timeout = {};
    Socket socket(io);
    auto [code] = co_await socket.async_connect(options, libnet::cancel_after(300ms, libnet::as_tuple));
    BOOST_TEST(code == Errc::timed_out);
    BOOST_TEST(!socket.connecting());
    ++done;
  }(world.io(), full.options(), completions));
  world.settle();
  world.advance(299ms);
  BOOST_TEST(completions == 0);
  world.advance(1ms);
  BOOST_TEST(completions == 1);
  world.advance(299ms);
  BOOST_TEST(completions == 1);
  world.advance(1ms);
  BOOST_TEST(completions == 2);
}

BEHAVIOUR(R13_a_connect_that_succeeds_in_time_has_no_deadline_left, all_wires) {
  Server server(world.io());
  Socket accepted;
  server.on(event::connection, [&](Socket socket) { accepted = std::move(socket); });
  world.listen(server);
  world.use_manual_clock();
  ConnectOptions options = world.connect_options(server);
  options.timeout = 100ms;
  Socket socket(world.io());
  socket.connect(options);
  world.run_until([&] { return !socket.connecting() && !accepted.pending(); });
  world.advance(10s);
  BOOST_TEST(!socket.destroyed());
  socket.destroy();
  server.close();
  world.run();
}
