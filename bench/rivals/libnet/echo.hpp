#pragma once

#include <libnet/socket.hpp>

#include <boost/asio/awaitable.hpp>

void echo_by_listeners(libnet::Socket socket);
boost::asio::awaitable<void> echo(libnet::Socket socket);
