#pragma once

#include <optional>

#include "libnet/address.hpp"
#include "libnet/bound_socket.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/errc.hpp"
#include "reactor/loop.hpp"

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

  ListeningSocket(reactor::Loop& loop, Client& client) : loop_(loop), client_(client) {}
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
    int descriptor = -1;
    std::optional<SocketAddress> remote;  // the peer may have reset already: later nobody could tell
  };
  /// Takes one connection. `would_block` (then the client is told when that changes) or another code if there is none.
  error_code accept(Accepted& accepted);

  bool is_open() const noexcept { return descriptor_ >= 0; }
  int native_handle() const noexcept { return descriptor_; }
  const std::optional<SocketAddress>& address() const noexcept { return address_; }
  bool is_unix() const noexcept { return address_ && address_->family() == Family::unix_path; }

 private:
  void on_ready() override { client_.on_listener_ready(); }

  reactor::Loop& loop_;
  Client& client_;
  int descriptor_ = -1;
  std::optional<SocketAddress> address_;
  BoundSocket bound_;  // what the descriptor came from: it has the file of a Unix-domain socket
};

}  // namespace libnet::core
