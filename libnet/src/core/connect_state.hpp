#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/connector.hpp"
#include "libnet/bound_socket.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/listener_id.hpp"

namespace libnet::core {

/// What only a socket that connects has.
struct ConnectState {
  bool has_news() const noexcept { return connector && connector->has_news(); }
  /// The connection is over; what was attempted can still be asked for.
  void give_up() noexcept {
    connector.reset();
    source.reset();
  }

  /// In a child process.
  error_code after_fork() { return connector ? connector->after_fork() : error_code(); }

  std::unique_ptr<Connector> connector;
  std::optional<BoundSocket> source;   ///< What it connects from, or did: its file lasts as long.
  std::vector<std::string> attempted;  ///< None if no choice of addresses was wanted.
  std::uint64_t written_before = 0;    ///< [bytes] before the connection was there.
  bool resets_when_connected = false;  ///< `reset` was called meanwhile.
  std::stop_token stop;                ///< Of the request; counts until 'connect'.
  std::optional<ListenerId> callback;  ///< Given to `connect`, until it was called.
};

/// @throws SystemError for what the caller could have checked.
void check_connect_request(const detail::ConnectRequest& request);

/// A socket that is bound already serves for one attempt, at an address of its own family.
void prefer_source_family(detail::ConnectRequest& request);

}  // namespace libnet::core
