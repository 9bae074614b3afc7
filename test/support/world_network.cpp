#include "support/world_network.hpp"

#include "support/record_transport.hpp"
#include "transport/memory_transport.hpp"

namespace libnet::test {

class WorldNetwork::LayeredListener final : public transport::Listener {
 public:
  LayeredListener(WorldNetwork& network, SharedLoop loop, MadeListener below)
      : network_(network), loop_(std::move(loop)), below_(std::move(below)) {}

  void observe(Observer* observer) override { below_->observe(observer); }
  error_code accept(Accepted& accepted) override {
    const error_code code = below_->accept(accepted);
    if (!code) network_.cover(accepted.transport, loop_, network_.last_accepted_);
    return code;
  }
  const std::optional<SocketAddress>& address() const noexcept override { return below_->address(); }

 private:
  WorldNetwork& network_;
  SharedLoop loop_;
  MadeListener below_;
};

class WorldNetwork::LayeredAttempt final : public transport::Attempt {
 public:
  LayeredAttempt(WorldNetwork& network, SharedLoop loop, std::unique_ptr<transport::Attempt> below)
      : network_(network), loop_(std::move(loop)), below_(std::move(below)) {}

  void observe(Observer* observer) override { below_->observe(observer); }
  error_code proceed(std::unique_ptr<transport::Transport>& connected) override {
    const error_code code = below_->proceed(connected);
    if (!code) network_.cover(connected, loop_, network_.last_connected_);
    return code;
  }
  const std::optional<SocketAddress>& local_address() const noexcept override { return below_->local_address(); }
  bool failed_to_bind() const noexcept override { return below_->failed_to_bind(); }

 private:
  WorldNetwork& network_;
  SharedLoop loop_;
  std::unique_ptr<transport::Attempt> below_;
};

void WorldNetwork::cover(std::unique_ptr<transport::Transport>& made, const SharedLoop& loop,
                         transport::MemoryTransport*& last) {
  last = &static_cast<transport::MemoryTransport&>(*made);
  if (most_moved_) {
    last->shape().limit_reads(*most_moved_);
    last->shape().limit_writes(*most_moved_);
  }
  if (layer_ == Layer::records) made = std::make_unique<RecordTransport>(loop, std::move(made));
}

error_code WorldNetwork::listen(const SharedLoop& loop, const SocketAddress& address,
                                const transport::ListenerOptions& options, MadeListener& made) {
  MadeListener listener;
  const error_code code = below_.listen(loop, address, options, listener);
  if (!code) made = std::make_unique<LayeredListener>(*this, loop, std::move(listener));
  return code;
}

error_code WorldNetwork::listen(const SharedLoop& loop, const BoundSocket& bound,
                                const transport::ListenerOptions& options, MadeListener& made) {
  return below_.listen(loop, bound, options, made);
}

error_code WorldNetwork::listen(const SharedLoop& loop, int descriptor, const transport::ListenerOptions& options,
                                MadeListener& made) {
  return below_.listen(loop, descriptor, options, made);
}

std::unique_ptr<transport::Attempt> WorldNetwork::connect(const SharedLoop& loop, const SocketAddress& address,
                                                          const transport::AttemptOptions& options) {
  return std::make_unique<LayeredAttempt>(*this, loop, below_.connect(loop, address, options));
}

error_code WorldNetwork::adopt(const SharedLoop& loop, int descriptor, transport::Adopted& adopted) {
  return below_.adopt(loop, descriptor, adopted);
}

void WorldNetwork::lookup(reactor::Loop& loop, std::string_view host, const LookupOptions& options,
                          LookupAnswer answer) {
  below_.lookup(loop, host, options, std::move(answer));
}

}  // namespace libnet::test
