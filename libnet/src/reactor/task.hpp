#pragma once

#include "libnet/detail/intrusive_list.hpp"

namespace libnet::reactor {

using detail::List;
using detail::ListNode;

/// Something that is due: an element of the ready list. It must not be destroyed while `queued()`.
class Task : public ListNode<Task> {
 public:
  virtual void run_task() = 0;
  bool queued() const noexcept { return linked(); }

 protected:
  ~Task() = default;
};

}  // namespace libnet::reactor
