#pragma once

#include <memory>

#include "transport/network.hpp"

namespace libnet::transport {

/// The operating system's network: descriptors that a reactor watches, and getaddrinfo on threads.
class SystemNetwork final : public Network {
 public:
  error_code listen(const SharedLoop& loop, const SocketAddress& address, const ListenerOptions& options,
                    MadeListener& made) override;
  error_code listen(const SharedLoop& loop, const BoundSocket& bound, const ListenerOptions& options,
                    MadeListener& made) override;
  error_code listen(const SharedLoop& loop, int descriptor, const ListenerOptions& options,
                    MadeListener& made) override;
  std::unique_ptr<Attempt> connect(const SharedLoop& loop, const SocketAddress& address,
                                   const AttemptOptions& options) override;
  error_code adopt(const SharedLoop& loop, int descriptor, Adopted& adopted) override;
  void lookup(reactor::Loop& loop, std::string_view host, const LookupOptions& options, LookupAnswer answer) override;
};

/// The one that all loops share: it has no state.
std::shared_ptr<Network> system_network() noexcept;

}  // namespace libnet::transport
