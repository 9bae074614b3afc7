#pragma once

#include <libnet/bytes.hpp>

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// What kind of address a SocketAddress holds.
enum class Family : std::uint8_t { ipv4, ipv6, unix_path };

/// The address of one end of a connection: an IPv4 or IPv6 address with a port, or the path of a Unix socket.
///
/// A value: cheap to copy, comparable, usable as a key. A path that starts with NUL is a name in Linux's abstract
/// namespace, an empty path an unnamed Unix socket. The default is 0.0.0.0 with port 0.
class SocketAddress {
 public:
  SocketAddress() noexcept = default;

  /// An IP address and a port.
  ///
  /// @param address  IPv4 or IPv6 text, as is_ip() accepts it. The zone of an IPv6 address is the name or the number of
  ///                 an interface; one that this machine does not have is dropped, and the kernel refuses to connect.
  ///                 A name means the interface that has it now; `scope_id()` goes on meaning that one.
  /// @throws         SystemError with Errc::invalid_address when the text is no IP address.
  [[nodiscard]] static SocketAddress ip(std::string_view address, std::uint16_t port);

  /// The address of a Unix socket. A path of any length is kept; to_native() tells whether the system can take it.
  [[nodiscard]] static SocketAddress unix_socket(std::string_view path);

  /// Reads "127.0.0.1:80", "[::1]:80", an IP address alone (port 0), "/path" or "unix:path"; "unix:@name" is a name in
  /// the abstract namespace. Reads all that to_string() prints for an address with a name or number.
  /// @return  nothing when the text is none of these.
  [[nodiscard]] static std::optional<SocketAddress> parse(std::string_view text);

  /// Reads the operating system's form.
  /// @param length  Size of the address [bytes], as accept(2) or getsockname(2) report it.
  /// @return        nothing when the family is unknown or the address is cut off.
  [[nodiscard]] static std::optional<SocketAddress> from_native(const sockaddr* address, socklen_t length);

  /// Writes the operating system's form.
  /// @return  its size [bytes]; 0 when a path is too long for the system or holds a NUL where it may not.
  [[nodiscard]] socklen_t to_native(sockaddr_storage& storage) const noexcept;

  [[nodiscard]] Family family() const noexcept { return family_; }
  /// "IPv4", "IPv6" or "unix".
  [[nodiscard]] std::string_view family_name() const noexcept;
  /// The IP address as text, with the zone as the interface's name ("fe80::1%eth0"), or the path as it is.
  [[nodiscard]] std::string address() const;
  /// The port; 0 for a path.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// The number of the interface that an IPv6 address belongs to; 0 for none.
  [[nodiscard]] std::uint32_t scope_id() const noexcept { return scope_id_; }

  /// The same address with another port; a path as it is.
  [[nodiscard]] SocketAddress with_port(std::uint16_t port) const;

  /// "127.0.0.1:80", "[::1]:80", "/path"; other paths as "unix:path", and "unix:@name" in the abstract namespace. The path
  /// "@name" is "unix:./@name": the same file, and no abstract name.
  [[nodiscard]] std::string to_string() const;

  [[nodiscard]] friend bool operator==(const SocketAddress& left, const SocketAddress& right) noexcept {
    return left.family_ == right.family_ && left.ip_ == right.ip_ && left.scope_id_ == right.scope_id_ &&
           left.port_ == right.port_ && left.path_.view() == right.path_.view();
  }

 private:
  friend struct std::hash<SocketAddress>;

  static std::optional<SocketAddress> parse_ip(std::string_view address, std::uint16_t port);
  static SocketAddress from_unix(const sockaddr* address, std::size_t length);

  std::array<unsigned char, 16> ip_{};  // network byte order; IPv4 uses the first four
  Bytes path_;
  std::uint32_t scope_id_ = 0;
  std::uint16_t port_ = 0;
  Family family_ = Family::ipv4;
};

/// Writes to_string().
std::ostream& operator<<(std::ostream& out, const SocketAddress& address);

/// The version of the IP address that `text` is: 4, 6, or 0 when it is none.
/// Source: Node net.isIP().
[[nodiscard]] int is_ip(std::string_view text) noexcept;

/// True for exactly four decimal numbers 0..255 without leading zeros, joined by dots.
/// Source: Node net.isIPv4().
[[nodiscard]] bool is_ipv4(std::string_view text) noexcept;

/// True for an IPv6 address in any notation of RFC 4291 section 2.2, with or without a zone: `%` and what may be the name of
/// a network interface, which is everything but '/', '%', white space and NUL. '@' only where there is an interface of that
/// name, since tools print "eth0@if2" for eth0.
/// Source: Node net.isIPv6(); RFC 4007 section 11; netdevice(7).
[[nodiscard]] bool is_ipv6(std::string_view text) noexcept;

}  // namespace libnet

#pragma GCC visibility pop

template <>
struct std::hash<libnet::SocketAddress> {
  [[nodiscard]] std::size_t operator()(const libnet::SocketAddress& address) const noexcept;
};
