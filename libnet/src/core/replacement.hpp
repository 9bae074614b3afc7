#pragma once

#include <memory>
#include <string>

#include "transport/transport.hpp"

namespace libnet::core {

/// Makes the transport that takes the place of a connection's present one. Until then it stands in the write queue as a
/// barrier: all that was written before leaves through the old transport first.
class Replacement {
 public:
  virtual ~Replacement() = default;

  /// Called once, when all that was written before has wholly left `transport`, which has no observer any more.
  /// @param transport  In: the old one, to be wrapped or given up. Out: the new one; if this throws, one that may be closed.
  /// @param unread     In: input that nobody took, also what was put back: the new transport reads it first. Out: what is
  ///                   to be delivered before what the new transport gives; an encoding applies to it.
  virtual void replace(std::unique_ptr<transport::Transport>& transport, std::string& unread) = 0;
};

}  // namespace libnet::core
