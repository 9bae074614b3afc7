#pragma once

#include <libnet/address.hpp>
#include <libnet/options.hpp>

#include <memory>
#include <optional>

namespace libnet::transport {
class Binding;  // not exported
}

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// A stream socket that has its address but does nothing with it yet: bound now, adopted later by a server that listens
/// on it (`ListenOptions::bound`) or by a socket that connects from it (`ConnectOptions::bound`).
///
/// A cheap handle to shared state: copies mean the same socket, and whoever adopts it keeps one. Two things belong to it:
///
/// * The descriptor. It is closed by `close()` and when the last handle goes, until it is adopted: then it is the
///   adopter's, who closes it as it closes its own. It can be adopted once; again it is Errc::invalid_handle. Listening or
///   connecting that fails before the descriptor was used leaves it here.
/// * The socket file of a Unix path, for good: an adopter does not remove it. `close()` does, or else the last handle,
///   those of adopters included, provided that the path still leads to that very file. So the file outlives a server that
///   closes before the BoundSocket does, and a server that was given a temporary removes it as it closes.
///
/// Needs no io_context. Thread safety: none.
/// Source: Node net `net.BoundSocket`; bind(2).
class BoundSocket {
 public:
  /// No socket.
  BoundSocket() noexcept = default;

  /// Binds.
  ///
  /// @param address  An IP address, with port 0 for one that the system picks, or a Unix path. A stale socket file is
  ///                 replaced, as `Server::listen` does. An empty path stands for a name in the abstract namespace that
  ///                 the system picks.
  /// @throws SystemError: system errors of bind(2); EINVAL for a path that is too long. Its `operation()` is "bind".
  explicit BoundSocket(const SocketAddress& address, const BindOptions& options = {});

  /// Where it is bound, also after it was adopted; nothing after `close()`.
  [[nodiscard]] std::optional<SocketAddress> address() const;
  /// The descriptor, or -1 once it is adopted or closed. It stays this object's.
  [[nodiscard]] int native_handle() const noexcept;
  /// Gives the address up: closes the descriptor unless it was adopted, and removes the file of a Unix path. An adopter
  /// goes on, but nobody finds it by that path any more. Harmless when repeated.
  void close() noexcept;

  friend bool operator==(const BoundSocket& left, const BoundSocket& right) noexcept {
    return left.binding_ == right.binding_;
  }

 private:
  friend class transport::Binding;

  explicit BoundSocket(std::shared_ptr<transport::Binding> binding) noexcept : binding_(std::move(binding)) {}

  std::shared_ptr<transport::Binding> binding_;
};

}  // namespace libnet

#pragma GCC visibility pop
