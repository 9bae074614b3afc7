#include <stdexcept>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::error_code;

// Contract 12: an exception of a completion handler leaves run(), and what was due behind it is delivered by the next.

BEHAVIOUR(C12_an_exception_of_a_completion_handler_leaves_run_and_the_next_run_delivers_the_rest, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(server, "server");
  int completions = 0;
  client.async_write("a", [&](error_code, std::size_t) {
    ++completions;
    throw std::runtime_error("from a completion handler");
  });
  client.async_write("b", [&](error_code, std::size_t) { ++completions; });
  client.end();
  world.io().restart();
  BOOST_CHECK_THROW(world.io().run(), std::runtime_error);
  BOOST_TEST(completions == 1);
  world.io().run();
  BOOST_TEST(completions == 2);
  BOOST_TEST(recorder.received("server") == "ab");
  BOOST_TEST(recorder.count("server:close(false)") == 1u);
}

BEHAVIOUR(C12_an_event_that_was_due_behind_an_exception_is_delivered_by_the_next_run, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  client.pause();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  recorder.watch(server, "server", Recorder::Data::ignore);
  client.async_end([](error_code) { throw std::runtime_error("behind it: 'finish'"); });
  server.async_read([](error_code, const Chunk&) { throw std::runtime_error("behind it: 'end'"); });
  for (int i = 0; i < 2; ++i) {
    world.io().restart();
    BOOST_CHECK_THROW(world.io().run(), std::runtime_error);
  }
  world.settle();
  expect(recorder.of("client"), {"finish"});
  expect(recorder.of("server"), {"end"});
}

BEHAVIOUR(C12_a_close_that_was_due_behind_an_exception_is_delivered_by_the_next_run, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  client.async_wait(event::end, [](error_code) { throw std::runtime_error("behind it: 'close'"); });
  server.resume();
  client.end();
  world.io().restart();
  BOOST_CHECK_THROW(world.io().run(), std::runtime_error);
  world.io().restart();
  while (world.io().poll() != 0) {
  }
  expect(recorder.of("client"), {"finish", "end", "close(false)"});
  client.destroy();
  world.run();
}
