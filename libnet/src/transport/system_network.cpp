#include "transport/system_network.hpp"

#include <utility>

#include "transport/binding.hpp"
#include "transport/descriptor_transport.hpp"
#include "transport/socket_calls.hpp"
#include "transport/system_attempt.hpp"
#include "transport/system_listener.hpp"

namespace libnet::transport {

namespace {

template <class Where>
error_code open_listener(const Network::SharedLoop& loop, const Where& where, const ListenerOptions& options,
                         Network::MadeListener& made) {
  auto listener = std::make_unique<SystemListener>(loop);
  const error_code code = listener->open(where, options);
  if (!code) made = std::move(listener);
  return code;
}

/// A transport that gives its descriptor back open, unless it is taken out.
struct Lent {
  explicit Lent(std::unique_ptr<DescriptorTransport> made) noexcept : transport(std::move(made)) {}
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  ~Lent() {
    if (transport) transport->release();
  }

  std::unique_ptr<DescriptorTransport> transport;
};

}  // namespace

error_code SystemNetwork::listen(const SharedLoop& loop, const SocketAddress& address, const ListenerOptions& options,
                                 MadeListener& made) {
  return open_listener(loop, address, options, made);
}

error_code SystemNetwork::listen(const SharedLoop& loop, const BoundSocket& bound, const ListenerOptions& options,
                                 MadeListener& made) {
  return open_listener(loop, bound, options, made);
}

error_code SystemNetwork::listen(const SharedLoop& loop, int descriptor, const ListenerOptions& options,
                                 MadeListener& made) {
  return open_listener(loop, descriptor, options, made);
}

std::unique_ptr<Attempt> SystemNetwork::connect(const SharedLoop& loop, const SocketAddress& address,
                                                const AttemptOptions& options) {
  return std::make_unique<SystemAttempt>(loop, address, options);
}

error_code SystemNetwork::adopt(const SharedLoop& loop, int descriptor, Adopted& adopted) {
  if (!is_stream_socket(descriptor) || is_listening(descriptor)) return Errc::invalid_handle;
  if (was_never_connected(descriptor)) {
    adopted.bound = Binding::adopt(descriptor);
    return {};
  }
  MadeNonBlocking non_blocking(descriptor);
  if (non_blocking.error()) return non_blocking.error();
  using Kind = DescriptorTransport::Kind;
  Lent lent(std::make_unique<DescriptorTransport>(loop, descriptor,
                                                  is_unix_socket(descriptor) ? Kind::unix_stream : Kind::tcp));
  if (const error_code code = lent.transport->start()) return code;
  adopted.transport = std::move(lent.transport);
  non_blocking.keep();
  return {};
}

void SystemNetwork::lookup(reactor::Loop&, std::string_view host, const LookupOptions& options, LookupAnswer answer) {
  system_lookup(host, options, std::move(answer));
}

std::shared_ptr<Network> system_network() noexcept {
  static SystemNetwork network;
  return {std::shared_ptr<void>(), &network};  // owned by nobody
}

}  // namespace libnet::transport
