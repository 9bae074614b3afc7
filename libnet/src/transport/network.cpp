#include "transport/network.hpp"

#include <utility>

#include "reactor/context_service.hpp"
#include "transport/system_network.hpp"

namespace libnet::transport {

Network& Network::of(reactor::Loop& loop) {
  if (!loop.network()) loop.use_network(system_network());
  return *loop.network();
}

void use_network(reactor::asio::io_context& context, std::shared_ptr<Network> network) {
  reactor::ContextService::of(context).use_network(std::move(network));
}

}  // namespace libnet::transport
