#include "transport/memory_transport.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <utility>

#include "transport/native.hpp"

namespace libnet::transport {

/// What one end knows, and what the other does to it.
struct MemoryTransport::Side {
  enum class Peer : std::uint8_t { open, closed, reset };

  explicit Side(std::size_t capacity) noexcept : input(capacity) {}

  Ring input;
  MemoryTransport* owner = nullptr;  // null once closed
  int pending_error = 0;             // told once, to the first call that meets it
  Peer peer = Peer::open;
  bool input_ended = false;
  bool output_ended = false;
};

struct MemoryTransport::Link {
  explicit Link(std::size_t capacity) noexcept : sides{Side(capacity), Side(capacity)} {}

  std::array<Side, 2> sides;
};

MemoryTransport::Pair MemoryTransport::pair(std::shared_ptr<reactor::Loop> first, std::shared_ptr<reactor::Loop> second,
                                            std::size_t capacity) {
  auto link = std::make_shared<Link>(capacity);
  Pair result;
  result.first.reset(new MemoryTransport(std::move(first), link, 0));
  result.second.reset(new MemoryTransport(std::move(second), std::move(link), 1));
  return result;
}

MemoryTransport::MemoryTransport(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<Link> link, std::size_t index)
    : loop_(std::move(loop)), link_(std::move(link)), index_(index), shape_(std::make_unique<Shape>(*this)) {
  side().owner = this;
}

MemoryTransport::~MemoryTransport() { close(); }

MemoryTransport::Shape& MemoryTransport::shape() noexcept { return *shape_; }

MemoryTransport::Side& MemoryTransport::side() const noexcept { return link_->sides[index_]; }

MemoryTransport::Side& MemoryTransport::peer() const noexcept { return link_->sides[1 - index_]; }

// ---- Readiness

bool MemoryTransport::may_read() const noexcept {
  if (shape_->read_fault_.is_next()) return true;
  return !shape_->readable_held_ && (!side().input.empty() || side().input_ended);
}

bool MemoryTransport::may_write() const noexcept {
  if (shape_->write_fault_.is_next() || side().output_ended || side().peer != Side::Peer::open) return true;
  return !shape_->writable_held_ && peer().input.room() > 0;
}

bool MemoryTransport::ready_to_read() {
  const bool ready = may_read();
  read_awaited_ = !ready;
  return ready;
}

bool MemoryTransport::ready_to_write() {
  const bool ready = may_write();
  write_awaited_ = !ready;
  return ready;
}

void MemoryTransport::tell_if_awaited() {
  const bool tell_reader = read_awaited_ && may_read();
  const bool tell_writer = write_awaited_ && may_write();
  const bool tell_failure = failure_awaited_ && has_failed();
  if (!tell_reader && !tell_writer && !tell_failure) return;
  if (tell_reader) read_awaited_ = false;
  if (tell_writer) write_awaited_ = false;
  if (tell_failure) failure_awaited_ = false;
  loop_->schedule(*this);
}

void MemoryTransport::tell_peer_if_awaited() {
  if (peer().owner != nullptr) peer().owner->tell_if_awaited();
}

void MemoryTransport::run_task() {
  if (observer_ != nullptr) observer_->on_transport_ready();
}

// ---- Reading

Result MemoryTransport::try_read(std::span<std::byte> buffer) {
  if (shape_->read_fault_.fires()) return failed(shape_->read_fault_.error());
  if (shape_->readable_held_) return {0, Status::would_block, {}};
  const std::size_t bytes = side().input.pop(buffer.first(std::min(buffer.size(), shape_->most_read_)));
  if (bytes == 0) return nothing_to_read();
  tell_peer_if_awaited();
  return {bytes, shape_->vague_ || may_read() ? Status::more : Status::would_block, {}};
}

Result MemoryTransport::nothing_to_read() noexcept {
  if (!side().input_ended) return {0, Status::would_block, {}};
  if (side().pending_error != 0 || first_error_) return failed(take_error());
  return {0, Status::end, {}};
}

Peek MemoryTransport::peek_end() {
  if (shape_->read_fault_.is_next()) return {Waiting::error, failed(shape_->read_fault_.error()).error};
  if (shape_->readable_held_) return {Waiting::nothing, {}};
  if (!side().input.empty()) return {Waiting::data, {}};
  const Result result = nothing_to_read();
  if (result.status == Status::error) return {Waiting::error, result.error};
  return {result.status == Status::end ? Waiting::end : Waiting::nothing, {}};
}

bool MemoryTransport::has_failed() const noexcept { return first_error_ || side().pending_error != 0; }

error_code MemoryTransport::error_behind_end() {
  failure_awaited_ = !has_failed();
  return failure_awaited_ ? error_code() : failed(take_error()).error;
}

// ---- Writing

Result MemoryTransport::try_write(std::span<const iovec> buffers) {
  if (shape_->write_fault_.fires()) return failed(shape_->write_fault_.error());
  if (side().peer != Side::Peer::open) return failed(side().pending_error != 0 ? take_error() : system_error(EPIPE));
  if (side().output_ended) return failed(system_error(EPIPE));
  const std::size_t bytes = shape_->writable_held_ ? 0 : push(buffers);
  sent_ += bytes;
  if (bytes > 0) tell_peer_if_awaited();
  const bool more = bytes == total_size(buffers) || may_write();
  return {bytes, more ? Status::more : Status::would_block, {}};
}

std::size_t MemoryTransport::push(std::span<const iovec> buffers) {
  std::size_t pushed = 0;
  for (const iovec& buffer : buffers) {
    const std::size_t wanted = std::min(buffer.iov_len, shape_->most_write_ - pushed);
    const std::size_t bytes = peer().input.push({static_cast<const std::byte*>(buffer.iov_base), wanted});
    pushed += bytes;
    if (bytes < buffer.iov_len) break;
  }
  return pushed;
}

error_code MemoryTransport::shutdown_write() {
  if (shape_->shutdown_fault_.fires()) return failed(shape_->shutdown_fault_.error()).error;
  if (side().peer == Side::Peer::reset) {
    if (side().pending_error == 0 && !first_error_) return system_error(ENOTCONN);
    return failed(take_error()).error;
  }
  side().output_ended = true;
  peer().input_ended = true;
  tell_peer_if_awaited();
  return {};
}

// ---- Errors and the end

Result MemoryTransport::failed(error_code error) noexcept {
  if (!first_error_) first_error_ = error;
  return {0, Status::error, error};
}

/// A reset is told once, as by the kernel; from then on the first error stands in its place.
error_code MemoryTransport::take_error() noexcept {
  const int pending = std::exchange(side().pending_error, 0);
  return pending != 0 ? system_error(pending) : first_error_;
}

void MemoryTransport::close() noexcept {
  if (!closed_) disconnect(!side().input.empty());
}

void MemoryTransport::reset() noexcept { can_reset_ ? abort() : close(); }

void MemoryTransport::abort() noexcept {
  if (!closed_) disconnect(true);
}

void MemoryTransport::disconnect(bool reset) noexcept {
  closed_ = true;
  side().owner = nullptr;
  loop_->unschedule(*this);
  if (reset) {
    // As Linux has it: a reset behind the end finds a connection that is half closed, and is a broken pipe.
    peer().pending_error = peer().input_ended ? EPIPE : ECONNRESET;
    peer().peer = Side::Peer::reset;
  } else {
    peer().peer = Side::Peer::closed;
  }
  peer().input_ended = true;
  tell_peer_if_awaited();
  held_.reset();
}

void MemoryTransport::set_place(Place place) noexcept {
  local_ = std::move(place.local);
  remote_ = std::move(place.remote);
  held_ = std::move(place.held);
  can_reset_ = place.can_reset;
}

// ---- Shaping

void MemoryTransport::Shape::release_readable() {
  readable_held_ = false;
  owner_.tell_if_awaited();
}

void MemoryTransport::Shape::release_writable() {
  writable_held_ = false;
  owner_.tell_if_awaited();
}

void MemoryTransport::Shape::fail_read(std::size_t nth_call, error_code error) {
  read_fault_.arm(nth_call, error);
  owner_.tell_if_awaited();
}

void MemoryTransport::Shape::fail_write(std::size_t nth_call, error_code error) {
  write_fault_.arm(nth_call, error);
  owner_.tell_if_awaited();
}

}  // namespace libnet::transport
