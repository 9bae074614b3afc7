
#include "support/tokens.hpp"

using namespace libnet::test;

// B206, B207: every operation of a connected socket with every kind of token.

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
