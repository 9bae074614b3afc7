#include "core/listen_request.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace libnet::core {

namespace {

/// Such an address needs a scope to be bound to.
bool is_link_local(const LookupAddress& found) {
  if (is_ip(found.address) != 6) return false;
  const std::string text = SocketAddress::ip(found.address, 0).address();  // without leading zeros, in small letters
  return text.size() >= 4 && text.starts_with("fe") && std::string_view("89ab").find(text[2]) != std::string_view::npos;
}

bool is_abstract(const std::string& path) { return path.starts_with('\0'); }

void check_port(const detail::ListenRequest& request) {
  if (request.port && (*request.port < 0 || *request.port > 65535)) throw SystemError(Error(Errc::bad_port, "listen"));
}

/// A socket that is there already takes the place of an address.
void check_given_socket(const detail::ListenRequest& request) {
  const auto refuse = [](Errc code) { throw SystemError(Error(code, "listen")); };
  if (!request.fd && !request.bound) return;
  const bool address_too = request.port || !request.path.empty() || !request.host.empty();
  if (address_too || (request.fd && request.bound)) refuse(Errc::invalid_argument);
  if (request.fd && *request.fd < 0) refuse(Errc::out_of_range);
  if (request.bound && request.bound->native_handle() < 0 && !request.failure) refuse(Errc::invalid_handle);
}

/// An abstract name has no file that could be opened to all.
void check_permissions(const detail::ListenRequest& request) {
  if (!request.readable_all && !request.writable_all) return;
  const auto bound = request.bound ? request.bound->address() : std::nullopt;
  const bool abstract = (!request.port && is_abstract(request.path)) ||
                        (bound && bound->family() == Family::unix_path && is_abstract(bound->address()));
  if (abstract) throw SystemError(Error(Errc::invalid_argument, "listen"));
}

}  // namespace

void check_listen_request(const detail::ListenRequest& request) {
  check_port(request);
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
