#pragma once

#include <libnet/address.hpp>

#include <optional>

namespace libnet {

/// A connection that a server refused because it has `max_connections` already. Unix-domain sockets have no addresses.
struct DropInfo {
  std::optional<SocketAddress> local_address{};
  std::optional<SocketAddress> remote_address{};
};

}  // namespace libnet
