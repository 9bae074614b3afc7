#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "transport/native.hpp"
#include "transport/transport.hpp"

namespace libnet::test {

/// Keeps the last bytes that it took back until more come or the end is sent, as a compressor does.
class HoldingTransport final : public transport::Transport {
 public:
  static constexpr std::size_t most_held = 1000;

  /// Outlives the transport.
  struct Counters {
    std::size_t calls = 0;  ///< of `try_write` and `flush`
  };

  HoldingTransport(std::unique_ptr<transport::Transport> lower, Counters& counters)
      : lower_(std::move(lower)), counters_(counters) {}

  void observe(Observer* observer) override { lower_->observe(observer); }
  bool ready_to_read() override { return lower_->ready_to_read(); }
  bool ready_to_write() override { return lower_->ready_to_write(); }
  transport::Result try_read(std::span<std::byte> buffer) override { return lower_->try_read(buffer); }

  /// Takes what it may hold behind what the layer below takes.
  transport::Result try_write(std::span<const iovec> buffers) override {
    ++counters_.calls;
    const std::size_t before = held_.size();
    for (const iovec& buffer : buffers) held_.append(static_cast<const char*>(buffer.iov_base), buffer.iov_len);
    const transport::Result pushed = push(may_hold());
    if (held_.size() > may_hold()) held_.resize(std::max(may_hold(), before - std::min(before, pushed.bytes)));
    const std::size_t taken = held_.size() + pushed.bytes - before;
    if (pushed.status == transport::Status::error) return {taken, pushed.status, pushed.error};
    const bool all = taken == transport::total_size(buffers);
    return {taken, all ? transport::Status::more : transport::Status::would_block, {}};
  }

  transport::Result flush() override {
    ++counters_.calls;
    const transport::Result pushed = push(may_hold());
    const bool failed = pushed.status == transport::Status::error;
    if (!failed && held_.empty() && ended_) send_end();
    return {0, failed ? pushed.status : transport::Status::would_block, pushed.error};
  }

  std::size_t unsent() const noexcept override { return held_.size(); }
  std::uint64_t sent() const noexcept override { return sent_; }
  bool holds_back() const noexcept override { return true; }
  transport::Peek peek_end() override { return lower_->peek_end(); }
  error_code error_behind_end() override { return lower_->error_behind_end(); }

  error_code shutdown_write() override {
    ended_ = true;
    const transport::Result pushed = push(0);
    if (pushed.status == transport::Status::error) return pushed.error;
    return held_.empty() ? send_end() : error_code();
  }
  void close() noexcept override { lower_->close(); }
  void reset() noexcept override { lower_->reset(); }

  std::optional<SocketAddress> local_address() const override { return lower_->local_address(); }
  std::optional<SocketAddress> remote_address() const override { return lower_->remote_address(); }

 private:
  std::size_t may_hold() const noexcept { return ended_ ? 0 : most_held; }

  transport::Result push(std::size_t keep) {
    if (held_.size() <= keep) return {};
    const iovec piece{held_.data(), held_.size() - keep};
    const transport::Result pushed = lower_->try_write({&piece, 1});
    held_.erase(0, pushed.bytes);
    sent_ += pushed.bytes;
    return pushed;
  }

  error_code send_end() { return std::exchange(end_sent_, true) ? error_code() : lower_->shutdown_write(); }

  std::unique_ptr<transport::Transport> lower_;
  Counters& counters_;
  std::string held_;
  std::uint64_t sent_ = 0;
  bool ended_ = false;
  bool end_sent_ = false;
};

}  // namespace libnet::test
