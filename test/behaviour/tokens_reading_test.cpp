#include <string>

#include "support/tokens.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;

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

BEHAVIOUR(B206_a_failure, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    client.destroy();
    return failing_trial(Errc::destroyed, START(client.async_read(TOKEN), client = client, kept = server));
  });
}

BEHAVIOUR(B206_async_pipe, all_wires) {
  prove_with_every_token(world, [&world] {
    auto [client, server] = world.pair();
    auto [out, sink] = world.pair();
    server.end("hello");
    return trial(START(client.async_pipe(out, TOKEN), client = client, out = out),
                 [kept = server, sink = sink](std::uint64_t bytes) { BOOST_TEST(bytes == 5U); });
  });
}
