#include "core/sending.hpp"

#include <array>

namespace libnet::core {

namespace {

// A gather list longer than this gains nothing; the kernel's limit (IOV_MAX) is 1024.
constexpr std::size_t gather_limit = 256;

}  // namespace

// --- writing -------------------------------------------------------------------------------------------------------

void Sending::append_borrowed(const detail::WriteBuffers& buffers) {
  for (std::size_t i = 0; i < buffers.count; ++i) {
    const auto& piece = buffers.pieces[i];
    queue_.append_borrowed({static_cast<const std::byte*>(piece.data), piece.size});
  }
}

transport::Result Sending::write_through(transport::Transport& transport, std::span<const std::byte> bytes) {
  const iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
  const transport::Result result = transport.try_write({&piece, 1});
  queue_.note_written(result.bytes);
  queue_.append_copy(bytes.subspan(result.bytes));
  return result;
}

std::size_t Sending::buffered_in_user_space() const noexcept {
  const transport::KernelPipe* const pipe = queue_.front_pipe();  // one stands in front of all else
  return buffered() - (pipe != nullptr ? pipe->size() : 0);
}

// --- transports ----------------------------------------------------------------------------------------------------

/// What the transport has sent before counts as nothing: it may have served somebody else until now.
void Sending::attach(const transport::Transport& transport) noexcept {
  holding_ = transport.holds_back() ? &transport : nullptr;
  sent_before_ = queue_.consumed() - transport.sent();
}

// --- sending -------------------------------------------------------------------------------------------------------

Sending::Flushed Sending::flush(transport::Transport& transport, int most) {
  Flushed flushed;
  for (int writes = 0; may_send_more(); ++writes) {
    if (!transport.ready_to_write()) break;
    flushed.more = writes == most;
    if (flushed.more) break;
    const transport::Result result = send_front(transport);
    flushed.moved = flushed.moved || result.bytes != 0;
    if (result.status == transport::Status::error) flushed.error = result.error;
    if (result.status == transport::Status::more) continue;
    if (result.status == transport::Status::error) break;
    // Asking makes the transport tell when it is ready again. If it is already, what is queued may leave at once.
    flushed.more = transport.ready_to_write() && queue_.sendable();
    break;
  }
  return flushed;
}

transport::Result Sending::send_front(transport::Transport& transport) {
  if (!queue_.sendable()) return transport.flush();
  std::array<iovec, gather_limit> pieces;
  transport::KernelPipe* const pipe = queue_.front_pipe();
  const transport::Result result =
      pipe != nullptr ? transport.splice_out(*pipe) : transport.try_write({pieces.data(), queue_.gather(pieces)});
  queue_.consume(result.bytes);
  return result;
}

bool Sending::take_drain(std::size_t low_water_mark) noexcept {
  if (!owes_drain_ || buffered() > (is_open() ? low_water_mark : 0)) return false;
  owes_drain_ = false;
  return true;
}

// --- our side ------------------------------------------------------------------------------------------------------

void Sending::end() noexcept {
  side_ = Side::ending;
  corks_ = 0;
}

error_code Sending::send_end(transport::Transport& transport) {
  if (side_ != Side::ending || !queue_.bare()) return {};
  side_ = Side::shut;
  return transport.shutdown_write();
}

bool Sending::take_end_sent() noexcept {
  if (side_ != Side::shut || unsent() != 0) return false;
  side_ = Side::flushed;
  return true;
}

bool Sending::end_unconnected() noexcept {
  if (side_ != Side::ending) return false;
  side_ = Side::flushed;
  return true;
}

void Sending::reset() noexcept {
  queue_.reset();
  holding_ = nullptr;
  sent_before_ = 0;
  corks_ = 0;
  side_ = Side::open;
  owes_drain_ = false;
}

}  // namespace libnet::core
