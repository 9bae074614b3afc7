#include <libnet/connect.hpp>
#include <libnet/server.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "servers.hpp"

namespace event = libnet::event;

namespace {

/// Where one side fails, the other has nobody to talk to.
void pipe(libnet::Socket from, libnet::Socket to) {
  from.pipe(to);
  from.on(event::error, [to](const libnet::Error&) mutable { to.destroy(); });
}

void relay_by_listeners(libnet::Socket client, std::uint16_t upstream) {
  libnet::Socket server(client.get_executor(), {.allow_half_open = true, .no_delay = true});
  server.connect(upstream, "127.0.0.1");
  pipe(client, server);
  pipe(server, client);
}

boost::asio::awaitable<void> relay(libnet::Socket client, std::uint16_t upstream) {
  using boost::asio::experimental::awaitable_operators::operator&&;
  auto server = co_await libnet::async_connect(client.get_executor(), {.host = "127.0.0.1", .port = upstream},
                                               {.no_delay = true});
  co_await (client.async_pipe(server) && server.async_pipe(client));
}

}  // namespace

void serve_relay(const Choices& choices, std::uint16_t upstream) {
  const auto listen = [upstream](libnet::Socket client) { relay_by_listeners(std::move(client), upstream); };
  const auto await = [upstream](libnet::Socket client) { return relay(std::move(client), upstream); };
  run_server(
      choices, {.allow_half_open = true}, [&](libnet::Server& server) { server.on(event::connection, listen); },
      [&](libnet::Server& server) { server.serve(await); });
}
