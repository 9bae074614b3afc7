#pragma once

#include "libnet/detail/operation.hpp"
#include "libnet/detail/recycling.hpp"
#include "reactor/loop.hpp"

namespace libnet::detail {

/// Ends one waiting operation with Errc::timed_out.
class Deadline final : public reactor::Timer, public Recycled {
 public:
  Deadline(OperationOwner& owner, Operation& operation) : owner_(owner), operation_(operation) {}

  void on_timer() override { owner_.cancel(operation_, asio::cancellation_type::terminal, Errc::timed_out); }

 private:
  OperationOwner& owner_;
  Operation& operation_;
};

}  // namespace libnet::detail
