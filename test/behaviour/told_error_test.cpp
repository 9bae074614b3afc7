#include "support/behaviour.hpp"

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/log_lines.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SystemError;

// An error that comes while nobody waits: the next operation gets it, once; who comes later learns of it in the message.

namespace {

const libnet::SocketOptions half_open{.allow_half_open = true};

/// A connected socket that has failed while nobody waited or listened. The peer resets, or leaves something unread.
Socket failed_socket(World& world) {
  auto [client, server] = world.pair(half_open, half_open);
  if (world.is_unix()) {
    server.pause();
    client.write("never read");
    world.settle();
    server.destroy();
  } else {
    server.reset();
  }
  Recorder recorder;
  client.once(event::close, [&](bool had_error) { recorder.note(had_error ? "close(true)" : "close(false)"); });
  world.run_until([&] { return !recorder.log().empty(); });
  world.settle();
  const Log expected{"close(true)"};
  BOOST_TEST(recorder.log() == expected, per_element);
  return client;
}

/// As a message names the peer, behind an operation.
std::string whom(const Socket& socket) {
  const auto peer = socket.remote_address();
  return peer ? " " + peer->address() + ":" + std::to_string(peer->port()) : "";
}

using Told = std::function<void(const error_code&)>;
using Ask = void (*)(Socket& socket, Socket& other, const Told& told);

const std::vector<std::pair<const char*, Ask>> questions{
    {"read", [](Socket& socket, Socket&,
                const Told& told) { socket.async_read([told](const error_code& code, Chunk) { told(code); }); }},
    {"read_some",
     [](Socket& socket, Socket&, const Told& told) {
       socket.async_read_some(asio::buffer(static_cast<void*>(&socket), 1),
                              [told](const error_code& code, std::size_t) { told(code); });
     }},
    {"write with a callback", [](Socket& socket, Socket&, const Told& told) { socket.write("x", told); }},
    {"async_write",
     [](Socket& socket, Socket&, const Told& told) {
       socket.async_write("x", [told](const error_code& code, std::size_t) { told(code); });
     }},
    {"end", [](Socket& socket, Socket&, const Told& told) { socket.end(told); }},
    {"drain", [](Socket& socket, Socket&, const Told& told) { socket.async_drain(told); }},
    {"pipe", [](Socket& socket, Socket& other, const Told& told) { socket.pipe(other, told); }},
    {"pipe into it", [](Socket& socket, Socket& other, const Told& told) { other.pipe(socket, told); }},
    {"wait", [](Socket& socket, Socket&, const Told& told) { socket.async_wait(event::timeout, told); }},
};

}  // namespace

BEHAVIOUR(B289_the_next_operation_gets_the_error_and_later_ones_do_not, all_wires) {
  for (const auto& [name, ask] : questions) {
    LogLines lines;
    BOOST_TEST_CONTEXT(name) {
      Socket socket = failed_socket(world);
      auto [other, peer] = world.pair();
      std::vector<error_code> codes;
      const Told note = [&](const error_code& code) { codes.push_back(code); };
      ask(socket, other, note);
      world.run_until([&] { return codes.size() == 1; });
      BOOST_TEST(codes[0] == asio::error::connection_reset);
      ask(socket, other, note);
      world.run_until([&] { return codes.size() == 2; });
      BOOST_TEST((codes[1] == Errc::closed));
      for (Socket open : {other, peer}) open.destroy();
      world.run();
      socket = {};
      lines.expect_none();
    }
  }
}

BEHAVIOUR(B289_who_hears_no_errors_leaves_it_to_the_next, all_wires) {
  Socket socket = failed_socket(world);
  socket.write("without a callback");
  socket.end("without a callback");
  int asked = 0;
  socket.async_close([&](const error_code& code) {
    BOOST_TEST(!code);
    ++asked;
  });
  socket.async_wait(event::close, [&](const error_code& code, bool had_error) {
    BOOST_TEST(!code);
    BOOST_TEST(had_error);
    ++asked;
  });
  world.run_until([&] { return asked == 2; });
  error_code result;
  socket.async_read([&](const error_code& code, Chunk) { result = code; });
  world.run();
  BOOST_TEST(result == asio::error::connection_reset);
}

BEHAVIOUR(B289_the_next_await_throws_the_error_and_later_ones_name_it_awaited, all_wires) {
  world.await([](Socket socket) -> asio::awaitable<void> {
    std::vector<std::string> texts;
    for (int i = 0; i < 3; ++i) {
      try {
        co_await socket.async_write("x");
      } catch (const SystemError& failure) {
        texts.push_back(failure.what());
        BOOST_TEST((failure.code() == Errc::closed) == (i != 0));
      }
    }
    BOOST_REQUIRE(texts.size() == 3U);
    BOOST_TEST(texts[0] == "read ECONNRESET");
    BOOST_TEST(texts[1] == "write" + whom(socket) + ": Socket is closed: read ECONNRESET");
    BOOST_TEST(texts[2] == texts[1]);
  }(failed_socket(world)));
  world.run();
}

BEHAVIOUR(B289_the_program_s_own_destroy_wins, all_wires) {
  Socket socket = failed_socket(world);
  socket.destroy();
  error_code result;
  socket.async_read([&](const error_code& code, Chunk) { result = code; });
  world.run();
  BOOST_TEST((result == Errc::destroyed));
}

BEHAVIOUR(B289_an_error_that_was_heard_is_not_told_again, all_wires) {
  auto [client, server] = world.pair(half_open, half_open);
  client.on(event::error, [](const Error&) {});
  server.on(event::data, [](Chunk) {});
  client.end();
  client.write("late");
  world.run_until([&] { return client.destroyed(); });
  world.settle();
  error_code result;
  client.async_read([&](const error_code& code, Chunk) { result = code; });
  server.destroy();
  world.run();
  BOOST_TEST((result == Errc::closed));
}

BEHAVIOUR(B289_C9_unheard_it_is_logged_once_when_nobody_can_hear_it_any_more, all_wires) {
  enum class Way { last_handle, connect, context };
  for (const Way way : {Way::last_handle, Way::connect, Way::context}) {
    LogLines lines;
    auto own = std::make_unique<World>(Setting{world.wire(), world.reactor()});
    Socket socket = failed_socket(*own);
    lines.expect_none();  // somebody may still ask
    Server server(own->io());
    own->listen(server);
    switch (way) {
      case Way::last_handle: socket = {}; break;
      case Way::connect: own->connect(socket, server); break;
      case Way::context: own.reset(); break;
    }
    lines.expect_one("debug socket");
    socket = {};
    own.reset();
    lines.expect_none();
  }
}

BEHAVIOUR(B294_errors_of_libnet_s_own_name_operation_and_peer_awaited, all_wires) {
  auto [client, server] = world.pair(half_open, half_open);
  world.await([](Socket socket) -> asio::awaitable<void> {
    const auto text_of = [](auto operation) -> asio::awaitable<std::string> {
      try {
        co_await std::move(operation);
      } catch (const SystemError& failure) {
        co_return failure.what();
      }
      co_return "no failure";
    };
    std::string text = co_await text_of(socket.async_read(libnet::cancel_after(0s)));
    BOOST_TEST(text == "read" + whom(socket) + ": timed out");
    text = co_await text_of(socket.async_wait(event::timeout, libnet::cancel_after(0s)));
    BOOST_TEST(text == "wait" + whom(socket) + ": timed out");
    const auto listener = socket.on(event::data, [](Chunk) {});
    text = co_await text_of(socket.async_read());
    BOOST_TEST(text == "read" + whom(socket) + ": another consumer is already active");
    socket.off(listener);
    socket.destroy();
    text = co_await text_of(socket.async_write("x"));
    BOOST_TEST(text == "write" + whom(socket) + ": the socket was destroyed");
  }(client));
  server.destroy();
  world.run();
}

BEHAVIOUR(B294_the_text_of_an_error_of_the_program_s_is_printed, all_wires) {
  auto [client, server] = world.pair();
  std::string text;
  client.on(event::error, [&](const Error& error) { text = error.message(); });
  {
    const std::string reason = "no answer within the time that was agreed on";
    client.destroy(Error(Errc::timed_out, reason.c_str()));
  }
  server.destroy();
  world.run();
  BOOST_TEST(text == "no answer within the time that was agreed on: timed out");
}
