#include "core/write_queue.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

#include "libnet/detail/recycling.hpp"

namespace libnet::core {
namespace {

/// The first copied segment with its header; the second has room for many small writes, later ones have
/// largest_recycled. [bytes]
constexpr std::size_t first_copied = 320;
constexpr std::size_t second_copied = 4 * 1024;

/// Up to this size copying what nobody shares costs less than a segment and an entry of its own. [bytes]
constexpr std::size_t small_adopted = 128;

/// Marks an operation that waits in `queue`; until then nobody reads what it has transferred.
std::size_t waiting_mark(const WriteQueue* queue) noexcept { return reinterpret_cast<std::size_t>(queue); }

}  // namespace

/// Bytes in a row, none only in a barrier. A copied segment holds its bytes behind this header, in one piece of memory; those
/// of a piped one are nowhere in memory.
struct WriteQueue::Segment {
  using Free = void (*)(Segment*) noexcept;

  Segment(std::span<const std::byte> bytes, std::size_t allocated, Free destroy) noexcept
      : data(bytes.data()), size(bytes.size()), memory(allocated), free(destroy) {}

  bool copied() const noexcept { return free == nullptr; }
  bool in_memory() const noexcept { return data != nullptr; }
  bool piped() const noexcept { return !in_memory() && size != 0; }
  std::byte* payload() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
  std::byte* copied_begin() noexcept { return const_cast<std::byte*>(data); }
  std::byte* copied_end() noexcept { return copied_begin() + size; }
  std::size_t spare() noexcept {
    return copied() ? static_cast<std::size_t>(reinterpret_cast<std::byte*>(this) + memory - copied_end()) : 0;
  }
  void copy_in(std::span<const std::byte> bytes) noexcept {
    std::memcpy(copied_end(), bytes.data(), bytes.size());
    size += bytes.size();
  }
  void close_gap(std::size_t from, std::size_t to) noexcept {
    std::memmove(copied_begin() + from, copied_begin() + to, size - to);
    size -= to - from;
  }

  Segment* next = nullptr;
  const std::byte* data;  // the first byte not consumed
  std::size_t size;       // not consumed
  std::size_t memory;     // allocated, with the header
  Free free;              // null if copied
};

struct WriteQueue::SharedSegment : Segment {
  explicit SharedSegment(Bytes shared) noexcept
      : Segment(shared.span(), sizeof(SharedSegment),
                [](Segment* unused) noexcept { static_cast<SharedSegment*>(unused)->~SharedSegment(); }),
        bytes(std::move(shared)) {}

  Bytes bytes;
};

struct WriteQueue::PipedSegment : Segment {
  explicit PipedSegment(std::shared_ptr<transport::KernelPipe> through) noexcept
      : Segment({}, sizeof(PipedSegment),
                [](Segment* unused) noexcept { static_cast<PipedSegment*>(unused)->~PipedSegment(); }),
        pipe(std::move(through)) {
    size = pipe->size();
  }

  std::shared_ptr<transport::KernelPipe> pipe;
};

/// Has no bytes: what stands behind it waits until it is taken out.
struct WriteQueue::Barrier : Segment {
  explicit Barrier(std::unique_ptr<Replacement> standing_for) noexcept
      : Segment({}, sizeof(Barrier), [](Segment* unused) noexcept { static_cast<Barrier*>(unused)->~Barrier(); }),
        replacement(std::move(standing_for)) {}

  std::unique_ptr<Replacement> replacement;
};

WriteQueue::Segment* WriteQueue::make_copied(std::size_t size) const {
  std::size_t memory = first_copied;
  if (last_ != nullptr && last_->copied() && last_->memory <= detail::largest_recycled) {
    memory = last_->memory < second_copied ? second_copied : detail::largest_recycled;
  }
  memory = detail::recycled_size(std::max(memory, sizeof(Segment) + size));
  auto* const segment = ::new (detail::recycle_allocate(memory)) Segment({}, memory, nullptr);
  segment->data = segment->payload();
  return segment;
}

void WriteQueue::append_copy(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (last_ == nullptr || last_->spare() < bytes.size()) return append_behind(bytes);
  last_->copy_in(bytes);
  appended_ += bytes.size();
}

/// The last segment has no room for all of them.
void WriteQueue::append_behind(std::span<const std::byte> bytes) {
  const bool small_one = last_ != nullptr && last_ == first_ && last_->copied() && last_->memory <= first_copied;
  if (small_one) return outgrow_first(bytes);
  const std::size_t fits = last_ != nullptr ? last_->spare() : 0;
  Segment* const another = make_copied(bytes.size() - fits);
  if (fits != 0) {
    last_->copy_in(bytes.first(fits));
    appended_ += fits;
  }
  another->copy_in(bytes.subspan(fits));
  link(another);
}

/// The small first segment moves into the next one: so what small writes queue in one turn leaves in one piece, which
/// costs the kernel less than a gather list.
void WriteQueue::outgrow_first(std::span<const std::byte> bytes) {
  Segment* const another = make_copied(first_->size + bytes.size());
  another->copy_in({first_->data, first_->size});
  another->copy_in(bytes);
  free_segment(first_);
  first_ = last_ = another;
  appended_ += bytes.size();
}

void WriteQueue::append_shared(Bytes bytes) {
  if (bytes.empty()) return;
  if (bytes.size() <= small_adopted && bytes.use_count() == 1) return append_copy(bytes.span());
  link(::new (detail::recycle_allocate(sizeof(SharedSegment))) SharedSegment(std::move(bytes)));
}

void WriteQueue::append_borrowed(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  const auto keep = [](Segment*) noexcept {};
  link(::new (detail::recycle_allocate(sizeof(Segment))) Segment(bytes, sizeof(Segment), keep));
}

void WriteQueue::append_piped(std::shared_ptr<transport::KernelPipe> pipe) {
  link(::new (detail::recycle_allocate(sizeof(PipedSegment))) PipedSegment(std::move(pipe)));
}

void WriteQueue::append_barrier(std::unique_ptr<Replacement> replacement) {
  assert(!has_barrier());
  barrier_ = ::new (detail::recycle_allocate(sizeof(Barrier))) Barrier(std::move(replacement));
  link(barrier_);
}

std::unique_ptr<Replacement> WriteQueue::pop_barrier() noexcept {
  assert(at_barrier());
  auto replacement = std::move(static_cast<Barrier*>(barrier_)->replacement);
  first_ = barrier_->next;
  if (first_ == nullptr) last_ = nullptr;
  free_segment(std::exchange(barrier_, nullptr));
  return replacement;
}

void WriteQueue::link(Segment* segment) noexcept {
  (last_ != nullptr ? last_->next : first_) = segment;
  last_ = segment;
  appended_ += segment->size;
}

void WriteQueue::push(detail::WriteOperation& op, std::uint64_t begin) noexcept {
  assert(begin <= appended_);
  op.begin = begin;
  op.end = appended_;
  op.transferred = waiting_mark(this);
  operations_.push_back(op);
}

transport::KernelPipe* WriteQueue::front_pipe() const noexcept {
  return first_ != nullptr && first_->piped() ? static_cast<PipedSegment*>(first_)->pipe.get() : nullptr;
}

std::size_t WriteQueue::gather(std::span<iovec> out) const noexcept {
  std::size_t filled = 0;
  for (const Segment* segment = first_; segment != nullptr && filled < out.size(); segment = segment->next) {
    if (!segment->in_memory()) break;
    // The kernel only reads what an entry of a gathering write describes.
    out[filled++] = {const_cast<std::byte*>(segment->data), segment->size};
  }
  return filled;
}

void WriteQueue::consume(std::size_t count) noexcept {
  assert(count <= size());
  consumed_ += count;
  while (count != 0) {
    Segment* const segment = first_;
    if (count < segment->size) {
      if (segment->in_memory()) segment->data += count;
      segment->size -= count;
      return;
    }
    count -= segment->size;
    first_ = segment->next;
    free_segment(segment);
  }
  if (first_ == nullptr) last_ = nullptr;
}

detail::WriteOperation& WriteQueue::pop_front(std::size_t transferred) noexcept {
  auto& op = static_cast<detail::WriteOperation&>(operations_.pop_front());
  op.transferred = transferred;
  return op;
}

detail::WriteOperation* WriteQueue::pop_completed(std::uint64_t sent) noexcept {
  if (operations_.empty()) return nullptr;
  const auto& op = static_cast<const detail::WriteOperation&>(operations_.front());
  if (op.end > sent) return nullptr;
  return &pop_front(static_cast<std::size_t>(op.end - op.begin));
}

detail::WriteOperation* WriteQueue::pop_any(std::uint64_t sent) noexcept {
  if (operations_.empty()) return nullptr;
  const auto& op = static_cast<const detail::WriteOperation&>(operations_.front());
  return &pop_front(static_cast<std::size_t>(std::clamp(sent, op.begin, op.end) - op.begin));
}

bool WriteQueue::contains(const detail::WriteOperation& op) const noexcept {
  return op.linked() && op.transferred == waiting_mark(this);
}

std::size_t WriteQueue::remove(detail::WriteOperation& op) noexcept {
  assert(contains(op) && !started(op));
  detail::OperationList earlier;
  while (&operations_.front() != &op) earlier.push_back(operations_.pop_front());
  pop_front(0);
  const std::size_t removed = cut(op.begin, op.end);
  detail::OperationList later;
  while (!operations_.empty()) {
    auto& shifted = static_cast<detail::WriteOperation&>(operations_.pop_front());
    shifted.begin -= removed;
    shifted.end -= removed;
    later.push_back(shifted);
  }
  operations_.prepend(later);
  operations_.prepend(earlier);
  return removed;
}

void WriteQueue::take_back(std::uint64_t begin) noexcept {
  assert(consumed_ <= begin);
  cut(begin, appended_);
}

/// Takes the bytes of the offsets [begin, end) out. Both stand between two appends, so only copies are cut in parts.
std::size_t WriteQueue::cut(std::uint64_t begin, std::uint64_t end) noexcept {
  const std::uint64_t before = appended_;
  std::uint64_t position = consumed_;
  Segment* previous = nullptr;
  for (Segment* segment = first_; segment != nullptr && position < end;) {
    Segment* const next = segment->next;
    const auto from = static_cast<std::size_t>(std::clamp(begin, position, position + segment->size) - position);
    const auto to = static_cast<std::size_t>(std::clamp(end, position, position + segment->size) - position);
    position += segment->size;
    appended_ -= to - from;
    if (segment->size != 0 && to - from == segment->size) {
      (previous != nullptr ? previous->next : first_) = next;
      if (next == nullptr) last_ = previous;
      free_segment(segment);
    } else {
      assert(from == to || segment->copied());
      if (from != to) segment->close_gap(from, to);
      previous = segment;
    }
    segment = next;
  }
  return static_cast<std::size_t>(before - appended_);
}

void WriteQueue::drop_data() noexcept {
  free_segments();
  appended_ = consumed_;
}

void WriteQueue::reset() noexcept {
  assert(!has_operations());
  free_segments();
  appended_ = consumed_ = 0;
}

void WriteQueue::free_segments() noexcept {
  while (first_ != nullptr) free_segment(std::exchange(first_, first_->next));
  last_ = barrier_ = nullptr;
}

void WriteQueue::free_segment(Segment* segment) noexcept {
  const std::size_t memory = segment->memory;
  if (!segment->copied()) segment->free(segment);
  detail::recycle_deallocate(segment, memory);
}

}  // namespace libnet::core
