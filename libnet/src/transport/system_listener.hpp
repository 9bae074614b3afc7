#pragma once

#include <memory>
#include <optional>
#include <string>

#include "libnet/address.hpp"
#include "libnet/bound_socket.hpp"
#include "reactor/exclusive_watch.hpp"
#include "reactor/loop.hpp"
#include "transport/backlog_share.hpp"
#include "transport/network.hpp"

namespace libnet::transport {

/// A bound and listening descriptor, watched for connections: by the loop's reactor as long as it is the only one of its
/// socket in this process, then so that the kernel wakes one of all.
class SystemListener final : public Listener, private reactor::Watch, private BacklogShare::Owner {
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
  void pass_on() noexcept override;
  const std::optional<SocketAddress>& address() const noexcept override { return address_; }
  int native_handle() const noexcept override { return descriptor_; }
  error_code after_fork() override;

 private:
  error_code take(int descriptor, const std::string& path, const ListenerOptions& options);
  void on_ready() override;
  void look_at_backlog() override;
  error_code watch(int descriptor, bool beside_others) noexcept;
  void stop_watching() noexcept;
  bool may_wait() noexcept;
  bool is_unix() const noexcept { return address_ && address_->family() == Family::unix_path; }
  error_code none_waits();
  void close() noexcept;

  std::shared_ptr<reactor::Loop> loop_;
  Observer* observer_ = nullptr;
  int descriptor_ = -1;
  bool watched_ = false;
  std::shared_ptr<BacklogShare> share_;
  std::shared_ptr<reactor::ExclusiveWatch> exclusive_;  // in place of the reactor's watch, beside others
  std::optional<SocketAddress> address_;
  BoundSocket bound_;  // what the descriptor came from: it has the file of a Unix-domain socket
};

}  // namespace libnet::transport
