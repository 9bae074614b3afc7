#include <libnet/address.hpp>
#include <libnet/error.hpp>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ostream>

namespace libnet {
namespace {

constexpr std::size_t path_offset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t path_capacity = sizeof(sockaddr_un::sun_path);

// inet_pton(3) reads exactly the strict notations wanted here, but needs a terminated string.
bool read_ip(int family, std::string_view text, unsigned char* out) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != text.npos) return false;
  std::ranges::copy(text, terminated.begin());
  std::array<unsigned char, 16> address{};
  if (::inet_pton(family, terminated.data(), address.data()) != 1) return false;
  std::copy_n(address.begin(), family == AF_INET ? 4 : 16, out);
  return true;
}

struct Zoned {
  std::string_view address;
  std::optional<std::string_view> zone;
};

Zoned split_zone(std::string_view text) noexcept {
  const auto percent = text.find('%');
  if (percent == text.npos) return {text, std::nullopt};
  return {text.substr(0, percent), text.substr(percent + 1)};
}

std::uint32_t interface_named(std::string_view name) noexcept {
  std::array<char, IF_NAMESIZE> terminated{};
  if (name.size() >= terminated.size()) return 0;
  std::ranges::copy(name, terminated.begin());
  return ::if_nametoindex(terminated.data());
}

// Linux takes any byte in an interface's name but '/', white space, ':' (which sets aliases apart) and '%'.
bool is_zone(std::string_view zone) noexcept {
  constexpr std::string_view never("/% \t\n\v\f\r\0", 9);
  if (zone.empty() || zone.find_first_of(never) != zone.npos) return false;
  return zone.find('@') == zone.npos || interface_named(zone) != 0;
}

bool read_ipv6(const Zoned& text, unsigned char* out) noexcept {
  return (!text.zone || is_zone(*text.zone)) && read_ip(AF_INET6, text.address, out);
}

template <class Number>
std::optional<Number> read_number(std::string_view digits) noexcept {
  Number number{};
  const auto* const end = digits.data() + digits.size();
  const auto [stop, failure] = std::from_chars(digits.data(), end, number);
  if (failure != std::errc() || stop != end) return std::nullopt;
  return number;
}

// A name comes before a number, as in getaddrinfo(3): an interface may be called "2".
std::uint32_t interface_number(std::string_view zone) noexcept {
  if (const auto number = interface_named(zone); number != 0) return number;
  return read_number<std::uint32_t>(zone).value_or(0);
}

std::string interface_name(std::uint32_t number) {
  std::array<char, IF_NAMESIZE> name{};
  if (::if_indextoname(number, name.data()) != nullptr) return name.data();
  return std::to_string(number);
}

bool is_abstract(std::string_view path) noexcept { return path.starts_with('\0'); }

template <class Native>
socklen_t store(sockaddr_storage& storage, const Native& native) noexcept {
  std::memcpy(&storage, &native, sizeof native);
  return sizeof native;
}

// An abstract name may fill the whole field and is not terminated; a path is, and ends at its first NUL.
socklen_t store_path(sockaddr_storage& storage, std::string_view path) noexcept {
  const bool terminated = !path.empty() && !is_abstract(path);
  const auto size = path.size() + (terminated ? 1 : 0);
  if (size > path_capacity || (terminated && path.find('\0') != path.npos)) return 0;
  sockaddr_un native{};
  native.sun_family = AF_UNIX;
  std::ranges::copy(path, native.sun_path);
  store(storage, native);
  return static_cast<socklen_t>(path_offset + size);
}

template <class Native>
std::optional<Native> load(const sockaddr* address, std::size_t length) noexcept {
  if (length < sizeof(Native)) return std::nullopt;
  Native native;
  std::memcpy(&native, address, sizeof native);
  return native;
}

std::optional<SocketAddress> parse_unix(std::string_view text) {
  if (text.starts_with('/')) return SocketAddress::unix_socket(text);
  constexpr std::string_view scheme = "unix:";
  if (!text.starts_with(scheme)) return std::nullopt;
  text.remove_prefix(scheme.size());
  if (text.empty()) return std::nullopt;
  std::string path(text);
  if (path.front() == '@') path.front() = '\0';
  return SocketAddress::unix_socket(path);
}

struct HostPort {
  std::string_view host;
  std::string_view port;
};

// Splits "1.2.3.4:80" and "[::1]:80"; the brackets are needed because colons belong to an IPv6 address.
std::optional<HostPort> split_port(std::string_view text) noexcept {
  const auto colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed ? !is_ipv6(host) : !is_ipv4(host)) return std::nullopt;
  return HostPort{host, text.substr(colon + 1)};
}

}  // namespace

SocketAddress SocketAddress::ip(std::string_view address, std::uint16_t port) {
  if (auto parsed = parse_ip(address, port)) return *parsed;
  throw SystemError(Errc::invalid_address);
}

SocketAddress SocketAddress::unix_socket(std::string_view path) {
  SocketAddress result;
  result.family_ = Family::unix_path;
  result.path_ = Bytes(path);
  return result;
}

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  if (auto path = parse_unix(text)) return path;
  if (auto bare = parse_ip(text, 0)) return bare;
  const auto split = split_port(text);
  if (!split) return std::nullopt;
  const auto port = read_number<std::uint16_t>(split->port);
  if (!port) return std::nullopt;
  return parse_ip(split->host, *port);
}

std::optional<SocketAddress> SocketAddress::parse_ip(std::string_view address, std::uint16_t port) {
  SocketAddress result;
  result.port_ = port;
  if (read_ip(AF_INET, address, result.ip_.data())) return result;
  const auto zoned = split_zone(address);
  if (!read_ipv6(zoned, result.ip_.data())) return std::nullopt;
  result.family_ = Family::ipv6;
  if (zoned.zone) result.scope_id_ = interface_number(*zoned.zone);
  return result;
}

std::optional<SocketAddress> SocketAddress::from_native(const sockaddr* address, socklen_t length) {
  sa_family_t family{};
  if (length < offsetof(sockaddr, sa_family) + sizeof family) return std::nullopt;
  std::memcpy(&family, &address->sa_family, sizeof family);
  if (family == AF_UNIX) return from_unix(address, length);

  SocketAddress result;
  if (family == AF_INET) {
    const auto native = load<sockaddr_in>(address, length);
    if (!native) return std::nullopt;
    std::memcpy(result.ip_.data(), &native->sin_addr, sizeof native->sin_addr);
    result.port_ = ntohs(native->sin_port);
    return result;
  }
  if (family == AF_INET6) {
    const auto native = load<sockaddr_in6>(address, length);
    if (!native) return std::nullopt;
    result.family_ = Family::ipv6;
    std::memcpy(result.ip_.data(), &native->sin6_addr, sizeof native->sin6_addr);
    result.port_ = ntohs(native->sin6_port);
    result.scope_id_ = native->sin6_scope_id;
    return result;
  }
  return std::nullopt;
}

SocketAddress SocketAddress::from_unix(const sockaddr* address, std::size_t length) {
  if (length <= path_offset) return unix_socket({});
  const auto size = std::min(length - path_offset, path_capacity);
  const std::string_view path(reinterpret_cast<const char*>(address) + path_offset, size);
  return unix_socket(is_abstract(path) ? path : path.substr(0, path.find('\0')));
}

socklen_t SocketAddress::to_native(sockaddr_storage& storage) const noexcept {
  storage = {};
  if (family_ == Family::unix_path) return store_path(storage, path_.view());
  if (family_ == Family::ipv4) {
    sockaddr_in native{};
    native.sin_family = AF_INET;
    native.sin_port = htons(port_);
    std::memcpy(&native.sin_addr, ip_.data(), sizeof native.sin_addr);
    return store(storage, native);
  }
  sockaddr_in6 native{};
  native.sin6_family = AF_INET6;
  native.sin6_port = htons(port_);
  native.sin6_scope_id = scope_id_;
  std::memcpy(&native.sin6_addr, ip_.data(), sizeof native.sin6_addr);
  return store(storage, native);
}

SocketAddress SocketAddress::with_port(std::uint16_t port) const {
  SocketAddress result = *this;
  if (family_ != Family::unix_path) result.port_ = port;
  return result;
}

std::string_view SocketAddress::family_name() const noexcept {
  switch (family_) {
    case Family::ipv4: return "IPv4";
    case Family::ipv6: return "IPv6";
    case Family::unix_path: break;
  }
  return "unix";
}

std::string SocketAddress::address() const {
  if (family_ == Family::unix_path) return std::string(path_.view());
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(family_ == Family::ipv4 ? AF_INET : AF_INET6, ip_.data(), text.data(), text.size());
  std::string result = text.data();
  if (scope_id_ != 0) result += '%' + interface_name(scope_id_);
  return result;
}

std::string SocketAddress::to_string() const {
  auto text = address();
  switch (family_) {
    case Family::ipv4: return text + ':' + std::to_string(port_);
    case Family::ipv6: return '[' + text + "]:" + std::to_string(port_);
    case Family::unix_path: break;
  }
  if (text.starts_with('/')) return text;
  if (text.starts_with('@')) text.insert(0, "./");  // a file, not an abstract name
  if (is_abstract(text)) text.front() = '@';
  return "unix:" + text;
}

std::ostream& operator<<(std::ostream& out, const SocketAddress& address) { return out << address.to_string(); }

int is_ip(std::string_view text) noexcept {
  if (is_ipv4(text)) return 4;
  return is_ipv6(text) ? 6 : 0;
}

bool is_ipv4(std::string_view text) noexcept {
  std::array<unsigned char, 16> ignored{};
  return read_ip(AF_INET, text, ignored.data());
}

bool is_ipv6(std::string_view text) noexcept {
  std::array<unsigned char, 16> ignored{};
  return read_ipv6(split_zone(text), ignored.data());
}

}  // namespace libnet

std::size_t std::hash<libnet::SocketAddress>::operator()(const libnet::SocketAddress& address) const noexcept {
  const std::string_view ip(reinterpret_cast<const char*>(address.ip_.data()), address.ip_.size());
  std::size_t seed = static_cast<std::size_t>(address.family_);
  const auto mix = [&seed](std::size_t value) { seed ^= value + 0x9e3779b97f4a7c15 + (seed << 6) + (seed >> 2); };
  mix(std::hash<std::string_view>{}(ip));
  mix(std::hash<std::string_view>{}(address.path_.view()));
  mix(address.scope_id_);
  mix(address.port_);
  return seed;
}
