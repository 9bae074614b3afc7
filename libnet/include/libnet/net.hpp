#pragma once

/// Everything of libnet but its optional parts.
#include <libnet/auto_select_family.hpp>
#include <libnet/block_list.hpp>
#include <libnet/bound_socket.hpp>
#include <libnet/connect.hpp>
#include <libnet/log.hpp>
#include <libnet/reactor.hpp>
#include <libnet/server.hpp>
#include <libnet/socket.hpp>
