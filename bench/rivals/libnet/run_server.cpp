#include <libnet/server.hpp>

#include <boost/asio/io_context.hpp>

#include <exception>

#include "common/rival.hpp"
#include "servers.hpp"

namespace event = libnet::event;

void run_server(const Choices& choices, const Start& by_listeners, const Start& by_coroutines) {
  run_server(choices, {}, by_listeners, by_coroutines);
}

void run_server(const Choices& choices, libnet::SocketOptions accepted, const Start& by_listeners,
                const Start& by_coroutines) {
  boost::asio::io_context context(1);
  libnet::use_reactor(context, choices.reactor);
  accepted.no_delay = true;
  libnet::Server server(context, {.socket = accepted});
  // A peer that resets its connection ends its coroutine, and is no news here.
  server.on(event::handler_error, [](const libnet::Socket&, const std::exception_ptr&) {});
  const Start& start = choices.awaits ? by_coroutines : by_listeners;
  start(server);
  server.listen({.host = "127.0.0.1", .port = 0, .backlog = bench::backlog});
  bench::announce(server.address().value().port());
  context.run();
}
