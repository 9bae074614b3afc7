#pragma once

#include <memory>
#include <optional>

#include "transport/memory_listener.hpp"

namespace libnet::transport {

/// One try to reach an address of an in-memory network.
class MemoryAttempt final : public Attempt, private BacklogWaiter, private reactor::Task, private reactor::Timer {
 public:
  /// @param delay  How long a connection is on its way, there and back; by the clock of the loop.
  MemoryAttempt(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<MemoryAddresses> addresses,
                std::shared_ptr<MemoryFaults> faults, const SocketAddress& target, AttemptOptions options,
                reactor::Duration delay);
  ~MemoryAttempt() override;

  void observe(Observer* observer) override { observer_ = observer; }
  error_code proceed(std::unique_ptr<Transport>& connected) override;
  const std::optional<SocketAddress>& local_address() const noexcept override { return local_; }
  bool failed_to_bind() const noexcept override { return failed_to_bind_; }

 private:
  enum class State : std::uint8_t { fresh, under_way, arrived };

  void on_timer() override;
  void on_backlog_changed() override { loop_->schedule(*this); }
  void run_task() override;
  void tell();
  error_code start();
  error_code knock(std::unique_ptr<Transport>& connected);
  error_code nobody_listens() const;
  std::unique_ptr<Transport> join(MemoryListener& listener);

  std::shared_ptr<reactor::Loop> loop_;
  std::shared_ptr<MemoryAddresses> addresses_;
  std::shared_ptr<MemoryFaults> faults_;
  const SocketAddress target_;
  const AttemptOptions options_;
  const reactor::Duration delay_;
  Observer* observer_ = nullptr;
  std::optional<SocketAddress> local_;  // bound by request
  bool failed_to_bind_ = false;
  MemoryAddresses::Route route_;
  State state_ = State::fresh;
};

}  // namespace libnet::transport
