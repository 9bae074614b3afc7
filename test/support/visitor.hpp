#pragma once

#include <memory>
#include <optional>
#include <string>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"
#include "transport/transport.hpp"

namespace libnet::test {

/// Who connects to a server without a Socket, at once and whether the loop runs or not; over any wire.
class Visitor {
 public:
  explicit Visitor(World& world) noexcept : world_(&world) {}

  /// Returns 0 or the error number.
  int connect(const SocketAddress& address);
  void send(const std::string& text);
  SocketAddress local_address() const;
  void close() noexcept;

 private:
  World* world_;
  std::optional<RawSocket> raw_;
  std::unique_ptr<transport::Transport> made_;
};

/// What a connect to `address` finds at this moment: 0 or the error number.
inline int probe(World& world, const SocketAddress& address) { return Visitor(world).connect(address); }

}  // namespace libnet::test
