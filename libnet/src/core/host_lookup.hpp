#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libnet/address.hpp"
#include "libnet/lookup.hpp"
#include "reactor/loop.hpp"

namespace libnet::core {

/// What was found, with a port; nothing if it is no IP address.
std::optional<SocketAddress> to_address(const LookupAddress& found, std::uint16_t port);

/// One running name lookup. Destroying it forgets the lookup at once; the answer is then ignored.
class HostLookup {
 public:
  using Handler = std::function<void(const Error& error, std::vector<LookupAddress> addresses)>;

  /// Asks `lookup` at once, or the loop's network if it is empty; calls `handler` inside the loop, later. Without an error
  /// there is at least one address.
  HostLookup(reactor::Loop& loop, const Lookup& lookup, const std::string& host, const LookupOptions& options,
             Handler handler);
  HostLookup(const HostLookup&) = delete;
  HostLookup& operator=(const HostLookup&) = delete;
  ~HostLookup();

  struct State;

 private:
  std::shared_ptr<State> state_;
};

/// The duty to answer a lookup, shared by the copies of a LookupAnswer.
class LookupPromise {
 public:
  explicit LookupPromise(std::shared_ptr<HostLookup::State> state) : state_(std::move(state)) {}
  LookupPromise(const LookupPromise&) = delete;
  LookupPromise& operator=(const LookupPromise&) = delete;
  ~LookupPromise();

  void answer(Error error, std::vector<LookupAddress> addresses);
  bool wanted() const noexcept;

 private:
  std::shared_ptr<HostLookup::State> state_;
};

}  // namespace libnet::core
