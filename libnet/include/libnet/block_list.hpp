#pragma once

#include <libnet/address.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// IP addresses that a server does not accept from, or that a client does not connect to.
///
/// A handle to rules that all its copies share: a copy kept by a server or a socket sees what is added or removed later,
/// as with Node's object. All calls may be made from any thread, at the same time; each is atomic.
///
/// IPv4 addresses and their IPv4-mapped IPv6 forms are the same: a rule for 10.0.0.1 also matches ::ffff:10.0.0.1, and
/// the subnet ::/0 is every address there is. Ports and zones do not count. A rule that is there already is not added
/// again; the addresses of a subnet are those of its first `prefix` bits, whatever the other bits of its text were.
///
/// Cost: check() takes logarithmic time in the number of rules, whatever their kind, and allocates nothing.
/// Source: Node net.BlockList; removal, CIDR text and the private ranges are ours.
class BlockList {
 public:
  /// An empty list.
  BlockList();
  /// Shares the rules.
  BlockList(const BlockList&) noexcept = default;
  BlockList& operator=(const BlockList&) noexcept = default;
  ~BlockList() = default;

  /// @name Adding
  /// Text is IPv4 or IPv6 as is_ip() accepts it; a call that throws adds nothing.
  /// @throws  SystemError with Errc::invalid_address when text is no IP address or a SocketAddress is a path;
  ///          what else is said below.
  /// @{
  void add_address(const SocketAddress& address);
  void add_address(std::string_view address) { add_address(ip(address)); }

  /// All addresses from `first` to `last`, both included.
  /// @throws  Errc::invalid_argument when they are not of one family, or `last` comes before `first`.
  void add_range(const SocketAddress& first, const SocketAddress& last);
  void add_range(std::string_view first, std::string_view last) { add_range(ip(first), ip(last)); }

  /// All addresses that begin like `network`.
  /// @param prefix  How many bits of the beginning count: 0..32 for IPv4, 0..128 for IPv6.
  /// @throws        Errc::out_of_range for another prefix.
  void add_subnet(const SocketAddress& network, int prefix);
  void add_subnet(std::string_view network, int prefix) { add_subnet(ip(network), prefix); }

  /// A subnet as one text, "10.0.0.0/8" or "fc00::/7".
  /// @throws  Errc::out_of_range for a prefix that is too long, Errc::invalid_argument when there is none.
  /// Source: RFC 4632 section 3.1; RFC 4291 section 2.3.
  void add_cidr(std::string_view cidr);

  /// All rules of a JSON text as to_json() or Node write it; or none, if it throws.
  /// @throws  Errc::invalid_argument when the text is no JSON array of rules, or what the rule's own call throws. The
  ///          message names the rule.
  /// Source: Node blockList.fromJSON().
  void from_json(std::string_view json);
  /// @}

  /// @name Removing
  /// Removes the rule that the `add_` call with the same arguments adds. What other rules cover stays covered: an
  /// address cannot be taken out of a subnet.
  /// @return  whether there was such a rule.
  /// @throws  as the `add_` call.
  /// @{
  bool remove_address(const SocketAddress& address);
  bool remove_address(std::string_view address) { return remove_address(ip(address)); }
  bool remove_range(const SocketAddress& first, const SocketAddress& last);
  bool remove_range(std::string_view first, std::string_view last) { return remove_range(ip(first), ip(last)); }
  bool remove_subnet(const SocketAddress& network, int prefix);
  bool remove_subnet(std::string_view network, int prefix) { return remove_subnet(ip(network), prefix); }
  bool remove_cidr(std::string_view cidr);
  void clear() noexcept;
  /// @}

  /// @name Asking
  /// @{
  /// Whether a rule matches the address; false for a path.
  [[nodiscard]] bool check(const SocketAddress& address) const noexcept;
  /// @throws  SystemError with Errc::invalid_address when the text is no IP address.
  [[nodiscard]] bool check(std::string_view address) const { return check(ip(address)); }

  /// The number of rules.
  [[nodiscard]] std::size_t size() const noexcept;

  /// The rules as text, ordered by address: "Address: IPv4 10.0.0.5", "Range: IPv4 10.0.0.1-10.0.0.10",
  /// "Subnet: IPv6 fc00::/7".
  [[nodiscard]] std::vector<std::string> rules() const;

  /// rules() as a JSON array of strings.
  /// Source: Node blockList.toJSON().
  [[nodiscard]] std::string to_json() const;
  /// @}

 private:
  struct Rules;

  static SocketAddress ip(std::string_view text) { return SocketAddress::ip(text, 0); }

  std::shared_ptr<Rules> rules_;
};

/// The ranges that are no place on the public Internet but this machine, its links or its own networks, each for
/// add_cidr(). A program that connects to where others tell it to blocks them, lest it be sent to its neighbours.
inline constexpr std::array<std::string_view, 12> private_ranges = {
    "0.0.0.0/8",       // this host on this network: RFC 1122 section 3.2.1.3
    "10.0.0.0/8",      // private: RFC 1918
    "100.64.0.0/10",   // shared with the provider: RFC 6598
    "127.0.0.0/8",     // loopback: RFC 1122 section 3.2.1.3
    "169.254.0.0/16",  // link-local: RFC 3927
    "172.16.0.0/12",   // private: RFC 1918
    "192.168.0.0/16",  // private: RFC 1918
    "::/128",          // unspecified: RFC 4291 section 2.5.2
    "::1/128",         // loopback: RFC 4291 section 2.5.3
    "fc00::/7",        // unique local: RFC 4193
    "fe80::/10",       // link-local: RFC 4291 section 2.5.6
    "fec0::/10",       // site-local, deprecated: RFC 3879
};

}  // namespace libnet

#pragma GCC visibility pop
