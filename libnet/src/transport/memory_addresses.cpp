#include "transport/memory_addresses.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include <netinet/in.h>

#include "transport/native.hpp"

namespace libnet::transport {

namespace {

bool is_loopback(const SocketAddress& address) {
  const std::string text = address.address();
  return address.family() == Family::ipv6 ? text == "::1" : text.starts_with("127.");
}

/// Such an address means nothing without an interface.
bool is_link_local(const SocketAddress& address) noexcept {
  sockaddr_storage storage{};
  if (address.family() != Family::ipv6 || address.to_native(storage) == 0) return false;
  return IN6_IS_ADDR_LINKLOCAL(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr) != 0;
}

/// A connection to "any" address goes to this machine.
SocketAddress reached(const SocketAddress& target) {
  if (!is_any(target)) return target;
  return SocketAddress::ip(target.family() == Family::ipv6 ? "::1" : "127.0.0.1", target.port());
}

bool fits(const SocketAddress& path) noexcept {
  sockaddr_storage unused{};
  return path.to_native(unused) != 0;
}

}  // namespace

bool is_any(const SocketAddress& address) noexcept {
  return address == SocketAddress::ip("0.0.0.0", address.port()) || address == SocketAddress::ip("::", address.port());
}

bool is_mapped(const SocketAddress& address) noexcept {
  sockaddr_storage storage{};
  if (address.family() != Family::ipv6 || address.to_native(storage) == 0) return false;
  return IN6_IS_ADDR_V4MAPPED(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr) != 0;
}

SocketAddress mapped(const SocketAddress& ipv4) { return SocketAddress::ip("::ffff:" + ipv4.address(), ipv4.port()); }

SocketAddress unmapped(const SocketAddress& address) {
  if (!is_mapped(address)) return address;
  const std::string text = address.address();
  return SocketAddress::ip(std::string_view(text).substr(text.rfind(':') + 1), address.port());
}

/// Takes the two addresses of a connection as long as it lives.
class MemoryAddresses::Hold {
 public:
  Hold(std::shared_ptr<MemoryAddresses> addresses, const SocketAddress& local, const SocketAddress& remote)
      : addresses_(std::move(addresses)) {
    place_ = addresses_->connections_.emplace(local.port(), local.to_string(), remote.to_string()).first;
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;
  ~Hold() { addresses_->connections_.erase(place_); }

 private:
  std::shared_ptr<MemoryAddresses> addresses_;
  std::set<ConnectionKey>::iterator place_;
};

void MemoryAddresses::set_picked_ports(std::uint16_t first, std::uint16_t last) noexcept {
  first_port_ = next_port_ = first;
  last_port_ = last;
}

// ---- Rules

/// Whether the entry would get what comes to `address`: its own, any of its family, or with "::" any of both.
bool MemoryAddresses::covers(const Entry& entry, const SocketAddress& address) {
  return closeness(entry, address) != 0;
}

/// How well the entry fits: the more exact one gets the connection.
int MemoryAddresses::closeness(const Entry& entry, const SocketAddress& target) {
  if (entry.address == target) return 3;
  if (entry.address.family() == Family::unix_path || target.family() == Family::unix_path) return 0;
  const SocketAddress own = unmapped(entry.address);
  const SocketAddress wanted = unmapped(target);
  if (own.port() != wanted.port()) return 0;
  if (own == wanted) return 3;
  if (!is_any(own)) return 0;
  if (own.family() == wanted.family()) return 2;
  return own.family() == Family::ipv6 && !entry.options.ipv6_only ? 1 : 0;
}

bool MemoryAddresses::exists(const SocketAddress& address) const {
  const SocketAddress plain = unmapped(address).with_port(0);
  return is_any(plain) || is_loopback(plain) || own_.contains(plain.to_string());
}

/// What is wrong with an address to bind to.
error_code MemoryAddresses::refuse(const SocketAddress& address) const {
  if (is_link_local(address) && address.scope_id() == 0) return system_error(EINVAL);
  return exists(address) ? error_code() : system_error(EADDRNOTAVAIL);
}

bool MemoryAddresses::in_use(const Entry& wanted) const {
  return std::any_of(listening_.begin(), listening_.end(), [&](const Entry& other) {
    if (other.options.reuse_port && wanted.options.reuse_port) return false;
    return covers(other, wanted.address) || covers(wanted, other.address);
  });
}

bool MemoryAddresses::connected(const SocketAddress& local, const SocketAddress& remote) const {
  return connections_.contains({local.port(), local.to_string(), remote.to_string()});
}

bool MemoryAddresses::connects_from(std::uint16_t port) const {
  const auto first = connections_.lower_bound({port, {}, {}});
  return first != connections_.end() && std::get<std::uint16_t>(*first) == port;
}

/// One after the other, so that a port that was given up is not picked again at once.
template <class Free>
bool MemoryAddresses::pick_port(SocketAddress& address, Free is_free) {
  const int count = last_port_ - first_port_ + 1;
  for (int i = 0; i < count; ++i) {
    const SocketAddress candidate = address.with_port(next_port_);
    next_port_ = next_port_ == last_port_ ? first_port_ : static_cast<std::uint16_t>(next_port_ + 1);
    if (!is_free(candidate)) continue;
    address = candidate;
    return true;
  }
  return false;
}

// ---- Listening

error_code MemoryAddresses::listen(MemoryListener& listener, SocketAddress& address, const BindOptions& options) {
  Entry entry{address, options, &listener};
  const error_code code = address.family() == Family::unix_path ? pick_name(entry) : name_listener(entry);
  if (code) return code;
  if (in_use(entry)) return system_error(EADDRINUSE);
  address = entry.address;
  listening_.push_back(std::move(entry));
  return {};
}

error_code MemoryAddresses::name_listener(Entry& entry) {
  if (const error_code code = refuse(entry.address)) return code;
  if (entry.address.port() != 0) return {};
  const bool picked = pick_port(entry.address, [&](const SocketAddress& candidate) {
    return !connects_from(candidate.port()) && !in_use({candidate, {}, nullptr});
  });
  return picked ? error_code() : system_error(EADDRINUSE);
}

/// An empty path asks for a name in the abstract namespace.
error_code MemoryAddresses::pick_name(Entry& entry) {
  if (!fits(entry.address)) return system_error(EINVAL);
  while (entry.address.address().empty()) {
    std::array<char, 8> name{};
    std::snprintf(name.data(), name.size(), "%05x", ++names_);
    SocketAddress candidate = SocketAddress::unix_socket(std::string(1, '\0') + name.data());
    if (!in_use({candidate, {}, nullptr})) entry.address = std::move(candidate);
  }
  return {};
}

void MemoryAddresses::stop_listening(const MemoryListener& listener) noexcept {
  std::erase_if(listening_, [&](const Entry& entry) { return entry.listener == &listener; });
}

MemoryListener* MemoryAddresses::find(const SocketAddress& target) {
  int best = 1;
  std::vector<MemoryListener*> found;
  for (const Entry& entry : listening_) {
    const int fit = closeness(entry, target);
    if (fit < best) continue;
    if (fit > best) found.clear();
    best = fit;
    found.push_back(entry.listener);
  }
  return found.empty() ? nullptr : found[turn_++ % found.size()];
}

// ---- Connecting

error_code MemoryAddresses::route(const SocketAddress& target, const std::optional<SocketAddress>& local,
                                  Route& found) {
  found.remote = target;
  if (target.family() == Family::unix_path) return fits(target) ? error_code() : system_error(EINVAL);
  found.remote = reached(target);
  if (!exists(found.remote)) return system_error(ENETUNREACH);
  SocketAddress source = local.value_or(source_of(found.remote));
  if (!local) {
    if (const error_code code = bind(target, source)) return code;
  }
  if (is_any(source)) source = source_of(found.remote).with_port(source.port());
  if (connected(source, found.remote)) return system_error(EADDRNOTAVAIL);
  found.local = source;
  found.held = std::make_shared<Hold>(shared_from_this(), source, found.remote);
  return {};
}

/// As Linux chooses the source of what stays on the machine.
SocketAddress MemoryAddresses::source_of(const SocketAddress& remote) const {
  const SocketAddress plain = unmapped(remote);
  if (plain.family() == Family::ipv6 || !is_loopback(plain)) return remote.with_port(0);
  const SocketAddress loopback = SocketAddress::ip("127.0.0.1", 0);
  return is_mapped(remote) ? mapped(loopback) : loopback;
}

error_code MemoryAddresses::bind(const SocketAddress& target, SocketAddress& local) {
  if (target.family() == Family::unix_path) return {};
  if (const error_code code = refuse(local)) return code;
  if (local.port() != 0) return in_use({local, {}, nullptr}) ? system_error(EADDRINUSE) : error_code();
  const SocketAddress remote = reached(target);
  const bool picked = pick_port(local, [&](const SocketAddress& candidate) {
    return !in_use({candidate, {}, nullptr}) && !connected(candidate, remote);
  });
  return picked ? error_code() : system_error(EADDRNOTAVAIL);
}

}  // namespace libnet::transport
