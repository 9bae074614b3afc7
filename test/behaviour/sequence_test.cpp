#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Socket;

// Whole event sequences of the simplest lives of a connection.

BEHAVIOUR(B148_end_then_auto_end_then_finish_then_close, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  client.end("hello");
  world.run();
  const std::vector<std::string> expected_server{"data(5)", "end", "finish", "close(false)"};
  const std::vector<std::string> expected_client{"finish", "end", "close(false)"};
  BOOST_TEST(recorder.of("server") == expected_server, per_element);
  BOOST_TEST(recorder.of("client") == expected_client, per_element);
  BOOST_TEST(recorder.received("server") == "hello");
}

BEHAVIOUR(B151_R6_half_open_answer_after_the_end_awaited, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  world.spawn([](Socket peer) -> asio::awaitable<void> {
    std::string question;
    while (const Chunk chunk = co_await peer.async_read()) question += chunk;
    co_await peer.async_write(question + "!");
    co_await peer.async_end();
  }(server));
  world.await([](Socket socket) -> asio::awaitable<void> {
    co_await socket.async_write("why");
    co_await socket.async_end();
    std::string answer;
    while (const Chunk chunk = co_await socket.async_read()) answer += chunk;
    BOOST_TEST(answer == "why!");
  }(client));
  world.run();
}
