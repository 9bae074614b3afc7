#include <array>
#include <string>

#include "support/tokens.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Socket;

// B206, B207: every operation of a connected socket with every kind of token.

BEHAVIOUR(B206_async_read, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    server.write("hello");
    return trial(START(client.async_read(TOKEN), client = client),
                 [kept = server](Chunk chunk) { BOOST_TEST(chunk == "hello"); });
  });
}

BEHAVIOUR(B206_async_read_some, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    server.write("hello");
    const auto bytes = std::make_shared<std::string>(8, '.');
    return trial(START(client.async_read_some(asio::buffer(*bytes), TOKEN), client = client, bytes),
                 [kept = server, bytes](std::size_t size) {
                   BOOST_TEST(size == 5U);
                   BOOST_TEST(*bytes == "hello...");
                 });
  });
}

BEHAVIOUR(B206_async_write, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    return trial(START(client.async_write("hello", TOKEN), client = client),
                 [kept = server](std::size_t size) { BOOST_TEST(size == 5U); });
  });
}

BEHAVIOUR(B206_async_write_some, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    return trial(START(client.async_write_some(asio::buffer("hello", 5), TOKEN), client = client),
                 [kept = server](std::size_t size) { BOOST_TEST(size == 5U); });
  });
}

BEHAVIOUR(B206_async_drain, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    return trial(START(client.async_drain(TOKEN), client = client), [kept = server] {});
  });
}

BEHAVIOUR(B206_async_drain_that_waits, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair({.high_water_mark = 1});
    client.cork();
    BOOST_TEST(!client.write("hello"));
    client.uncork();
    return trial(START(client.async_drain(TOKEN), client = client), [kept = server] {});
  });
}

BEHAVIOUR(B206_async_end, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair({}, {.allow_half_open = true});
    return trial(START(client.async_end(TOKEN), client = client), [kept = server, client = client] {
      BOOST_TEST((client.ready_state() == libnet::ReadyState::read_only));
    });
  });
}

BEHAVIOUR(B206_async_end_with_data, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    return trial(START(client.async_end("hello", TOKEN), client = client),
                 [kept = server, client = client] { BOOST_TEST(client.bytes_written() == 5U); });
  });
}

BEHAVIOUR(B206_async_close, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    server.resume();
    return trial(START(client.async_close(TOKEN), client = client),
                 [kept = server, client = client] { BOOST_TEST(client.destroyed()); });
  });
}

BEHAVIOUR(B206_async_wait, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    server.end();
    return trial(START(client.async_wait(event::end, TOKEN), client = client), [kept = server] {});
  });
}

BEHAVIOUR(B206_async_wait_with_an_argument, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    client.destroy();
    return trial(START(client.async_wait(event::close, TOKEN), client = client),
                 [kept = server](bool had_error) { BOOST_TEST(!had_error); });
  });
}

BEHAVIOUR(B206_a_failure, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    client.destroy();
    return failing_trial(Errc::destroyed, START(client.async_read(TOKEN), client = client, kept = server));
  });
}

BEHAVIOUR(B206_a_write_that_fails, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair({}, {.allow_half_open = true});
    client.on(event::error, [](const libnet::Error&) {});
    client.end();
    world.settle();
    return failing_trial(Errc::write_after_end, START(client.async_write("x", TOKEN), client = client, kept = server));
  });
}
