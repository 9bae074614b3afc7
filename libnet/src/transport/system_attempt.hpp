#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "libnet/address.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/error.hpp"
#include "reactor/loop.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

/// One try to reach one address: a socket that connects. Destroying it gives up.
class ConnectAttempt final : private reactor::Watch, private reactor::Timer {
 public:
  class Client {
   public:
    /// Inside the loop: `proceed()` may find something new.
    virtual void on_attempt_ready() = 0;

   protected:
    ~Client() = default;
  };

  /// @param request  Says what to bind to; outlives the attempt.
  ConnectAttempt(std::shared_ptr<reactor::Loop> loop, const SocketAddress& address,
                 const detail::ConnectRequest& request, Client& client);
  ~ConnectAttempt() override;

  /// Starts the attempt, or looks what has become of it.
  /// Errors: `operation_in_progress` while it runs; none: it is connected; others: it failed.
  error_code proceed();

  /// The connected socket. `error` tells if it cannot be used after all.
  std::unique_ptr<transport::Transport> take_transport(error_code& error);

  const SocketAddress& address() const noexcept { return address_; }
  /// An error of this attempt.
  Error describe(const error_code& code) const;

 private:
  void on_ready() override;
  void on_timer() override { client_.on_attempt_ready(); }
  error_code open();
  error_code open_bound();
  error_code bind_local();
  error_code connect();
  error_code result();
  error_code retry_later();
  void close() noexcept;

  std::shared_ptr<reactor::Loop> loop_;
  const SocketAddress address_;
  const detail::ConnectRequest& request_;
  Client& client_;
  int descriptor_ = -1;
  std::optional<SocketAddress> local_;  // bound by request
  std::chrono::milliseconds retry_delay_{1};
};

}  // namespace libnet::core
