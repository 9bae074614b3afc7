#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "core/connection.hpp"
#include "libnet/detail/recycling.hpp"
#include "transport/kernel_pipe.hpp"

namespace libnet::detail {

/// What `Socket::pipe` runs: between a source, whose reader is the pipe's operation, and a destination, at which this
/// waits for an empty queue and for its death. When the source has ended, the operation waits among the source's others.
class Pipe final : public Operation, public Recycled {
 public:
  Pipe(core::Connection& source, PipeOperation& operation, Socket destination, const PipeOptions& options)
      : Operation(Kind::writable),
        source_(source),
        operation_(operation),
        destination_(std::move(destination)),
        ends_destination_(options.end) {}
  ~Pipe() override {
    if (linked()) OperationList::remove(*this);
  }

  /// Why nothing can be passed on any more; no error if it can. What the destination died of comes first.
  error_code refusal() const { return result ? result : destination().refusal(); }

  core::Connection& destination() const { return core::Connection::of(destination_); }
  bool ends_destination() const noexcept { return ends_destination_; }
  bool is_heard() const noexcept { return operation_.is_heard; }

  /// @name What it waits for at the destination
  /// It has to be asked for again each time.
  /// @{
  void want_empty_queue() noexcept { wish_ = Wish::empty_queue; }
  void want_all_sent() noexcept { wish_ = Wish::all_sent; }
  /// True if it was asked for. Nothing is queued there any more.
  bool take_writable(bool all_sent) noexcept {
    if (wish_ == Wish::nothing || (wish_ == Wish::all_sent && !all_sent)) return false;
    wish_ = Wish::nothing;
    return true;
  }
  /// @}

  /// One read, passed on to the destination, whose queue is empty. The pipe may be gone afterwards, if it leads back to its
  /// source and the write failed.
  /// @param source  The source's transport.
  transport::Result pass_on(core::Receiving& input, transport::Transport& source);

  /// The pipe of the kernel has become another process's.
  void forget_shortcut() noexcept { shortcut_.reset(); }

  /// Nothing is queued at the destination, or it is dead.
  void complete() override;
  std::chrono::nanoseconds watch_cancellation(OperationOwner&) override { return no_time_limit; }
  /// The operation is the source's to abandon.
  void abandon() noexcept override {}
  void refuse() override {}

 private:
  enum class Wish : std::uint8_t { nothing, empty_queue, all_sent };

  transport::Result pass_on_copied(core::Receiving& input, transport::Transport& source);
  transport::Result pass_on_spliced(core::Receiving& input, transport::Transport& source);
  bool may_splice() const noexcept { return source_.can_splice() && destination().can_splice(); }

  core::Connection& source_;
  PipeOperation& operation_;
  Socket destination_;
  std::shared_ptr<transport::KernelPipe> shortcut_;  // past user space; null while the stream is not in bulk
  bool ends_destination_;
  Wish wish_ = Wish::nothing;
};

}  // namespace libnet::detail
