#pragma once

#include <vector>

#include "libnet/address.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/lookup.hpp"
#include "transport/network.hpp"

/// What a request to listen means, apart from any server.
namespace libnet::core {

/// @throws SystemError for what the caller could have checked.
void check_listen_request(const detail::ListenRequest& request);

transport::ListenerOptions listener_options(const detail::ListenRequest& request);

/// Which of the addresses of a name to listen on: the first that is not link-local, if there is one.
const LookupAddress& choose_to_listen(const std::vector<LookupAddress>& addresses);

}  // namespace libnet::core
