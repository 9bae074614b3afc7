#include <cerrno>
#include <filesystem>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"

using namespace libnet::test;
using libnet::Errc;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// Listening where another server does.

namespace {

namespace fs = std::filesystem;

}  // namespace

BEHAVIOUR(two_servers_share_a_descriptor, real_wires) {
  Server first(world.io());
  Recorder recorder;
  world.listen(first);
  Server second(world.io());
  recorder.watch(second, "second");
  second.listen(first, [&] { recorder.note("second:callback"); });
  BOOST_TEST((second.address() == first.address()));
  BOOST_TEST(second.native_handle() != first.native_handle());
  world.settle();
  expect(recorder.of("second"), {"listening", "callback"});
  expect_serving(world, second);
  expect_serving(world, first);
  const SocketAddress address = first.address().value();
  second.close();
  BOOST_TEST(probe(address) == 0);
  if (world.is_unix()) BOOST_TEST(fs::is_socket(address.address()));
  first.close();
  BOOST_TEST(probe(address) == (world.is_unix() ? ENOENT : ECONNREFUSED));
}

BEHAVIOUR(two_servers_share_a_descriptor_awaited, real_wires) {
  world.await([](World& here) -> asio::awaitable<void> {
    Server first = co_await libnet::async_listen(here.io(), here.listen_options());
    Server second(here.io());
    co_await second.async_listen(first);
    const libnet::ConnectOptions options = here.connect_options(first);
    const Socket one = co_await libnet::async_connect(here.io(), options);
    const Socket accepted_by_second = co_await second.async_accept();
    const Socket two = co_await libnet::async_connect(here.io(), options);
    const Socket accepted_by_first = co_await first.async_accept();
    BOOST_TEST((accepted_by_second.server() == second));
    BOOST_TEST((accepted_by_first.server() == first));
  }(world));
}

BEHAVIOUR(the_one_that_shares_goes_on_when_the_first_closes, tcp_wires) {
  Server first(world.io());
  world.listen(first);
  Server second(world.io());
  second.listen(first);
  first.close();
  expect_serving(world, second);
  const SocketAddress address = second.address().value();
  second.close();
  BOOST_TEST(probe(address) == ECONNREFUSED);
}

BEHAVIOUR(many_clients_are_shared_out_and_none_is_lost, real_wires) {
  Server first(world.io());
  Server second(world.io());
  std::size_t served = 0;
  for (Server* server : {&first, &second}) {
    server->on(event::connection, [&](Socket socket) {
      ++served;
      socket.end();
    });
  }
  world.listen(first);
  second.listen(first);
  std::vector<Socket> clients;
  std::size_t closed = 0;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back(world.io());
    clients.back().on(event::close, [&](bool had_error) { closed += had_error ? 1000 : 1; });
    world.connect(clients.back(), i % 2 == 0 ? first : second);
  }
  world.run_until([&] { return closed == clients.size(); });
  BOOST_TEST(served == clients.size());
}

BEHAVIOUR(sharing_with_a_server_that_does_not_listen_is_refused, real_wires) {
  Server idle(world.io());
  Server server(world.io());
  BOOST_TEST((thrown_by([&] { server.listen(idle); }) == Errc::invalid_handle));
  BOOST_TEST((thrown_by([&] { server.listen(server); }) == Errc::invalid_handle));
  world.listen(server);
  BOOST_TEST((thrown_by([&] { server.listen(server); }) == Errc::already_listening));
  world.await([](Server refused, Server other) -> asio::awaitable<void> {
    const auto [code] = co_await other.async_listen(refused, libnet::as_tuple);
    BOOST_TEST((code == Errc::invalid_handle));
  }(idle, Server(world.io())));
}
