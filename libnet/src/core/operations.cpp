#include "core/operations.hpp"

#include <algorithm>

namespace libnet::detail {

void DeadlineDeleter::operator()(Deadline* deadline) const noexcept { delete deadline; }

}  // namespace libnet::detail

namespace libnet::core {

void watch_operation(Operation& operation, detail::OperationOwner& owner, reactor::Loop& loop) {
  const std::chrono::nanoseconds time_limit = operation.watch_cancellation(owner);
  if (time_limit == detail::no_time_limit) return;
  operation.deadline.reset(new detail::Deadline(owner, operation));
  loop.start(*operation.deadline,
             reactor::later(loop.precise_now(), std::max(time_limit, std::chrono::nanoseconds(0))));
}

void abandon_all(OperationList& list) noexcept {
  while (!list.empty()) list.pop_front().abandon();
}

}  // namespace libnet::core
