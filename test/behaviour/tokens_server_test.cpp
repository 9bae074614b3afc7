
#include "support/tokens.hpp"

using namespace libnet::test;
using libnet::Errc;
using libnet::Server;
using libnet::Socket;

// B206, B207: what a listening server does, with every kind of token.

BEHAVIOUR(B206_async_accept, all_wires) {
  const Server server = listening_server(world);
  prove_with_every_token(world, [&world, &server] {
    Socket client(world.io());
    world.connect(client, server);
    return trial(START(server.async_accept(TOKEN), server = server), [client, server](const Socket& accepted) {
      BOOST_TEST((accepted.server() == server));
      BOOST_TEST(accepted.allow_half_open());
    });
  });
}

BEHAVIOUR(B206_async_accept_that_fails, all_wires) {
  prove_with_every_token(world, [&world] {
    const Server server(world.io());
    return failing_trial(Errc::not_running, START(server.async_accept(TOKEN), server = server));
  });
}

BEHAVIOUR(B206_server_async_close, all_wires) {
  prove_with_every_token(world, [&world] {
    const Server server = listening_server(world);
    return trial(START(server.async_close(TOKEN), server = server),
                 [server = server] { BOOST_TEST(!server.listening()); });
  });
}

BEHAVIOUR(B206_server_async_close_that_fails, all_wires) {
  prove_with_every_token(world, [&world] {
    const Server server(world.io());
    return failing_trial(Errc::not_running, START(server.async_close(TOKEN), server = server));
  });
}

BEHAVIOUR(B206_server_async_wait, all_wires) {
  prove_with_every_token(world, [&world] {
    const Server server(world.io());
    const auto options = world.listen_options();
    auto listening = server;
    listening.listen(options);
    return trial(START(server.async_wait(event::listening, TOKEN), server = server),
                 [server = server] { BOOST_TEST(server.listening()); });
  });
}

BEHAVIOUR(B206_server_async_wait_with_arguments, real_wires) {
  prove_with_every_token(world, [&world] {
    Server server(world.io());
    server.serve([](Socket) -> asio::awaitable<void> {
      throw std::runtime_error("oops");
      co_return;
    });
    world.listen(server);
    Socket client(world.io());
    world.connect(client, server);
    return trial(START(server.async_wait(event::handler_error, TOKEN), server = server),
                 [client](const Socket& failed, const std::exception_ptr& failure) {
                   BOOST_TEST(failed.destroyed());
                   BOOST_CHECK_THROW(std::rethrow_exception(failure), std::runtime_error);
                 });
  });
}

BEHAVIOUR(B206_async_get_connections, all_wires) {
  prove_with_every_token(world, [&world] {
    const Server server = listening_server(world);
    return trial(START(server.async_get_connections(TOKEN), server = server),
                 [](std::size_t connections) { BOOST_TEST(connections == 0U); });
  });
}
