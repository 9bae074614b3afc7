#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "libnet/address.hpp"
#include "reactor/loop.hpp"
#include "transport/network.hpp"

namespace libnet::transport {

/// A descriptor that connects.
class SystemAttempt final : public Attempt, private reactor::Watch, private reactor::Timer {
 public:
  SystemAttempt(std::shared_ptr<reactor::Loop> loop, const SocketAddress& address, AttemptOptions options);
  ~SystemAttempt() override;

  void observe(Observer* observer) override { observer_ = observer; }
  error_code proceed(std::unique_ptr<Transport>& connected) override;
  const std::optional<SocketAddress>& local_address() const noexcept override { return local_; }
  bool failed_to_bind() const noexcept override { return failed_to_bind_; }
  error_code after_fork() override;

 private:
  void on_ready() override { tell(); }
  void on_timer() override { tell(); }
  void tell();
  bool is_unix() const noexcept { return address_.family() == Family::unix_path; }
  error_code start();
  error_code open();
  error_code open_bound();
  error_code bind_local();
  void note_picked_port();
  error_code result();
  error_code connect_again() const;
  error_code retry_later();
  error_code make_transport(std::unique_ptr<Transport>& connected);
  void close() noexcept;

  std::shared_ptr<reactor::Loop> loop_;
  const SocketAddress address_;
  const AttemptOptions options_;
  Observer* observer_ = nullptr;
  int descriptor_ = -1;
  int ended_with_ = 0;                  // an errno, if the connection was over before anybody looked
  bool inherited_ = false;              // the parent process connects with it too
  std::optional<SocketAddress> local_;  // bound by request
  bool failed_to_bind_ = false;
  std::chrono::milliseconds retry_delay_{1};
};

}  // namespace libnet::transport
