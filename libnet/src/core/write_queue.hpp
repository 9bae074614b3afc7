#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
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
/// count all bytes ever appended since the last reset(). What is taken out or dropped leaves its offsets unused, so that
/// those of all others stay as they are. Everything takes constant time per segment or operation touched.
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
  /// Appends the payload without a copy.
  void append_shared(Bytes bytes);
  /// The same, unless it is small and nobody else has it: then copying is cheaper. Nobody may remove it.
  void append_adopted(Bytes bytes);
  /// Appends memory that the caller keeps until the operation completes.
  void append_borrowed(std::span<const std::byte> bytes);

  /// Takes out what was appended without a copy since `begin`, the appended() from before, as if it had never been there; no
  /// operation may wait for it, and none of it may be consumed.
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
  void note_written(std::size_t count) noexcept { appended_ += count; }

  /// Lets `op` wait for the bytes from `begin`, the appended() from before they were appended, to `end`, the appended() from
  /// after that, or more if some could not be appended: then it never completes. Operations complete in the order of
  /// their push; one of no bytes completes when all before it are consumed.
  void push(detail::WriteOperation& op, std::uint64_t begin, std::uint64_t end) noexcept;

  /// Bytes queued.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// No bytes are queued; operations may wait all the same, and a barrier may stand.
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// No bytes are queued, and no barrier stands.
  [[nodiscard]] bool bare() const noexcept { return first_ == nullptr; }
  /// There are bytes before the barrier, if there is one.
  [[nodiscard]] bool sendable() const noexcept { return first_ != barrier_; }
  [[nodiscard]] bool has_operations() const noexcept { return !operations_.empty(); }
  /// The offset behind the last byte appended, and of the first one that is queued.
  [[nodiscard]] std::uint64_t appended() const noexcept { return appended_; }
  [[nodiscard]] std::uint64_t consumed() const noexcept { return first_ != nullptr ? first_->begin : appended_; }

  /// The offsets between consumed() and the first operation that waits that nobody has any more.
  [[nodiscard]] std::uint64_t gap_before_first() const noexcept;

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
    return op.begin < op.end && op.begin < consumed();
  }
  /// `op` waits in this queue.
  [[nodiscard]] bool contains(const detail::WriteOperation& op) const noexcept;
  /// Takes out an operation that waits here and has not started, and its bytes, which were appended without a copy. Their
  /// offsets stay unused: a `gap` of the operation before it. If none is before it, returns how many they are, else 0.
  std::uint64_t remove(detail::WriteOperation& op) noexcept;

  /// Forgets all queued bytes and the barrier; no operation may wait.
  void drop_data() noexcept;
  /// Forgets everything and counts from 0 again; no operation may wait.
  void reset() noexcept;

 private:
  /// Bytes in a row, none only in a barrier. A copied segment holds its bytes behind this header, in one piece of memory;
  /// those of a piped one are nowhere in memory.
  struct Segment {
    using Free = void (*)(Segment*) noexcept;

    Segment(std::span<const std::byte> bytes, std::size_t allocated, Free destroy) noexcept
        : data(bytes.data()), size(bytes.size()), memory(allocated), free(destroy) {}

    static void free_nothing(Segment*) noexcept {}

    /// It is a copy, and others may stand in it behind what is there.
    bool takes_copies() const noexcept { return free == nullptr; }
    bool in_memory() const noexcept { return data != nullptr; }
    bool piped() const noexcept { return !in_memory() && size != 0; }
    std::uint64_t end() const noexcept { return begin + size; }
    std::byte* payload() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
    std::byte* copied_end() noexcept { return const_cast<std::byte*>(data) + size; }
    std::size_t spare() noexcept {
      return static_cast<std::size_t>(reinterpret_cast<std::byte*>(this) + memory - copied_end());
    }
    void copy_in(std::span<const std::byte> bytes) noexcept {
      std::memcpy(copied_end(), bytes.data(), bytes.size());
      size += bytes.size();
    }
    void consume(std::size_t count) noexcept {
      if (in_memory()) data += count;
      size -= count;
      begin += count;
    }

    Segment* next = nullptr;
    Segment* previous;      // not of the first one
    std::uint64_t begin;    // the offset of the first byte not consumed
    const std::byte* data;  // that byte
    std::size_t size;       // not consumed
    std::size_t memory;     // allocated, with the header
    Free free;              // null if it takes copies
  };
  struct SharedSegment;
  struct PipedSegment;
  struct Barrier;

  Segment* joinable() const noexcept;
  Segment* make_copied(std::size_t size) const;
  void count_appended(std::size_t count) noexcept {
    appended_ += count;
    size_ += count;
  }
  void append_behind(std::span<const std::byte> bytes);
  void outgrow_first(std::span<const std::byte> bytes);
  void link(Segment* segment) noexcept;
  void take_out(Segment* segment) noexcept;
  void take_out(Segment* last, std::uint64_t begin) noexcept;
  void free_segments() noexcept;
  static void free_segment(Segment* segment) noexcept;
  detail::WriteOperation& pop_front(std::size_t transferred) noexcept;

  Segment* first_ = nullptr;
  Segment* last_ = nullptr;
  Segment* barrier_ = nullptr;
  std::uint64_t appended_ = 0;
  std::size_t size_ = 0;
  detail::OperationList operations_;
};

static_assert(sizeof(void*) != 8 || sizeof(WriteQueue) <= 64);

}  // namespace libnet::core
