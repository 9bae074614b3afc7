#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <sys/uio.h>

#include "core/replacement.hpp"
#include "libnet/bytes.hpp"
#include "libnet/detail/operation.hpp"
#include "transport/kernel_pipe.hpp"

/// What was written and is not yet sent: bytes in order, and the operations that wait for them.
namespace libnet::core {

/// A plain data structure without I/O: append, gather for one system call, consume what it took, complete in order.
///
/// The bytes stand in segments, each either a copy, shared, borrowed, or in a pipe of the kernel. Offsets are absolute: they
/// count the bytes since the last reset(). Everything but remove() takes constant time per segment or operation touched.
/// Allocation: segments live in recycled memory; small copies share segments; only copies of more than 8 KiB reach the
/// heap. An append that throws std::bad_alloc has appended nothing.
class WriteQueue {
 public:
  WriteQueue() noexcept = default;
  WriteQueue(const WriteQueue&) = delete;
  WriteQueue& operator=(const WriteQueue&) = delete;
  /// Frees the bytes. Operations are not its own: they must be gone.
  ~WriteQueue() { free_segments(); }

  /// Appends a copy.
  void append_copy(std::span<const std::byte> bytes);
  /// Appends the payload without a copy, unless it is small and nobody else has it: then copying is cheaper.
  void append_shared(Bytes bytes);
  /// Appends memory that the caller keeps until the operation completes.
  void append_borrowed(std::span<const std::byte> bytes);

  /// Takes out what was appended since `begin`, the appended() from before; no operation may wait for it, and none of it may
  /// be consumed.
  void take_back(std::uint64_t begin) noexcept;

  /// Appends what is in the pipe; no operation waits for it.
  void append_piped(std::shared_ptr<transport::KernelPipe> pipe);

  /// Nothing that is appended from here on can be gathered before pop_barrier(). One at a time.
  void append_barrier(std::unique_ptr<Replacement> replacement);
  [[nodiscard]] bool has_barrier() const noexcept { return barrier_ != nullptr; }
  /// All that was appended before the barrier has been consumed.
  [[nodiscard]] bool at_barrier() const noexcept { return barrier_ != nullptr && first_ == barrier_; }
  [[nodiscard]] std::unique_ptr<Replacement> pop_barrier() noexcept;

  /// Counts bytes that were written without having been queued; only while the queue is bare.
  void note_written(std::size_t count) noexcept {
    appended_ += count;
    consumed_ += count;
  }

  /// Counts bytes that were to be queued and will never be sent, so that no operation completes that waits for them. All that
  /// can follow is drop_data().
  void note_missing(std::size_t count) noexcept { appended_ += count; }

  /// Lets `op` wait for the bytes from `begin` to the end of the queue; `begin` is appended() from before they were
  /// appended. Operations complete in the order of their push; one of no bytes completes when all before it are consumed.
  void push(detail::WriteOperation& op, std::uint64_t begin) noexcept;

  /// Bytes queued.
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(appended_ - consumed_); }
  /// No bytes are queued; operations may wait all the same, and a barrier may stand.
  [[nodiscard]] bool empty() const noexcept { return appended_ == consumed_; }
  /// No bytes are queued, and no barrier stands.
  [[nodiscard]] bool bare() const noexcept { return first_ == nullptr; }
  /// There are bytes before the barrier, if there is one.
  [[nodiscard]] bool sendable() const noexcept { return first_ != barrier_; }
  [[nodiscard]] bool has_operations() const noexcept { return !operations_.empty(); }
  /// The offset behind the last byte appended, and of the first one not consumed.
  [[nodiscard]] std::uint64_t appended() const noexcept { return appended_; }
  [[nodiscard]] std::uint64_t consumed() const noexcept { return consumed_; }

  /// The pipe in which the first bytes are, null if they are in memory.
  [[nodiscard]] transport::KernelPipe* front_pipe() const noexcept;
  /// Describes the first bytes that are in memory, up to the barrier, a segment an entry, and says how many entries it
  /// filled.
  [[nodiscard]] std::size_t gather(std::span<iovec> out) const noexcept;
  /// Takes the first `count` bytes out, at most size(), and frees what is done.
  void consume(std::size_t count) noexcept;

  /// Takes out the next operation whose bytes end at or before the offset `sent`, with their number in `transferred`; null
  /// if there is none.
  [[nodiscard]] detail::WriteOperation* pop_completed(std::uint64_t sent) noexcept;
  /// Takes out the next operation, whatever it waits for, with the number of its bytes before the offset `sent` in
  /// `transferred`; null if there is none.
  [[nodiscard]] detail::WriteOperation* pop_any(std::uint64_t sent) noexcept;

  /// At least one byte of `op`, which waits here, has been consumed.
  [[nodiscard]] bool started(const detail::WriteOperation& op) const noexcept {
    return op.begin < op.end && op.begin < consumed_;
  }
  /// `op` waits in this queue.
  [[nodiscard]] bool contains(const detail::WriteOperation& op) const noexcept;
  /// Takes out an operation that waits here and has not started, and its bytes, whatever their segments; the offsets of
  /// all later operations shift. Returns the number of bytes taken out.
  std::size_t remove(detail::WriteOperation& op) noexcept;

  /// Forgets all queued bytes and the barrier. The operations keep waiting for pop_any(); until they are gone nothing may be appended.
  void drop_data() noexcept;
  /// Forgets everything and counts from 0 again; no operation may wait.
  void reset() noexcept;

 private:
  struct Segment;
  struct SharedSegment;
  struct PipedSegment;
  struct Barrier;

  Segment* make_copied(std::size_t size) const;
  void append_behind(std::span<const std::byte> bytes);
  void outgrow_first(std::span<const std::byte> bytes);
  void link(Segment* segment) noexcept;
  std::size_t cut(std::uint64_t begin, std::uint64_t end) noexcept;
  void free_segments() noexcept;
  static void free_segment(Segment* segment) noexcept;
  detail::WriteOperation& pop_front(std::size_t transferred) noexcept;

  Segment* first_ = nullptr;
  Segment* last_ = nullptr;
  Segment* barrier_ = nullptr;
  std::uint64_t appended_ = 0;
  std::uint64_t consumed_ = 0;
  detail::OperationList operations_;
};

static_assert(sizeof(void*) != 8 || sizeof(WriteQueue) <= 64);

}  // namespace libnet::core
