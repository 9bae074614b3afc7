#pragma once

#include <libnet/address.hpp>
#include <libnet/error.hpp>

#include <cstdint>
#include <optional>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// Why a server closed a connection that it had accepted, without handing it out. So far only `max_connections` occurs: the
/// others are for what can stand between accepting and handing out, which no public call asks for yet.
enum class DropReason : std::uint8_t {
  max_connections,  ///< The server has `max_connections` already.
  timed_out,        ///< It was not ready to be handed out in time.
  failed,           ///< What had to come before it is handed out failed; DropInfo::error says why.
  closing,          ///< The server closed, and nobody is left to whom it could be handed out.
};

/// A connection that a server accepted and closed again. Unix-domain sockets have no addresses.
struct DropInfo {
  std::optional<SocketAddress> local_address{};
  std::optional<SocketAddress> remote_address{};
  DropReason reason = DropReason::max_connections;
  Error error{};  ///< What happened; no error if the reason is `max_connections`.
};

}  // namespace libnet

#pragma GCC visibility pop
