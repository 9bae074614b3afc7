#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::error_code;
using libnet::Socket;
using libnet::SocketOptions;

// Contracts 8 and 12: a connection that its own user made fail, while the peer's last bytes and its end are unread.

namespace {

/// Wrote after its own end: nothing that a transport reported.
struct WroteAfterEnd {
  explicit WroteAfterEnd(World& world, SocketOptions options = {}) {
    options.allow_half_open = true;
    auto pair = world.pair(options);
    socket = pair.client;
    socket.pause();
    recorder.watch(socket, "socket");
    pair.server.end("last line");
    world.settle();
    socket.end();
    world.run_until([this] { return recorder.count("socket:finish") == 1; });
    error_code result;
    socket.write("too late", [&](const error_code& code) { result = code; });
    world.run_until([&] { return result == Errc::write_after_end; });
    world.settle();
    BOOST_TEST(recorder.log().size() == 1U);
    BOOST_TEST(!socket.destroyed());
  }

  Socket socket;
  Recorder recorder;
};

}  // namespace

BEHAVIOUR(C8_the_end_behind_the_last_bytes_does_not_cover_the_error, all_wires) {
  WroteAfterEnd failing(world);
  failing.socket.resume();
  world.run();
  const Log expected{"finish", "data(9)", "error(ERR_WRITE_AFTER_END)", "close(true)"};
  BOOST_TEST(failing.recorder.of("socket") == expected, per_element);
}

BEHAVIOUR(C8_the_end_behind_the_last_bytes_does_not_cover_the_error_awaited, all_wires) {
  WroteAfterEnd failing(world);
  failing.socket.remove_all(event::data);
  world.await([](Socket socket) -> asio::awaitable<void> {
    const Chunk line = co_await socket.async_read();
    BOOST_TEST(line.to_string() == "last line");
    const auto [code, nothing] = co_await socket.async_read(libnet::as_tuple);
    BOOST_TEST(code == Errc::write_after_end);  // no empty chunk: that would be a clean end
    BOOST_TEST(nothing.empty());
  }(failing.socket));
  world.run();
  BOOST_TEST(failing.recorder.count("socket:end") == 0U);
}

BEHAVIOUR(C12_a_paused_socket_that_fails_counts_until_it_closed, all_wires) {
  WroteAfterEnd failing(world, {.linger_time = 20ms});
  world.run();
  const Log expected{"finish", "error(ERR_WRITE_AFTER_END)", "close(true)"};
  BOOST_TEST(failing.recorder.of("socket") == expected, per_element);
}
