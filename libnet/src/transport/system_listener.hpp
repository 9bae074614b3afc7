#pragma once

#include <memory>
#include <optional>
#include <string>

#include "libnet/address.hpp"
#include "libnet/bound_socket.hpp"
#include "reactor/loop.hpp"
#include "transport/network.hpp"

namespace libnet::transport {

/// A bound and listening descriptor, watched for connections.
class SystemListener final : public Listener, private reactor::Watch {
 public:
  explicit SystemListener(std::shared_ptr<reactor::Loop> loop) noexcept : loop_(std::move(loop)) {}
  /// The file of a Unix-domain socket goes too, if it is still the one that was made and nobody else has a handle of its
  /// BoundSocket.
  ~SystemListener() override { close(); }

  /// Binds and listens. A stale Unix-domain socket file is replaced. One of these is called, once.
  error_code open(const SocketAddress& address, const ListenerOptions& options);
  /// Listens on a socket that is there already and takes its descriptor, unless that fails.
  error_code open(const BoundSocket& bound, const ListenerOptions& options);
  error_code open(int descriptor, const ListenerOptions& options);

  void observe(Observer* observer) override { observer_ = observer; }
  error_code accept(Accepted& accepted) override;
  const std::optional<SocketAddress>& address() const noexcept override { return address_; }
  int native_handle() const noexcept override { return descriptor_; }
  error_code after_fork() override { return loop_->reactor().watch_again(*this); }

 private:
  error_code take(int descriptor, const std::string& path, const ListenerOptions& options);
  void on_ready() override;
  bool is_unix() const noexcept { return address_ && address_->family() == Family::unix_path; }
  error_code none_waits();
  void close() noexcept;

  std::shared_ptr<reactor::Loop> loop_;
  Observer* observer_ = nullptr;
  int descriptor_ = -1;
  std::optional<SocketAddress> address_;
  BoundSocket bound_;  // what the descriptor came from: it has the file of a Unix-domain socket
};

}  // namespace libnet::transport
