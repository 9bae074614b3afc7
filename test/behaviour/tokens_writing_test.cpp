
#include "support/tokens.hpp"

using namespace libnet::test;
using libnet::Errc;

// B206, B207: every operation of a connected socket with every kind of token.

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

BEHAVIOUR(B206_a_write_that_fails, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair({}, {.allow_half_open = true});
    client.on(event::error, [](const libnet::Error&) {});
    client.end();
    world.settle();
    return failing_trial(Errc::write_after_end, START(client.async_write("x", TOKEN), client = client, kept = server));
  });
}
