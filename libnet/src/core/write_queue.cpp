#include "core/write_queue.hpp"

#include <algorithm>
#include <cassert>
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

/// The last segment, if copies may stand in it behind what is there.
WriteQueue::Segment* WriteQueue::joinable() const noexcept {
  return last_ != nullptr && last_->takes_copies() ? last_ : nullptr;
}

WriteQueue::Segment* WriteQueue::make_copied(std::size_t size) const {
  std::size_t memory = first_copied;
  const Segment* const before = joinable();
  if (before != nullptr && before->memory <= detail::largest_recycled) {
    memory = before->memory < second_copied ? second_copied : detail::largest_recycled;
  }
  memory = detail::recycled_size(std::max(memory, sizeof(Segment) + size));
  auto* const segment = ::new (detail::recycle_allocate(memory)) Segment({}, memory, nullptr);
  segment->data = segment->payload();
  return segment;
}

void WriteQueue::append_copy(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  Segment* const last = joinable();
  if (last == nullptr || last->spare() < bytes.size()) return append_behind(bytes);
  last->copy_in(bytes);
  count_appended(bytes.size());
}

/// The last segment has no room for all of them.
void WriteQueue::append_behind(std::span<const std::byte> bytes) {
  Segment* const last = joinable();
  if (last != nullptr && last == first_ && last->memory <= first_copied) return outgrow_first(bytes);
  const std::size_t fits = last != nullptr ? last->spare() : 0;
  Segment* const another = make_copied(bytes.size() - fits);
  if (fits != 0) {
    last->copy_in(bytes.first(fits));
    count_appended(fits);
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
  another->begin = first_->begin;
  free_segment(first_);
  first_ = last_ = another;
  count_appended(bytes.size());
}

void WriteQueue::append_adopted(Bytes bytes) {
  const bool small_one = bytes.size() <= small_adopted && bytes.use_count() == 1;
  small_one ? append_copy(bytes.span()) : append_shared(std::move(bytes));
}

void WriteQueue::append_shared(Bytes bytes) {
  if (bytes.empty()) return;
  link(::new (detail::recycle_allocate(sizeof(SharedSegment))) SharedSegment(std::move(bytes)));
}

void WriteQueue::append_borrowed(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  link(::new (detail::recycle_allocate(sizeof(Segment))) Segment(bytes, sizeof(Segment), &Segment::free_nothing));
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
  segment->begin = appended_;
  segment->previous = last_;
  (last_ != nullptr ? last_->next : first_) = segment;
  last_ = segment;
  count_appended(segment->size);
}

void WriteQueue::push(detail::WriteOperation& op, std::uint64_t begin, std::uint64_t end) noexcept {
  assert(begin <= appended_ && appended_ <= end);
  op.begin = begin;
  op.end = end;
  op.last_segment = last_;
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
  size_ -= count;
  while (count != 0) {
    Segment* const segment = first_;
    if (count < segment->size) return segment->consume(count);
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

std::uint64_t WriteQueue::gap_before_first() const noexcept {
  if (operations_.empty()) return 0;
  const std::uint64_t begin = static_cast<const detail::WriteOperation&>(operations_.front()).begin;
  std::uint64_t gap = begin - std::min(begin, consumed());
  for (const Segment* segment = first_; segment != nullptr && segment->begin < begin; segment = segment->next) {
    gap -= std::min(segment->end(), begin) - segment->begin;
  }
  return gap;
}

bool WriteQueue::contains(const detail::WriteOperation& op) const noexcept {
  return op.linked() && op.transferred == waiting_mark(this);
}

std::uint64_t WriteQueue::remove(detail::WriteOperation& op) noexcept {
  assert(contains(op) && !started(op));
  if (op.begin != op.end) take_out(static_cast<Segment*>(op.last_segment), op.begin);
  const std::uint64_t gap = op.end - op.begin + op.gap;
  auto* const earlier = static_cast<detail::WriteOperation*>(operations_.before(op));
  detail::OperationList::remove(op);
  op.transferred = 0;
  if (earlier == nullptr) return gap;
  earlier->gap += gap;
  return 0;
}

void WriteQueue::take_back(std::uint64_t begin) noexcept {
  assert(consumed() <= begin);
  while (appended_ != begin) {
    appended_ -= last_->size;
    take_out(last_);
  }
}

/// The segments from `last` back to the one that begins at `begin`.
void WriteQueue::take_out(Segment* last, std::uint64_t begin) noexcept {
  while (last->begin != begin) {
    Segment* const before = last->previous;
    take_out(last);
    last = before;
  }
  take_out(last);
}

/// Its offsets stay unused. So nothing may join the segment before it: the offsets of its bytes would follow.
void WriteQueue::take_out(Segment* segment) noexcept {
  assert(!segment->takes_copies());
  Segment* const before = segment != first_ ? segment->previous : nullptr;
  if (before != nullptr && before->takes_copies()) before->free = &Segment::free_nothing;
  (before != nullptr ? before->next : first_) = segment->next;
  (segment != last_ ? segment->next->previous : last_) = before;
  size_ -= segment->size;
  free_segment(segment);
}

void WriteQueue::drop_data() noexcept {
  assert(!has_operations());
  free_segments();
}

void WriteQueue::reset() noexcept {
  assert(!has_operations());
  free_segments();
  appended_ = 0;
}

void WriteQueue::free_segments() noexcept {
  while (first_ != nullptr) free_segment(std::exchange(first_, first_->next));
  last_ = barrier_ = nullptr;
  size_ = 0;
}

void WriteQueue::free_segment(Segment* segment) noexcept {
  const std::size_t memory = segment->memory;
  if (segment->free != nullptr) segment->free(segment);
  detail::recycle_deallocate(segment, memory);
}

}  // namespace libnet::core
