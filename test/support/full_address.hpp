#pragma once

#include <memory>
#include <optional>
#include <string>

#include "reactor/loop.hpp"
#include "support/behaviour.hpp"
#include "support/full_listener.hpp"
#include "support/visitor.hpp"
#include "support/world_network.hpp"

namespace libnet::test {

/// An IP address with a listener whose backlog is full, as FullListener, over any wire.
class FullAddress {
 public:
  explicit FullAddress(World& world, const std::string& address, std::uint16_t port = 0) : filler_(world) {
    if (!world.in_memory()) {
      kernel_.emplace(address, port);
      return;
    }
    const auto loop = reactor::Loop::of(world.io().get_executor());
    const auto where = SocketAddress::ip(address, port);
    const transport::ListenerOptions options{.bind = {}, .backlog = 0};
    failed_ = world.network().listen(loop, where, options, listener_) || filler_.connect(*listener_->address()) != 0;
  }

  bool failed() const { return kernel_ ? kernel_->failed() : failed_; }
  const SocketAddress& address() const { return kernel_ ? kernel_->address() : *listener_->address(); }

  /// Who waits is let in.
  void make_room() {
    if (kernel_) return kernel_->make_room();
    if (listener_->accept(taken_)) BOOST_FAIL("nobody fills the backlog");
  }

 private:
  std::optional<FullListener> kernel_;
  std::unique_ptr<transport::Listener> listener_;
  Visitor filler_;
  transport::Listener::Accepted taken_;
  bool failed_ = false;
};

}  // namespace libnet::test
