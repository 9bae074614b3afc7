#pragma once

#include <memory>
#include <optional>

#include <sys/types.h>

#include "libnet/address.hpp"
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
  /// Stops listening at once; removes the file of a Unix-domain socket if it is still the one that was made.
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
  error_code bind_and_listen(const SocketAddress& address, const detail::ListenRequest& request);
  error_code bind(const SocketAddress& address);
  void note_address(const SocketAddress& asked);

  reactor::Loop& loop_;
  Client& client_;
  int descriptor_ = -1;
  std::optional<SocketAddress> address_;
  std::optional<std::pair<dev_t, ino_t>> file_;  // of a Unix-domain socket
};

}  // namespace libnet::core
