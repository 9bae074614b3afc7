#include <libnet/block_list.hpp>

#include "detail/address_rules.hpp"
#include "detail/json_strings.hpp"

#include <libnet/error.hpp>

#include <mutex>
#include <shared_mutex>

namespace libnet {

using detail::AddressRule;

/// What the copies of a list share.
struct BlockList::Rules {
  bool insert(const AddressRule& rule) {
    const std::unique_lock lock(mutex);
    return rules.insert(rule);
  }
  bool erase(const AddressRule& rule) {
    const std::unique_lock lock(mutex);
    return rules.erase(rule);
  }

  mutable std::shared_mutex mutex;
  detail::AddressRules rules;
};

BlockList::BlockList() : rules_(std::make_shared<Rules>()) {}

void BlockList::add_address(const SocketAddress& address) { rules_->insert(AddressRule::address(address)); }

void BlockList::add_range(const SocketAddress& first, const SocketAddress& last) {
  rules_->insert(AddressRule::range(first, last));
}

void BlockList::add_subnet(const SocketAddress& network, int prefix) {
  rules_->insert(AddressRule::subnet(network, prefix));
}

void BlockList::add_cidr(std::string_view cidr) { rules_->insert(AddressRule::cidr(cidr)); }

bool BlockList::remove_address(const SocketAddress& address) { return rules_->erase(AddressRule::address(address)); }

bool BlockList::remove_range(const SocketAddress& first, const SocketAddress& last) {
  return rules_->erase(AddressRule::range(first, last));
}

bool BlockList::remove_subnet(const SocketAddress& network, int prefix) {
  return rules_->erase(AddressRule::subnet(network, prefix));
}

bool BlockList::remove_cidr(std::string_view cidr) { return rules_->erase(AddressRule::cidr(cidr)); }

void BlockList::clear() noexcept {
  const std::unique_lock lock(rules_->mutex);
  rules_->rules.clear();
}

bool BlockList::check(const SocketAddress& address) const noexcept {
  const auto bytes = detail::ip_bytes(address);
  if (!bytes) return false;
  const std::shared_lock lock(rules_->mutex);
  return rules_->rules.covers(*bytes);
}

std::size_t BlockList::size() const noexcept {
  const std::shared_lock lock(rules_->mutex);
  return rules_->rules.size();
}

std::vector<std::string> BlockList::rules() const {
  const std::shared_lock lock(rules_->mutex);
  return rules_->rules.to_strings();
}

// --- JSON ----------------------------------------------------------------------------------------------------------

namespace {

AddressRule parse_rule(const std::string& text) {
  try {
    return AddressRule::parse(text);
  } catch (const SystemError& refused) {
    throw SystemError(Error(refused.code(), ErrorInfo{.text = refused.code().message() + ": \"" + text + '"'}));
  }
}

}  // namespace

std::string BlockList::to_json() const { return detail::json_of(rules()); }

void BlockList::from_json(std::string_view json) {
  const auto texts = detail::strings_of_json(json);
  if (!texts) throw SystemError(Errc::invalid_argument);
  std::vector<AddressRule> added;
  added.reserve(texts->size());
  for (const std::string& text : *texts) added.push_back(parse_rule(text));
  const std::unique_lock lock(rules_->mutex);
  for (const AddressRule& rule : added) rules_->rules.insert(rule);
}

}  // namespace libnet
