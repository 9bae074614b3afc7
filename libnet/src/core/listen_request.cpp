#include "core/listen_request.hpp"

#include <algorithm>
#include <string>
#include <string_view>

#include "core/host_lookup.hpp"
#include "detail/address_rules.hpp"

namespace libnet::core {

namespace {

/// Such an address needs a scope to be bound to.
bool is_link_local(const LookupAddress& found) {
  const auto address = to_address(found, 0);
  if (!address || address->family() != Family::ipv6) return false;
  const auto bytes = *detail::ip_bytes(*address);
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

bool is_abstract(std::string_view path) { return path.starts_with('\0'); }

[[noreturn]] void refuse(Errc code) { throw SystemError(Error(code, "listen")); }

void check_port(const detail::ListenRequest& request) {
  if (request.port && (*request.port < 0 || *request.port > 65535)) refuse(Errc::bad_port);
}

/// An empty path would be a name that the system picks, or a port that nobody asked for. The system reads a host up to its
/// first NUL.
void check_names(const detail::ListenRequest& request) {
  if (!request.port && request.path && request.path->empty()) refuse(Errc::invalid_argument);
  if (request.host.find('\0') != std::string::npos) refuse(Errc::invalid_address);
}

/// A socket that is there already takes the place of an address.
void check_given_socket(const detail::ListenRequest& request) {
  if (!request.fd && !request.bound) return;
  const bool address_too = request.port || request.path || !request.host.empty();
  if (address_too || (request.fd && request.bound)) refuse(Errc::invalid_argument);
  if (request.fd && *request.fd < 0) refuse(Errc::out_of_range);
  if (request.bound && request.bound->native_handle() < 0 && !request.failure) refuse(Errc::invalid_handle);
}

/// An abstract name has no file that could be opened to all.
void check_permissions(const detail::ListenRequest& request) {
  if (!request.readable_all && !request.writable_all) return;
  const auto bound = request.bound ? request.bound->address() : std::nullopt;
  const bool abstract = (!request.port && request.path && is_abstract(*request.path)) ||
                        (bound && bound->family() == Family::unix_path && is_abstract(bound->address()));
  if (abstract) refuse(Errc::invalid_argument);
}

}  // namespace

void check_listen_request(const detail::ListenRequest& request) {
  check_port(request);
  check_names(request);
  check_given_socket(request);
  check_permissions(request);
}

transport::ListenerOptions listener_options(const detail::ListenRequest& request) {
  return {.bind = {.ipv6_only = request.ipv6_only, .reuse_port = request.reuse_port},
          .backlog = request.backlog,
          .readable_all = request.readable_all,
          .writable_all = request.writable_all};
}

const LookupAddress& choose_to_listen(const std::vector<LookupAddress>& addresses) {
  const auto usable = std::find_if_not(addresses.begin(), addresses.end(), is_link_local);
  return usable != addresses.end() ? *usable : addresses.front();
}

}  // namespace libnet::core
