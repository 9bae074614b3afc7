#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>

#include "libnet/detail/intrusive_list.hpp"
#include "transport/fault.hpp"
#include "transport/memory_addresses.hpp"
#include "transport/memory_transport.hpp"
#include "transport/network.hpp"

namespace libnet::transport {

/// What goes wrong in an in-memory network, by the choice of a test: the n-th call of a kind.
struct MemoryFaults {
  Fault listen;
  Fault accept;  ///< Of those that would have taken a connection; it stays in the backlog.
  Fault connect;
  Fault lookup;
};

/// Somebody who waits for room in a backlog.
class BacklogWaiter : public detail::ListNode<BacklogWaiter> {
 public:
  /// There may be room, or nobody listens any more.
  virtual void on_backlog_changed() = 0;

 protected:
  ~BacklogWaiter() = default;
};

/// Takes the connections to one address of an in-memory network.
class MemoryListener final : public Listener, private reactor::Task {
 public:
  MemoryListener(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<MemoryAddresses> addresses,
                 std::shared_ptr<MemoryFaults> faults, int backlog) noexcept;
  /// Resets what waits in the backlog.
  ~MemoryListener() override;

  error_code open(const SocketAddress& address, const BindOptions& options);

  void observe(Observer* observer) override { observer_ = observer; }
  error_code accept(Accepted& accepted) override;
  const std::optional<SocketAddress>& address() const noexcept override { return address_; }

  const std::shared_ptr<reactor::Loop>& loop() const noexcept { return loop_; }
  /// As Linux has it: one more than was asked for.
  bool has_room() const noexcept { return backlog_.size() <= most_waiting_; }
  /// Puts a connection into the backlog.
  void arrive(Accepted connection);
  void wait_for_room(BacklogWaiter& waiter) noexcept { waiters_.push_back(waiter); }

 private:
  void run_task() override;
  void wake_waiters();

  std::shared_ptr<reactor::Loop> loop_;
  std::shared_ptr<MemoryAddresses> addresses_;
  std::shared_ptr<MemoryFaults> faults_;
  std::size_t most_waiting_;
  std::optional<SocketAddress> address_;
  std::deque<Accepted> backlog_;
  detail::List<BacklogWaiter> waiters_;
  Observer* observer_ = nullptr;
  bool awaited_ = false;
};

}  // namespace libnet::transport
