#include "support/visitor.hpp"

#include "reactor/loop.hpp"
#include "support/world_network.hpp"

namespace libnet::test {

int Visitor::connect(const SocketAddress& address) {
  if (!world_->in_memory()) return raw_.emplace(address.family()).connect(address);
  const auto loop = reactor::Loop::of(world_->io().get_executor());
  return world_->network().connect(loop, address, {})->proceed(made_).value();
}

void Visitor::send(const std::string& text) {
  if (raw_) return raw_->send(text);
  const iovec piece{const_cast<char*>(text.data()), text.size()};
  if (made_->try_write({&piece, 1}).bytes != text.size()) BOOST_FAIL("the visitor cannot send");
}

SocketAddress Visitor::local_address() const { return raw_ ? raw_->local_address() : made_->local_address().value(); }

void Visitor::close() noexcept {
  raw_.reset();
  made_.reset();
}

}  // namespace libnet::test
