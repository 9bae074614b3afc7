#pragma once

/// Everything of libnet but its optional parts.
#include <libnet/connect.hpp>
#include <libnet/reactor.hpp>
#include <libnet/server.hpp>
#include <libnet/socket.hpp>
