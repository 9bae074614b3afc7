#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "core/write_queue.hpp"
#include "libnet/detail/operation.hpp"
#include "libnet/payload.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

/// The sending half of a connection: what was written, which of it has left, whether a drain is owed, and how far our side is.
///
/// It moves bytes from the write queue into a transport. Bytes are counted from the beginning of the connection: those
/// that were appended, those that a transport took (consumed), and those that have wholly left it (sent). What is taken out
/// of the queue or dropped stays counted, and its offsets unused. A write is complete when its own bytes are sent,
/// whatever a transport holds of later ones.
class Sending {
 public:
  enum class Side : std::uint8_t {
    open,
    ending,    ///< `end` was called; what is queued leaves first.
    shut,      ///< The transport has taken the end, and may hold its encoded form.
    flushed,   ///< The end was sent; 'finish' is due.
    finished,  ///< 'finish' was told.
    leaving,   ///< What is queued leaves, but no end follows: another process goes on with the connection.
    aborted,   ///< Cut with bytes unsent: the peer gets a reset, not an end.
  };
  enum class Views : std::uint8_t { copied, borrowed };

  /// @name Writing
  /// @{
  /// @param views  What becomes of a payload that is a view: it is copied, or lent until the write has completed. Only what
  ///               was appended as `borrowed` can be removed again.
  void append(Payload&& data, Views views) {
    const bool copied = views == Views::copied;
    if (data.is_view()) return copied ? queue_.append_copy(data.view()) : queue_.append_borrowed(data.view());
    copied ? queue_.append_adopted(data.take_bytes()) : queue_.append_shared(data.take_bytes());
  }
  void append_copy(std::span<const std::byte> bytes) { queue_.append_copy(bytes); }
  void append_borrowed(const detail::WriteBuffers& buffers);
  void append_piped(std::shared_ptr<transport::KernelPipe> pipe) { queue_.append_piped(std::move(pipe)); }
  /// What is appended from here on waits for the next transport.
  void append_barrier(std::unique_ptr<Replacement> replacement) { queue_.append_barrier(std::move(replacement)); }
  /// Offers bytes to the transport before they are queued: what it takes need not be copied. Only if `is_bare()`.
  /// An error is the connection's: its operations are for `pop_any`, and its data to be dropped.
  /// @throws std::bad_alloc if nothing was taken and nothing can be queued.
  transport::Result write_through(transport::Transport& transport, std::span<const std::byte> bytes);
  /// Lets an operation wait for the bytes [begin, end) that were appended last; see WriteQueue::push.
  void await_bytes(detail::WriteOperation& operation, std::uint64_t begin, std::uint64_t end) noexcept {
    queue_.push(operation, begin, end);
  }
  /// @}

  /// @name Counts [bytes of the connection]
  /// @{
  std::uint64_t appended() const noexcept { return queue_.appended(); }
  std::uint64_t sent() const noexcept {
    return holding_ != nullptr ? sent_before_ + holding_->sent() : queue_.consumed();
  }
  /// What a transport holds, encoded.
  std::size_t unsent() const noexcept { return holding_ != nullptr ? holding_->unsent() : 0; }
  std::size_t queued() const noexcept { return queue_.size(); }
  /// Queued, wherever the bytes are.
  std::size_t buffered() const noexcept { return queue_.size() + unsent(); }
  /// Fewer bytes are queued than the mark. False also where that depends on what a transport makes of them.
  bool is_below(std::size_t mark) const noexcept { return holding_ == nullptr && queue_.size() < mark; }
  /// `buffered()` without what is in a pipe of the kernel, which is no memory and nobody's write.
  std::size_t buffered_in_user_space() const noexcept;
  /// Whether nothing at all is queued or held, and no barrier stands.
  bool is_bare() const noexcept { return queue_.bare() && unsent() == 0; }
  /// @}

  /// @name Transports
  /// @{
  /// What is sent from now on goes through this transport, which lives until `detach` or the next `attach`.
  void attach(const transport::Transport& transport) noexcept;
  /// The transport is about to be closed: what has left it by now is all that ever will.
  void detach() noexcept { holding_ = nullptr; }
  bool has_barrier() const noexcept { return queue_.has_barrier(); }
  /// All that was written before the barrier has wholly left.
  bool is_at_barrier() const noexcept { return queue_.at_barrier() && unsent() == 0; }
  std::unique_ptr<Replacement> pass_barrier() noexcept { return queue_.pop_barrier(); }
  /// @}

  /// @name Sending
  /// @{
  bool is_corked() const noexcept { return corks_ != 0 && side_ == Side::open; }
  void cork() noexcept { ++corks_; }
  /// True if the last cork was taken out.
  bool uncork() noexcept { return corks_ != 0 && --corks_ == 0; }

  struct Flushed {
    bool moved = false;   ///< Bytes were taken by the transport.
    bool more = false;    ///< More may leave at once; the bound on writes was met.
    bool failed = false;  ///< The transport failed.
  };
  /// Sends what the transport takes, in at most `most` gathered writes. Where it ends early without an error, the transport
  /// tells its observer when it can go on.
  /// @param error  Set if the transport fails.
  Flushed flush(transport::Transport& transport, int most, error_code& error);
  /// Offers all that is queued, each byte once; ends with the first write that does not take all it is offered.
  Flushed offer(transport::Transport& transport, error_code& error);
  /// @}

  /// @name Operations
  /// @{
  bool has_operations() const noexcept { return queue_.has_operations(); }
  bool has_started(const detail::WriteOperation& operation) const noexcept { return queue_.started(operation); }
  bool has_sent(const detail::WriteOperation& operation) const noexcept { return operation.end <= sent(); }
  bool contains(const detail::WriteOperation& operation) const noexcept { return queue_.contains(operation); }
  /// Takes out a write that has not started, with its bytes.
  void remove(detail::WriteOperation& operation) noexcept { sent_before_ += queue_.remove(operation); }
  /// Takes out the next write whose bytes are sent; null if there is none.
  detail::WriteOperation* pop_completed() noexcept {
    if (!queue_.has_operations()) return nullptr;
    return holding_ == nullptr ? queue_.pop_completed(queue_.consumed()) : passed(queue_.pop_completed(sent()));
  }
  /// Takes out the next write, whatever it waits for; null if there is none.
  detail::WriteOperation* pop_any() noexcept {
    return queue_.has_operations() ? passed(queue_.pop_any(sent())) : nullptr;
  }
  /// Forgets what is queued; no operation may wait.
  void drop_data() noexcept { queue_.drop_data(); }
  /// @}

  /// @name Drain
  /// Contract 5: one 'drain' for a queue that was too full and has emptied.
  /// @{
  bool owes_drain() const noexcept { return owes_drain_; }
  void owe_drain() noexcept { owes_drain_ = true; }
  /// True, once, when a drain is owed and no more than the mark is queued. After `end()` only an empty queue will do.
  /// @param keeps  The transport could send what it holds, and does not want to before there is more of it: then only what it
  ///               has not taken counts.
  bool take_drain(std::size_t low_water_mark, bool keeps = false) noexcept {
    const std::size_t waiting = is_open() && keeps ? queued() : buffered();
    if (!owes_drain_ || waiting > (is_open() ? low_water_mark : 0)) return false;
    owes_drain_ = false;
    return true;
  }
  /// @}

  /// @name Our side
  /// @{
  bool is_open() const noexcept { return side_ == Side::open; }
  /// The end is on its way, or was sent and is not told yet.
  bool is_ending() const noexcept { return side_ != Side::open && side_ != Side::finished; }
  bool end_is_sent() const noexcept { return finish_is_due() || has_finished(); }
  bool finish_is_due() const noexcept { return side_ == Side::flushed; }
  bool has_finished() const noexcept { return side_ == Side::finished; }
  bool is_aborted() const noexcept { return side_ == Side::aborted; }
  /// What is queued leaves, then the end; corks hold nothing back any more.
  void end() noexcept;
  void abort() noexcept { side_ = Side::aborted; }
  void leave() noexcept;
  bool is_leaving() const noexcept { return side_ == Side::leaving; }
  /// All has left, and no end follows.
  bool has_left() const noexcept { return is_leaving() && is_bare(); }
  /// The parent process sends what is queued, and the end behind it.
  void leave_to_parent() noexcept;
  /// Hands the end to the transport once it has taken all else: it may hold bytes that only an end releases.
  error_code send_end(transport::Transport& transport);
  /// True, once, when the end has wholly left.
  bool take_end_sent() noexcept;
  /// A socket that never connected has nothing to flush: its end counts as sent. True if it was wanted.
  bool end_unconnected() noexcept;
  void note_finish_told() noexcept { side_ = Side::finished; }
  /// The connection is destroyed: a 'finish' that was not told yet is not told any more.
  void tell_no_finish() noexcept {
    if (finish_is_due()) note_finish_told();
  }
  /// @}

  /// A new connection begins; no operation may wait.
  void reset() noexcept;

 private:
  bool may_send_more() const noexcept { return queue_.sendable() || unsent() != 0; }
  /// What was taken out behind the operation will never be sent: the offsets behind that are reached without it. What was
  /// consumed needs no such correction, only what a transport counts.
  detail::WriteOperation* passed(detail::WriteOperation* operation) noexcept {
    if (operation != nullptr) sent_before_ += operation->gap;
    return operation;
  }
  transport::Result send_front(transport::Transport& transport, std::span<iovec> pieces);
  transport::Result send_gathered(transport::Transport& transport, std::span<const iovec> gathered);

  WriteQueue queue_;
  const transport::Transport* holding_ = nullptr;  // the transport, if it may hold what it took
  std::uint64_t sent_before_ = 0;  // its bytes: offsets before its first, and gaps before the first operation
  std::uint32_t corks_ = 0;
  Side side_ = Side::open;
  bool owes_drain_ = false;
};

}  // namespace libnet::core
