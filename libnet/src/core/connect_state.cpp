#include "core/connect_state.hpp"

#include <netdb.h>

namespace libnet::core {

namespace {

[[noreturn]] void refuse(Errc code) { throw SystemError(Error(code, "connect")); }

void check_port(const std::optional<int>& port) {
  if (port && (*port < 0 || *port > 65535)) refuse(Errc::bad_port);
}

int number_of(const SocketAddress& address) noexcept {
  switch (address.family()) {
    case Family::ipv4: return 4;
    case Family::ipv6: return 6;
    case Family::unix_path: break;
  }
  return 0;
}

/// A socket that is bound already reaches addresses of its own family.
void check_source(const detail::ConnectRequest& request) {
  const auto address = request.bound->address();
  if (!address || request.bound->native_handle() < 0) refuse(Errc::invalid_handle);
  if (!request.local_address.empty() || request.local_port) refuse(Errc::invalid_argument);
  const int source = number_of(*address);
  if (request.port.has_value() != (source != 0)) refuse(Errc::address_family);
  const int target = is_ip(request.host) != 0 ? is_ip(request.host) : request.family;
  if (source != 0 && target != 0 && target != source) refuse(Errc::address_family);
}

}  // namespace

void check_connect_request(const detail::ConnectRequest& request) {
  if (!request.port && request.path.empty()) refuse(Errc::invalid_argument);
  check_port(request.port);
  check_port(request.local_port);
  if (request.port && request.host.find('\0') != std::string::npos) refuse(Errc::invalid_address);
  if (!request.local_address.empty() && is_ip(request.local_address) == 0) refuse(Errc::invalid_address);
  if (request.family != 0 && request.family != 4 && request.family != 6) refuse(Errc::address_family);
  if ((request.hints & ~(AI_ADDRCONFIG | AI_V4MAPPED | AI_ALL)) != 0) refuse(Errc::invalid_argument);
  if (request.attempt_timeout && request.attempt_timeout->count() <= 0) refuse(Errc::out_of_range);
  if (request.bound) check_source(request);
}

void prefer_source_family(detail::ConnectRequest& request) {
  if (!request.bound) return;
  request.auto_select_family = false;
  const auto address = request.bound->address();
  if (request.family == 0 && address) request.family = number_of(*address);
}

}  // namespace libnet::core
