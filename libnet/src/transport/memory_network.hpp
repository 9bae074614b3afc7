#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "transport/memory_addresses.hpp"
#include "transport/memory_listener.hpp"
#include "transport/network.hpp"

namespace libnet::transport {

/// A network that lives in memory: servers listen and clients connect in it as on one Linux machine, by IP address and port
/// or by Unix path. Nothing in it waits for anything but the clocks of its loops.
///
/// It may be shared by several loops of one thread. Listeners and connections outlive it. It differs from Linux in these
/// points: it has no descriptors (those that are given are refused), a path is a name and not a file, a port is free as
/// soon as its connection has closed (no TIME_WAIT), and what cannot be reached is refused at once.
class MemoryNetwork final : public Network {
 public:
  MemoryNetwork();
  ~MemoryNetwork() override;

  /// @name What the network is like; counts from the next call on
  /// @{
  /// How long a connection is on its way, there and back.
  void set_connect_delay(reactor::Duration delay) noexcept { connect_delay_ = delay; }
  void set_lookup_delay(reactor::Duration delay) noexcept { lookup_delay_ = delay; }
  /// The addresses of a name, in this order, in place of those that it had; none: it does not resolve. "localhost" has
  /// 127.0.0.1 and ::1.
  void set_name(std::string_view name, std::vector<std::string> addresses);
  /// An IP address of its own beside the loopback addresses.
  void add_address(std::string_view address) { addresses_->add(address); }
  /// The ports that are picked; at least one. As Linux, 32768 to 60999.
  void set_picked_ports(std::uint16_t first, std::uint16_t last) noexcept { addresses_->set_picked_ports(first, last); }
  MemoryFaults& faults() noexcept { return *faults_; }
  /// @}

  error_code listen(const SharedLoop& loop, const SocketAddress& address, const ListenerOptions& options,
                    MadeListener& made) override;
  /// Errors: Errc::invalid_handle.
  error_code listen(const SharedLoop& loop, const BoundSocket& bound, const ListenerOptions& options,
                    MadeListener& made) override;
  /// Errors: EINVAL.
  error_code listen(const SharedLoop& loop, int descriptor, const ListenerOptions& options,
                    MadeListener& made) override;
  std::unique_ptr<Attempt> connect(const SharedLoop& loop, const SocketAddress& address,
                                   const AttemptOptions& options) override;
  /// Errors: Errc::invalid_handle.
  error_code adopt(const SharedLoop& loop, int descriptor, Adopted& adopted) override;
  void lookup(reactor::Loop& loop, std::string_view host, const LookupOptions& options, LookupAnswer answer) override;

 private:
  class PendingLookup;

  void answer(const std::string& host, const LookupOptions& options, const LookupAnswer& answer);

  std::shared_ptr<MemoryAddresses> addresses_;
  std::shared_ptr<MemoryFaults> faults_;
  std::map<std::string, std::vector<std::string>, std::less<>> names_;
  reactor::Duration connect_delay_{};
  reactor::Duration lookup_delay_{};
  std::vector<std::unique_ptr<PendingLookup>> lookups_;
};

}  // namespace libnet::transport
