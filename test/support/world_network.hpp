#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <utility>

#include "transport/memory_network.hpp"

namespace libnet::test {

/// The in-memory network of a World. It remembers what it carries, and can put the protocol of records on top.
class WorldNetwork final : public transport::Network {
 public:
  enum class Layer : std::uint8_t { bytes, records };

  explicit WorldNetwork(Layer layer) noexcept : layer_(layer) {}

  transport::MemoryNetwork& below() noexcept { return below_; }

  /// From now on one call on a connection moves so many bytes at most.
  void limit_moves(std::size_t most) noexcept { most_moved_ = most; }

  /// Under the connection that was made, or taken, last.
  transport::MemoryTransport* last_connected() const noexcept { return last_connected_; }
  transport::MemoryTransport* last_accepted() const noexcept { return last_accepted_; }

  error_code listen(const SharedLoop& loop, const SocketAddress& address, const transport::ListenerOptions& options,
                    MadeListener& made) override;
  error_code listen(const SharedLoop& loop, const BoundSocket& bound, const transport::ListenerOptions& options,
                    MadeListener& made) override;
  error_code listen(const SharedLoop& loop, int descriptor, const transport::ListenerOptions& options,
                    MadeListener& made) override;
  std::unique_ptr<transport::Attempt> connect(const SharedLoop& loop, const SocketAddress& address,
                                              const transport::AttemptOptions& options) override;
  error_code adopt(const SharedLoop& loop, int descriptor, transport::Adopted& adopted) override;
  void lookup(reactor::Loop& loop, std::string_view host, const LookupOptions& options, LookupAnswer answer) override;

 private:
  class LayeredListener;
  class LayeredAttempt;

  /// Notes a transport of the network below, and puts the layer on top of it.
  void cover(std::unique_ptr<transport::Transport>& made, const SharedLoop& loop, transport::MemoryTransport*& last);

  Layer layer_;
  std::optional<std::size_t> most_moved_;
  transport::MemoryNetwork below_;
  transport::MemoryTransport* last_connected_ = nullptr;
  transport::MemoryTransport* last_accepted_ = nullptr;
};

}  // namespace libnet::test
