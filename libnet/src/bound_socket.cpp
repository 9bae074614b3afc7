#include "libnet/bound_socket.hpp"

#include "libnet/error.hpp"
#include "transport/binding.hpp"

namespace libnet {

BoundSocket::BoundSocket(const SocketAddress& address, const BindOptions& options) {
  if (const error_code code = transport::Binding::bind(address, options, *this)) {
    throw SystemError(Error(code, ErrorInfo{.operation = "bind", .local_address = &address}));
  }
}

std::optional<SocketAddress> BoundSocket::address() const {
  return binding_ != nullptr ? binding_->address() : std::nullopt;
}

int BoundSocket::native_handle() const noexcept { return binding_ != nullptr ? binding_->descriptor() : -1; }

void BoundSocket::close() noexcept {
  if (binding_ != nullptr) binding_->close();
}

}  // namespace libnet
