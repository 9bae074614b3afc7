#pragma once

#include <memory>
#include <optional>

#include "libnet/address.hpp"
#include "libnet/block_list.hpp"
#include "libnet/bound_socket.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/errc.hpp"
#include "reactor/loop.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

/// A bound and listening descriptor, watched for connections.
class ListeningSocket final : private reactor::Watch {
 public:
  class Client {
   public:
    /// Inside the loop: a connection may wait.
    virtual void on_listener_ready() = 0;

   protected:
    ~Client() = default;
  };

  ListeningSocket(std::shared_ptr<reactor::Loop> loop, Client& client) : loop_(std::move(loop)), client_(client) {}
  ~ListeningSocket() override { close(); }

  /// Binds and listens. A stale Unix-domain socket file is replaced.
  error_code open(const SocketAddress& address, const detail::ListenRequest& request);
  /// Listens on a socket that is there already and takes its descriptor, unless that fails.
  error_code open(const BoundSocket& bound, const detail::ListenRequest& request);
  error_code open(int descriptor, const detail::ListenRequest& request);
  /// Stops listening at once. The file of a Unix-domain socket goes too, if it is still the one that was made and nobody
  /// else has a handle of its BoundSocket.
  void close() noexcept;

  struct Accepted {
    std::unique_ptr<transport::Transport> transport;  // started
    std::optional<SocketAddress> remote;              // the peer may have reset already: later nobody could tell
  };
  /// Takes one connection.
  /// Errors: operation_would_block if none waits (then the client is told when that changes); Errc::ip_blocked if the
  /// peer is one of `refused`, which may be null: the connection is closed; others: none was taken.
  error_code accept(Accepted& accepted, const BlockList* refused);

  bool is_open() const noexcept { return descriptor_ >= 0; }
  int native_handle() const noexcept { return descriptor_; }
  const std::optional<SocketAddress>& address() const noexcept { return address_; }
  bool is_unix() const noexcept { return address_ && address_->family() == Family::unix_path; }

 private:
  void on_ready() override { client_.on_listener_ready(); }

  std::shared_ptr<reactor::Loop> loop_;
  Client& client_;
  int descriptor_ = -1;
  std::optional<SocketAddress> address_;
  BoundSocket bound_;  // what the descriptor came from: it has the file of a Unix-domain socket
};

}  // namespace libnet::core
