#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libnet/address.hpp"

namespace libnet::detail {

/// An IP address in network byte order. IPv4 is held in its IPv4-mapped form, so that one order has both families.
using IpBytes = std::array<unsigned char, 16>;

/// The bytes of an address; nothing for a path.
std::optional<IpBytes> ip_bytes(const SocketAddress& address) noexcept;

/// One rule of a block list: every kind of it is the addresses from `first` to `last`, both included.
///
/// What makes a rule throws SystemError: Errc::invalid_address, out_of_range, invalid_argument.
struct AddressRule {
  enum class Kind : std::uint8_t { address, range, subnet };

  static AddressRule address(const SocketAddress& address);
  static AddressRule range(const SocketAddress& first, const SocketAddress& last);
  static AddressRule subnet(const SocketAddress& network, int prefix);
  /// "10.0.0.0/8".
  static AddressRule cidr(std::string_view text);
  /// What to_string() writes.
  static AddressRule parse(std::string_view text);

  std::string to_string() const;

  IpBytes first;
  IpBytes last;
  Kind kind;
  bool ipv4;  // how it was told and is printed
};

/// Rules, and whether one of them covers an address.
class AddressRules {
 public:
  /// False if the rule is there already.
  bool insert(const AddressRule& rule);
  /// False if there is no such rule.
  bool erase(const AddressRule& rule);
  void clear() noexcept;
  bool covers(const IpBytes& address) const noexcept;
  std::size_t size() const noexcept { return rules_.size(); }
  std::vector<std::string> to_strings() const;

 private:
  /// By first address, the larger rule first.
  struct Order {
    bool operator()(const AddressRule& left, const AddressRule& right) const noexcept;
  };
  using Rules = std::set<AddressRule, Order>;

  Rules::const_iterator first_rule_from(const IpBytes& address) const;
  void cover(IpBytes first, IpBytes last);
  void uncover(const AddressRule& rule);

  Rules rules_;
  std::map<IpBytes, IpBytes> covered_;  // the union of all rules: ranges that do not overlap, last by first
};

}  // namespace libnet::detail
