#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "libnet/address.hpp"
#include "libnet/errc.hpp"
#include "libnet/options.hpp"

namespace libnet::transport {

class MemoryListener;

/// @name Rules of IP addresses
/// @{
/// "0.0.0.0" or "::".
bool is_any(const SocketAddress& address) noexcept;
/// An IPv4 address in the form in which an IPv6 socket sees it: "::ffff:127.0.0.1".
bool is_mapped(const SocketAddress& address) noexcept;
SocketAddress mapped(const SocketAddress& ipv4);
/// The IPv4 address behind a mapped one; any other as it is.
SocketAddress unmapped(const SocketAddress& address);
/// @}

/// Who has which address of an in-memory network, by the rules of Linux: which addresses exist, who is in whose way, whom
/// a connection reaches. Everything in the network shares it, so that it outlives them all.
class MemoryAddresses : public std::enable_shared_from_this<MemoryAddresses> {
 public:
  /// An IP address of its own beside the loopback addresses.
  void add(std::string_view address) { own_.insert(SocketAddress::ip(address, 0).to_string()); }
  /// The ports that are picked; at least one.
  void set_picked_ports(std::uint16_t first, std::uint16_t last) noexcept;

  /// Gives an address to a listener. Port 0 and the empty path pick one.
  /// Errors: EADDRNOTAVAIL (not an address of this network), EINVAL (link-local without a scope), EADDRINUSE (also if no port is left), EINVAL (the path is too
  /// long).
  error_code listen(MemoryListener& listener, SocketAddress& address, const BindOptions& options);
  void stop_listening(const MemoryListener& listener) noexcept;

  /// Whom a connection to `target` reaches; null if nobody listens there. Those who share a port take turns.
  MemoryListener* find(const SocketAddress& target);

  /// The addresses of a connection, from the side that connects. They are taken as long as `held` lives.
  struct Route {
    std::optional<SocketAddress> local;
    SocketAddress remote;
    std::shared_ptr<void> held;
  };

  /// What a connection to `target` is to come from; in place of port 0 it gets one that no such connection has.
  /// Errors: EADDRNOTAVAIL (not an address of this network, or no port is left), EADDRINUSE (somebody listens there).
  error_code bind(const SocketAddress& target, SocketAddress& local);

  /// Finds the way to `target`.
  /// @param local  What was bound; nothing if the network chooses.
  /// Errors: ENETUNREACH (not an address of this network), EADDRNOTAVAIL (the very same connection exists, or no port is
  /// left), EINVAL (the path is too long).
  error_code route(const SocketAddress& target, const std::optional<SocketAddress>& local, Route& found);

 private:
  struct Entry {
    SocketAddress address;
    BindOptions options;
    MemoryListener* listener;
  };
  class Hold;
  using ConnectionKey = std::tuple<std::uint16_t, std::string, std::string>;  // local port, local and remote address

  static bool covers(const Entry& entry, const SocketAddress& address);
  static int closeness(const Entry& entry, const SocketAddress& target);
  bool exists(const SocketAddress& address) const;
  error_code refuse(const SocketAddress& address) const;
  bool in_use(const Entry& wanted) const;
  bool connects_from(std::uint16_t port) const;
  bool connected(const SocketAddress& local, const SocketAddress& remote) const;
  SocketAddress source_of(const SocketAddress& remote) const;
  template <class Free>
  bool pick_port(SocketAddress& address, Free is_free);
  error_code name_listener(Entry& entry);
  error_code pick_name(Entry& entry);

  std::vector<Entry> listening_;
  std::set<std::string> own_;
  std::set<ConnectionKey> connections_;
  std::uint16_t first_port_ = 32768;  // as Linux picks them
  std::uint16_t last_port_ = 60999;
  std::uint16_t next_port_ = first_port_;
  std::size_t turn_ = 0;  // of those who share a port
  std::uint32_t names_ = 0;
};

}  // namespace libnet::transport
