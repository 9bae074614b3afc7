#include "core/sending.hpp"

#include <array>
#include <new>

#include <boost/asio/error.hpp>

#include "transport/native.hpp"

namespace libnet::core {

namespace {

// A gather list longer than this gains nothing; the kernel's limit (IOV_MAX) is 1024.
constexpr std::size_t gather_limit = 256;

}  // namespace

// --- writing -------------------------------------------------------------------------------------------------------

/// Without memory for all pieces none is queued: the caller takes the memory of each back.
void Sending::append_borrowed(const detail::WriteBuffers& buffers) {
  const std::uint64_t begin = queue_.appended();
  try {
    for (std::size_t i = 0; i < buffers.count; ++i) {
      const auto& piece = buffers.pieces[i];
      queue_.append_borrowed({static_cast<const std::byte*>(piece.data), piece.size});
    }
  } catch (...) {
    queue_.take_back(begin);
    throw;
  }
}

/// If there is no memory for what is left of a write that has begun, nothing may follow it: the connection fails.
transport::Result Sending::write_through(transport::Transport& transport, std::span<const std::byte> bytes) {
  const iovec piece{const_cast<std::byte*>(bytes.data()), bytes.size()};
  const transport::Result result = transport.try_write({&piece, 1});
  queue_.note_written(result.bytes);
  try {
    queue_.append_copy(bytes.subspan(result.bytes));
  } catch (const std::bad_alloc&) {
    if (result.bytes == 0) throw;
    return {result.bytes, transport::Status::error, boost::asio::error::no_memory};
  }
  return result;
}

std::size_t Sending::buffered_in_user_space() const noexcept {
  const transport::KernelPipe* const pipe = queue_.front_pipe();  // one stands in front of all else
  return buffered() - (pipe != nullptr ? pipe->size() : 0);
}

// --- sending ---------------------------------------------------------------------------------------------------------

Sending::Flushed Sending::flush(transport::Transport& transport, int most, error_code& error) {
  std::array<iovec, gather_limit> pieces;
  Flushed flushed;
  for (int writes = 0; may_send_more(); ++writes) {
    if (!transport.ready_to_write()) break;
    if (writes == most) {
      flushed.more = true;
      break;
    }
    const transport::Result result = send_front(transport, pieces);
    if (result.bytes != 0) flushed.moved = true;
    if (result.status == transport::Status::more) continue;
    if (result.status == transport::Status::error) {
      flushed.failed = true;
      error = result.error;
      break;
    }
    // Asking makes the transport tell when it is ready again. If it is already, what is queued may leave at once.
    flushed.more = transport.ready_to_write() && queue_.sendable();
    break;
  }
  return flushed;
}

Sending::Flushed Sending::offer(transport::Transport& transport, error_code& error) {
  std::array<iovec, gather_limit> pieces;
  Flushed flushed;
  while (queue_.sendable() && transport.ready_to_write()) {
    const auto gathered = std::span(pieces).first(queue_.gather(pieces));
    const std::size_t offered = gathered.empty() ? queue_.front_pipe()->size() : transport::total_size(gathered);
    const transport::Result result = send_gathered(transport, gathered);
    if (result.bytes != 0) flushed.moved = true;
    flushed.failed = result.status == transport::Status::error;
    if (flushed.failed) error = result.error;
    if (flushed.failed || result.bytes < offered) break;
  }
  return flushed;
}

inline transport::Result Sending::send_front(transport::Transport& transport, std::span<iovec> pieces) {
  return queue_.sendable() ? send_gathered(transport, pieces.first(queue_.gather(pieces))) : transport.flush();
}

/// What cannot be gathered is in a pipe of the kernel.
inline transport::Result Sending::send_gathered(transport::Transport& transport, std::span<const iovec> gathered) {
  const transport::Result result =
      !gathered.empty() ? transport.try_write(gathered) : transport.splice_out(*queue_.front_pipe());
  queue_.consume(result.bytes);
  return result;
}

// --- our side ------------------------------------------------------------------------------------------------------

void Sending::end() noexcept {
  side_ = Side::ending;
  corks_ = 0;
}

void Sending::leave() noexcept {
  side_ = Side::leaving;
  corks_ = 0;
}

void Sending::leave_to_parent() noexcept {
  queue_.drop_data();
  if (side_ == Side::ending || side_ == Side::shut) side_ = Side::finished;
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
