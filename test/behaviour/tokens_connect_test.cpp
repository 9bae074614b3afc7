
#include "support/tokens.hpp"

using namespace libnet::test;
using libnet::Server;
using libnet::Socket;

// B206, B207: everything that connects and listens, with every kind of token.

BEHAVIOUR(B206_async_connect, all_wires) {
  const Server server = listening_server(world);
  prove_with_every_token(world, [&world, &server] {
    const Socket socket(world.io());
    const auto options = world.connect_options(server);
    return trial(START(socket.async_connect(options, TOKEN), socket = socket, options),
                 [socket = socket] { BOOST_TEST((socket.ready_state() == libnet::ReadyState::open)); });
  });
}

BEHAVIOUR(B206_async_connect_that_fails, all_wires) {
  prove_with_every_token(world, [&world] {
    const Socket socket(world.io());
    const auto options = world.refusing_options();
    const auto code =
        world.is_unix() ? boost::system::errc::no_such_file_or_directory : boost::system::errc::connection_refused;
    return failing_trial({code, boost::system::system_category()},
                         START(socket.async_connect(options, TOKEN), socket = socket, options));
  });
}

BEHAVIOUR(B206_free_async_connect, all_wires) {
  const Server server = listening_server(world);
  prove_with_every_token(world, [&world, &server] {
    const auto options = world.connect_options(server);
    return trial(START(libnet::async_connect(world.io(), options, TOKEN), &world, options), [](const Socket& socket) {
      BOOST_TEST((socket.ready_state() == libnet::ReadyState::open));
      BOOST_TEST(socket.allow_half_open());
    });
  });
}

BEHAVIOUR(B206_free_async_connect_with_socket_options, all_wires) {
  const Server server = listening_server(world);
  prove_with_every_token(world, [&world, &server] {
    const auto options = world.connect_options(server);
    return trial(START(libnet::async_connect(world.io(), options, libnet::SocketOptions{.high_water_mark = 7}, TOKEN),
                       &world, options),
                 [](const Socket& socket) { BOOST_TEST(socket.high_water_mark() == 7U); });
  });
}

BEHAVIOUR(B206_async_listen, all_wires) {
  prove_with_every_token(world, [&world] {
    const Server server(world.io());
    const auto options = world.listen_options();
    return trial(START(server.async_listen(options, TOKEN), server = server, options),
                 [server = server] { BOOST_TEST(server.listening()); });
  });
}

BEHAVIOUR(B206_async_listen_that_fails, all_wires) {
  const Server first = listening_server(world);
  prove_with_every_token(world, [&world, &first] {
    const Server server(world.io());
    const auto taken = world.connect_options(first);
    const libnet::ListenOptions options{.host = taken.host, .port = taken.port, .path = taken.path};
    return failing_trial({EADDRINUSE, boost::system::system_category()},
                         START(server.async_listen(options, TOKEN), server = server, options));
  });
}

BEHAVIOUR(B206_free_async_listen, all_wires) {
  prove_with_every_token(world, [&world] {
    const auto options = world.listen_options();
    return trial(START(libnet::async_listen(world.io(), options, TOKEN), &world, options),
                 [](const Server& server) { BOOST_TEST(server.listening()); });
  });
}

BEHAVIOUR(B206_free_async_listen_with_server_options, all_wires) {
  prove_with_every_token(world, [&world] {
    const auto options = world.listen_options();
    return trial(
        START(libnet::async_listen(world.io(), options, libnet::ServerOptions{.socket = {.no_delay = true}}, TOKEN),
              &world, options),
        [](const Server& server) { BOOST_TEST(server.address().has_value()); });
  });
}
