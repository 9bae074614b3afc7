#include "detail/address_rules.hpp"

#include <libnet/address.hpp>
#include <libnet/error.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <system_error>
#include <tuple>
#include <utility>

namespace libnet::detail {

namespace {

constexpr int ip_bits = 128;
constexpr int mapped_bits = 96;  // what stands before an IPv4 address in its IPv4-mapped form
constexpr std::size_t mapped_bytes = mapped_bits / 8;

[[noreturn]] void refuse(Errc code) { throw SystemError(code); }

std::string_view name_of(AddressRule::Kind kind) noexcept {
  switch (kind) {
    case AddressRule::Kind::address: return "Address";
    case AddressRule::Kind::range: return "Range";
    case AddressRule::Kind::subnet: return "Subnet";
  }
  return {};
}

IpBytes mapped(const in_addr& ipv4) noexcept {
  IpBytes bytes{};
  bytes[mapped_bytes - 2] = bytes[mapped_bytes - 1] = 0xff;
  std::memcpy(&bytes[mapped_bytes], &ipv4, sizeof ipv4);
  return bytes;
}

IpBytes needed(const SocketAddress& address) {
  const auto bytes = ip_bytes(address);
  if (!bytes) refuse(Errc::invalid_address);
  return *bytes;
}

bool is_ipv4(const SocketAddress& address) noexcept { return address.family() == Family::ipv4; }

/// Sets the bits behind the first `prefix` ones.
IpBytes with_rest(IpBytes bytes, int prefix, bool value) noexcept {
  for (int i = 0; i < static_cast<int>(bytes.size()); ++i) {
    const int kept = std::clamp(prefix - 8 * i, 0, 8);
    const int rest = 0xff >> kept;
    auto& byte = bytes[static_cast<std::size_t>(i)];
    byte = static_cast<unsigned char>(value ? byte | rest : byte & ~rest);
  }
  return bytes;
}

int common_prefix(const IpBytes& left, const IpBytes& right) noexcept {
  const auto [in_left, in_right] = std::ranges::mismatch(left, right);
  if (in_left == left.end()) return ip_bits;
  const auto difference = static_cast<unsigned char>(*in_left ^ *in_right);
  return 8 * static_cast<int>(in_left - left.begin()) + std::countl_zero(difference);
}

std::string text_of(const IpBytes& bytes, bool ipv4) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  ::inet_ntop(ipv4 ? AF_INET : AF_INET6, &bytes[ipv4 ? mapped_bytes : 0], text.data(), text.size());
  return text.data();
}

std::pair<std::string_view, std::string_view> split(std::string_view text, std::string_view separator) {
  const auto at = text.find(separator);
  if (at == text.npos) refuse(Errc::invalid_argument);
  return {text.substr(0, at), text.substr(at + separator.size())};
}

/// "first-last". The zone of the first may hold a '-' as well.
std::pair<std::string_view, std::string_view> split_range(std::string_view text) {
  for (auto at = text.find('-'); at != text.npos; at = text.find('-', at + 1)) {
    if (is_ip(text.substr(0, at)) != 0 && is_ip(text.substr(at + 1)) != 0)
      return {text.substr(0, at), text.substr(at + 1)};
  }
  return split(text, "-");  // which part is none is said when it is read
}

/// Digits alone, none of them a leading zero. What is too large for a number is too large for a prefix.
int read_prefix(std::string_view digits) {
  const bool decimal =
      !digits.empty() && std::ranges::all_of(digits, [](char digit) { return digit >= '0' && digit <= '9'; });
  if (!decimal || (digits.size() > 1 && digits.front() == '0')) refuse(Errc::invalid_argument);
  int prefix = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  return failure == std::errc() ? prefix : ip_bits + 1;
}

SocketAddress ip(std::string_view text) { return SocketAddress::ip(text, 0); }

AddressRule parse(std::string_view kind, std::string_view what) {
  using Kind = AddressRule::Kind;
  if (kind == name_of(Kind::address)) return AddressRule::address(ip(what));
  if (kind == name_of(Kind::subnet)) return AddressRule::cidr(what);
  if (kind != name_of(Kind::range)) refuse(Errc::invalid_argument);
  const auto [first, last] = split_range(what);
  return AddressRule::range(ip(first), ip(last));
}

}  // namespace

std::optional<IpBytes> ip_bytes(const SocketAddress& address) noexcept {
  if (address.family() == Family::unix_path) return std::nullopt;
  sockaddr_storage storage;
  static_cast<void>(address.to_native(storage));  // an IP address always fits
  if (is_ipv4(address)) {
    sockaddr_in native{};
    std::memcpy(&native, &storage, sizeof native);
    return mapped(native.sin_addr);
  }
  sockaddr_in6 native{};
  std::memcpy(&native, &storage, sizeof native);
  return std::bit_cast<IpBytes>(native.sin6_addr);
}

// --- one rule ------------------------------------------------------------------------------------------------------

AddressRule AddressRule::address(const SocketAddress& address) {
  const IpBytes bytes = needed(address);
  return {.first = bytes, .last = bytes, .kind = Kind::address, .ipv4 = is_ipv4(address)};
}

AddressRule AddressRule::range(const SocketAddress& first, const SocketAddress& last) {
  const AddressRule rule{.first = needed(first), .last = needed(last), .kind = Kind::range, .ipv4 = is_ipv4(first)};
  if (first.family() != last.family() || rule.last < rule.first) refuse(Errc::invalid_argument);
  return rule;
}

AddressRule AddressRule::subnet(const SocketAddress& network, int prefix) {
  const IpBytes bytes = needed(network);
  const bool ipv4 = is_ipv4(network);
  const int before = ipv4 ? mapped_bits : 0;
  if (prefix < 0 || prefix > ip_bits - before) refuse(Errc::out_of_range);
  return {.first = with_rest(bytes, before + prefix, false),
          .last = with_rest(bytes, before + prefix, true),
          .kind = Kind::subnet,
          .ipv4 = ipv4};
}

AddressRule AddressRule::cidr(std::string_view text) {
  const auto [network, prefix] = split(text, "/");
  return subnet(ip(network), read_prefix(prefix));
}

AddressRule AddressRule::parse(std::string_view text) {
  const auto [kind, told] = split(text, ": ");
  const auto [family, what] = split(told, " ");
  const AddressRule rule = detail::parse(kind, what);
  if (family != (rule.ipv4 ? "IPv4" : "IPv6")) refuse(Errc::invalid_argument);
  return rule;
}

std::string AddressRule::to_string() const {
  std::string text(name_of(kind));
  text += ipv4 ? ": IPv4 " : ": IPv6 ";
  text += text_of(first, ipv4);
  if (kind == Kind::range) text += '-' + text_of(last, ipv4);
  if (kind == Kind::subnet) text += '/' + std::to_string(common_prefix(first, last) - (ipv4 ? mapped_bits : 0));
  return text;
}

// --- many rules ----------------------------------------------------------------------------------------------------

bool AddressRules::Order::operator()(const AddressRule& left, const AddressRule& right) const noexcept {
  return std::tie(left.first, right.last, left.kind, left.ipv4) <
         std::tie(right.first, left.last, right.kind, right.ipv4);
}

bool AddressRules::insert(const AddressRule& rule) {
  if (!rules_.insert(rule).second) return false;
  cover(rule.first, rule.last);
  return true;
}

bool AddressRules::erase(const AddressRule& rule) {
  if (rules_.erase(rule) == 0) return false;
  uncover(rule);
  return true;
}

void AddressRules::clear() noexcept {
  rules_.clear();
  covered_.clear();
}

bool AddressRules::covers(const IpBytes& address) const noexcept {
  const auto next = covered_.upper_bound(address);
  return next != covered_.begin() && address <= std::prev(next)->second;
}

std::vector<std::string> AddressRules::to_strings() const {
  std::vector<std::string> texts;
  texts.reserve(rules_.size());
  for (const AddressRule& rule : rules_) texts.push_back(rule.to_string());
  return texts;
}

AddressRules::Rules::const_iterator AddressRules::first_rule_from(const IpBytes& address) const {
  IpBytes last;
  last.fill(0xff);  // the largest one that begins there
  return rules_.lower_bound({.first = address, .last = last, .kind = {}, .ipv4 = {}});
}

/// Absorbs the ranges that overlap the new one.
void AddressRules::cover(IpBytes first, IpBytes last) {
  auto next = covered_.upper_bound(last);
  while (next != covered_.begin()) {
    const auto before = std::prev(next);
    if (before->second < first) break;
    first = std::min(first, before->first);
    last = std::max(last, before->second);
    next = covered_.erase(before);
  }
  covered_.emplace_hint(next, first, last);
}

/// Makes the range that the erased rule was part of anew, from the rules that are left in it.
void AddressRules::uncover(const AddressRule& rule) {
  const auto range = std::prev(covered_.upper_bound(rule.first));
  const auto [first, last] = *range;
  const auto begin = first_rule_from(first);
  for (auto other = begin; other != rules_.end() && other->first <= rule.first; ++other) {
    if (other->last >= rule.last) return;  // covers all that the erased one did
  }
  covered_.erase(range);
  for (auto other = begin; other != rules_.end() && other->first <= last; ++other) cover(other->first, other->last);
}

}  // namespace libnet::detail
