#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "support/socket_pair.hpp"
#include "transport/kernel_pipe.hpp"
#include "transport/transport.hpp"

namespace libnet::test {

/// A transport without a peer, for tests of what drives one: it does what the script says and keeps what it was asked.
///
/// Calls are counted whatever their kind, so that a scenario can be run with its first call failing, then its second, and
/// so on. The observer is never told: a test asks again when it likes.
class ScriptedTransport final : public transport::Transport {
 public:
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t most_output = std::size_t{1} << 20U;  ///< [bytes] that are taken without an allocation.

  enum class Holding : std::uint8_t { never, maybe };

  /// @param sent_before  What it has sent for somebody else. [bytes]
  explicit ScriptedTransport(Holding holding = Holding::never, std::uint64_t sent_before = 0)
      : holding_(holding), sent_before_(sent_before) {
    taken_.reserve(most_output);
    options_.reserve(16);
  }
  ~ScriptedTransport() override { close(); }

  /// @name The script
  /// @{
  void give(std::string_view input) { input_ += input; }
  void end_input() noexcept { input_ended_ = true; }
  void limit_reads(std::size_t most) noexcept { most_read_ = most; }
  void limit_writes(std::size_t most) noexcept { most_write_ = most; }
  /// A write that took all that it may says `would_block`, although the next one may come at once.
  void say_that_was_all() noexcept { says_that_was_all_ = true; }
  void set_writable(bool writable) noexcept { writable_ = writable; }
  /// Holds the last bytes that it took back until more come, whatever is asked. `Holding::maybe` only.
  void hold_last(std::size_t bytes) noexcept {
    held_back_ = bytes;
    let_leave();
  }
  /// Holds this much of the encoded end back, until it is told otherwise. `Holding::maybe` only.
  void hold_end(std::size_t bytes) noexcept { held_of_end_ = bytes; }
  /// The n-th call from now fails, and all later ones. What can only be asked is answered, and the next call fails.
  void fail_call(std::size_t nth, error_code error) noexcept {
    calls_until_failure_ = nth;
    error_ = error;
  }
  /// The n-th call from now moves nothing and would block.
  void block_call(std::size_t nth) noexcept { calls_until_block_ = nth; }
  void know_type_of_service(int value) noexcept { type_of_service_ = value; }
  /// @}

  /// @name What it has seen
  /// @{
  const std::string& taken() const noexcept { return taken_; }
  std::string_view left() const noexcept { return std::string_view(taken_).substr(0, left_); }
  std::size_t unread() const noexcept { return input_.size(); }
  /// The most that a read had room for. [bytes]
  std::size_t largest_read() const noexcept { return largest_read_; }
  std::size_t writes() const noexcept { return writes_; }
  std::size_t ends() const noexcept { return ends_; }
  bool fault_has_fired() const noexcept { return failed_; }
  bool block_has_fired() const noexcept { return blocked_; }
  /// The options that were set, in order.
  const std::vector<std::string>& options() const noexcept { return options_; }
  /// @}

  void observe(Observer*) override {}
  bool ready_to_read() override { return !blocks_now() && (failing() || input_ended_ || !input_.empty()); }
  bool ready_to_write() override { return !blocks_now() && (failing() || writable_); }

  transport::Result try_read(std::span<std::byte> buffer) override {
    largest_read_ = std::max(largest_read_, buffer.size());
    if (blocks_now()) return {};
    if (failing()) return fail();
    if (input_.empty()) return {0, input_ended_ ? transport::Status::end : transport::Status::would_block, {}};
    const std::size_t size = std::min({buffer.size(), most_read_, input_.size()});
    std::memcpy(buffer.data(), input_.data(), size);
    input_.erase(0, size);
    return {size, transport::Status::more, {}};
  }

  transport::Result try_write(std::span<const iovec> buffers) override {
    ++writes_;
    if (blocks_now()) return {};
    if (failing()) return fail();
    if (!writable_) return {};
    std::size_t size = 0;
    for (const iovec& piece : buffers) {
      const std::size_t most = std::min(piece.iov_len, most_write_ - size);
      taken_.append(static_cast<const char*>(piece.iov_base), most);
      size += most;
    }
    let_leave();
    return {size, says_that_was_all_ ? transport::Status::would_block : transport::Status::more, {}};
  }

  bool can_splice() const noexcept override { return true; }

  transport::Result splice_in(transport::KernelPipe& pipe) override {
    if (blocks_now()) return {};
    if (failing()) return fail();
    if (!sockets_) sockets_ = unix_pair();
    const std::size_t offered = std::min(most_read_, input_.size());
    if (offered == 0 || ::send(sockets_->first, input_.data(), offered, 0) < 0) return {0, transport::Status::more, {}};
    const auto size = static_cast<std::size_t>(std::max<ssize_t>(pipe.take_from(sockets_->second), 0));
    input_.erase(0, size);
    return {size, transport::Status::more, {}};
  }

  transport::Result splice_out(transport::KernelPipe& pipe) override {
    if (blocks_now()) return {};
    if (failing()) return fail();
    if (!writable_) return {};
    if (!sockets_) sockets_ = unix_pair();
    const auto size = static_cast<std::size_t>(std::max<ssize_t>(pipe.give_to(sockets_->first), 0));
    const std::size_t before = taken_.size();
    taken_.resize(before + size);
    if (::recv(sockets_->second, taken_.data() + before, size, MSG_WAITALL) < 0) taken_.resize(before);
    let_leave();
    return {size, transport::Status::more, {}};
  }

  transport::Result flush() override {
    if (blocks_now()) return {};
    if (failing()) return fail();
    return {0, unsent() == 0 ? transport::Status::more : transport::Status::would_block, {}};
  }

  std::size_t unsent() const noexcept override { return taken_.size() - left_ + (ends_ != 0 ? held_of_end_ : 0); }
  std::uint64_t sent() const noexcept override { return sent_before_ + left_; }
  bool holds_back() const noexcept override { return holding_ == Holding::maybe; }

  transport::Peek peek_end() override { return {}; }

  error_code shutdown_write() override {
    if (!blocks_now() && failing()) return fail().error;
    ++ends_;
    return {};
  }

  void close() noexcept override {
    if (!sockets_) return;
    ::close(sockets_->first);
    ::close(sockets_->second);
    sockets_.reset();
  }
  void reset() noexcept override { close(); }

  void set_no_delay(bool enable) noexcept override {
    options_.push_back("no_delay " + std::to_string(static_cast<int>(enable)));
  }
  void set_keep_alive(const KeepAlive& wanted) noexcept override {
    options_.push_back("keep_alive " + std::to_string(static_cast<int>(wanted.enable)) + ' ' +
                       std::to_string(wanted.initial_delay.count()) + ' ' + std::to_string(wanted.interval.count()) +
                       ' ' + std::to_string(wanted.count));
  }
  void set_type_of_service(int value) noexcept override {
    options_.push_back("type_of_service " + std::to_string(value));
  }
  std::optional<int> type_of_service() const noexcept override { return type_of_service_; }

  std::optional<SocketAddress> local_address() const override { return std::nullopt; }
  std::optional<SocketAddress> remote_address() const override { return std::nullopt; }

 private:
  /// Counts the call; true if it is the one that blocks.
  bool blocks_now() noexcept {
    if (calls_until_failure_ != 0 && --calls_until_failure_ == 0) failing_ = true;
    if (calls_until_block_ == 0 || --calls_until_block_ != 0) return false;
    blocked_ = true;
    return true;
  }
  bool failing() const noexcept { return failing_; }
  transport::Result fail() noexcept {
    failed_ = true;
    return {0, transport::Status::error, error_};
  }
  void let_leave() noexcept { left_ = std::max(left_, taken_.size() - std::min(held_back_, taken_.size())); }

  const Holding holding_;
  const std::uint64_t sent_before_;
  std::string input_;
  std::string taken_;
  std::size_t left_ = 0;  // of what was taken
  std::size_t held_back_ = 0;
  std::size_t held_of_end_ = 0;
  std::size_t most_read_ = unlimited;
  std::size_t most_write_ = unlimited;
  std::size_t calls_until_failure_ = 0;
  std::size_t calls_until_block_ = 0;
  std::size_t largest_read_ = 0;
  std::size_t writes_ = 0;
  std::size_t ends_ = 0;
  error_code error_;
  std::vector<std::string> options_;
  std::optional<int> type_of_service_;
  std::optional<std::pair<int, int>> sockets_;  // what a pipe of the kernel is filled and emptied through
  bool input_ended_ = false;
  bool writable_ = true;
  bool says_that_was_all_ = false;
  bool failing_ = false;
  bool failed_ = false;
  bool blocked_ = false;
};

}  // namespace libnet::test
