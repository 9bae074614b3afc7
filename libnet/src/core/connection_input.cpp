#include <algorithm>
#include <cstring>

#include "core/connection.hpp"
#include "core/connection_timers.hpp"

/// Reading: who consumes, one block a step, and the end.
namespace libnet::core {

namespace {

// What an awaited read got is moved out of the big block if it is smaller than this, so that many suspended readers do
// not hold a big block each.
constexpr std::size_t small_read = 4 * 1024;

}  // namespace

bool Connection::listeners_consume() const noexcept { return listens(index(SocketEvent::data)) || listens(receiving); }

/// Whether the operation becomes the reader; if not, it was completed.
bool Connection::accept_reader(Operation& operation) {
  if (reader_ != nullptr || listeners_consume()) {
    finish(operation, Errc::busy);
    return false;
  }
  lease_.give_back();
  if (may_still_read()) return true;
  const error_code code = nothing_to_read();
  code == asio::error::eof ? reader_at_end(operation) : finish(operation, code);
  return false;
}

bool Connection::may_still_read() const noexcept {
  const bool moves_bytes = phase_ == Phase::connecting || (connected() && flow_ != Flow::lingering);
  return moves_bytes && (read_side_ == ReadSide::open || phase_ == Phase::failing);
}

error_code Connection::nothing_to_read() const noexcept {
  const bool failed = phase_ == Phase::failing || (destroyed() && error_);
  if (destroyed() && destroyed_) return Errc::destroyed;
  if (read_side_ == ReadSide::open || failed) return Errc::closed;
  return asio::error::eof;
}

void Connection::start_read(detail::ReadOperation& operation) {
  if (!accept_reader(operation)) return;
  begin_reading(operation);
}

void Connection::start_read_some(detail::ReadSomeOperation& operation) {
  if (operation.buffers.total == 0 && !destroyed()) return finish(operation, {});
  if (!accept_reader(operation)) return;
  release_held();
  begin_reading(operation);
}

void Connection::begin_reading(Operation& operation) {
  reader_ = &operation;
  if (flow_ == Flow::discarding) flow_ = Flow::automatic;
  watch_operation(operation, *this, *loop_);
  if (pushed_back_ || (transport_ && transport_->ready_to_read())) mark(due_input);
  if (!counted()) wake();
}

void Connection::pause() {
  if (flow_ == Flow::lingering) return;
  flow_ = Flow::paused;
  wake();
}

void Connection::resume() {
  if (flow_ == Flow::lingering) return;
  flow_ = listeners_consume() || reader_ != nullptr ? Flow::automatic : Flow::discarding;
  mark(due_input);
}

void Connection::unshift(std::span<const std::byte> bytes) {
  if (bytes.empty() || destroyed()) return;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!pushed_back_) pushed_back_ = std::make_unique<std::string>();
  pushed_back_->insert(0, text);
  mark(due_input);
}

void Connection::handle_input() {
  if (!connected() || read_side_ != ReadSide::open) return;
  if (flow_ == Flow::lingering) return discard_input();
  if (reader_ != nullptr || flow_ == Flow::discarding || (flow_ == Flow::automatic && listeners_consume())) {
    return read_once();
  }
  watch_input();
}

void Connection::read_once() {
  const bool receives = reader_ == nullptr && listens(receiving);
  if (pushed_back_ && reader_ == nullptr && !receives) return deliver_pushed_back();
  if (!pushed_back_ && !may_have_input()) return;
  if (phase_ == Phase::failing) linger_timer_.reset();  // somebody consumes
  if (receives) return read_for_receiver();
  if (reader_ == nullptr) return read_for_listeners();
  if (reader_->kind == Operation::Kind::read) return read_for_operation(static_cast<detail::ReadOperation&>(*reader_));
  if (reader_->kind == Operation::Kind::pipe) return read_for_pipe(static_cast<detail::PipeOperation&>(*reader_));
  read_for_operation(static_cast<detail::ReadSomeOperation&>(*reader_));
}

void Connection::deliver_pushed_back() {
  const std::unique_ptr<std::string> bytes = std::move(pushed_back_);
  mark(due_input);
  if (flow_ == Flow::automatic) emit(SocketEvent::data, Chunk(*bytes));
}

std::size_t Connection::take_pushed_back(std::span<std::byte> into) {
  const std::size_t size = std::min(into.size(), pushed_back_->size());
  std::memcpy(into.data(), pushed_back_->data(), size);
  pushed_back_->erase(0, size);
  if (pushed_back_->empty()) pushed_back_.reset();
  return size;
}

/// Fills memory from what was put back, or from the transport.
transport::Result Connection::read_into(std::span<std::byte> memory) {
  if (pushed_back_) return {take_pushed_back(memory), transport::Status::more, {}};
  const transport::Result result = transport_->try_read(memory);
  if (result.bytes != 0) count_input(result.bytes);
  return result;
}

/// The same with a block, where an encoding makes text of what the transport gives.
transport::Result Connection::read_piece(Block& block) {
  if (!pushed_back_ && decodes()) return read_text(block);
  return read_into({block.data(), block.size()});
}

void Connection::read_for_operation(detail::ReadOperation& operation) {
  Block block = Block::take();
  const transport::Result result = read_piece(block);
  if (result.bytes != 0) {
    if (result.bytes <= small_read) {
      lease_ = Block::take(result.bytes);
      std::memcpy(lease_.data(), block.data(), result.bytes);
    } else {
      lease_ = std::move(block);
    }
    operation.results = Chunk(lease_.data(), result.bytes);
    complete_reader({});
  }
  after_read(result);
}

void Connection::read_for_operation(detail::ReadSomeOperation& operation) {
  std::size_t& total = std::get<0>(operation.results);
  transport::Result result;
  for (std::size_t i = 0; i < operation.buffers.count; ++i) {
    const auto& piece = operation.buffers.pieces[i];
    result = read_into({static_cast<std::byte*>(piece.data), piece.size});
    total += result.bytes;
    if (result.bytes < piece.size || result.status != transport::Status::more) break;
  }
  if (total != 0) complete_reader({});
  result.bytes = total;  // what was met behind bytes is met again by the next read: the bytes may be put back
  after_read(result);
}

void Connection::read_for_listeners() {
  Block block = Block::take();
  const transport::Result result = read_piece(block);
  if (result.bytes != 0 && flow_ != Flow::discarding) emit(SocketEvent::data, Chunk(block.data(), result.bytes));
  after_read(result);
}

void Connection::count_input(std::size_t bytes) noexcept {
  bytes_read_ += bytes;
  touch();
}

/// Goes on with the next step if there is more; one block a step is fair to the other sockets.
void Connection::after_read(const transport::Result& result) {
  if (!loop_->alive() || !connected() || read_side_ != ReadSide::open) return;
  if (result.bytes == 0 && result.status == transport::Status::end) return input_ended();
  if (result.bytes == 0 && result.status == transport::Status::error) return input_failed(result.error);
  if (result.bytes == 0 && result.status == transport::Status::would_block && phase_ == Phase::failing) {
    if (flush_held()) return;
    return enter_closing();  // nothing more can be read
  }
  const bool more = result.status != transport::Status::would_block || pushed_back_ || transport_->ready_to_read();
  if (more || phase_ == Phase::failing) mark(due_input);  // who reads on gets the error itself
}

/// Of a failing connection only a try tells: the write that failed may have been faster than the news of the last bytes.
bool Connection::may_have_input() { return phase_ == Phase::failing || transport_->ready_to_read(); }

/// Nobody consumes: see the end or an error of a connection on which nothing waits unread.
void Connection::watch_input() {
  const transport::Peek peek =
      !pushed_back_ && may_have_input()
          ? transport_->peek_end()
          : transport::Peek{pushed_back_ ? transport::Waiting::data : transport::Waiting::nothing, {}};
  switch (peek.waiting) {
    case transport::Waiting::data:
      if (phase_ == Phase::failing) start_linger_timer();
      break;
    case transport::Waiting::nothing:
      if (phase_ == Phase::failing && flush_held()) return;
      if (phase_ == Phase::failing) return enter_closing();
      if (!pushed_back_) static_cast<void>(transport_->ready_to_read());
      break;
    case transport::Waiting::end:
      if (phase_ == Phase::failing) return input_ended();
      if (end_may_be_told() && (!half_open_ || somebody_hears_the_end())) input_ended();
      break;
    case transport::Waiting::error: input_failed(peek.error); break;
  }
}

void Connection::input_ended() {
  if (flush_held()) return;
  if (phase_ == Phase::failing) return enter_closing();  // an error never becomes a clean end
  read_side_ = ReadSide::ending;
  if (reader_ != nullptr) reader_at_end(*std::exchange(reader_, nullptr));
}

void Connection::reader_at_end(Operation& operation) {
  if (operation.kind == Operation::Kind::pipe) return end_pipe(static_cast<detail::PipeOperation&>(operation));
  finish(operation, operation.kind == Operation::Kind::read_some ? asio::error::eof : error_code());
}

void Connection::input_failed(const error_code& code) {
  if (flush_held()) return;
  if (phase_ == Phase::failing) return enter_closing();
  if (flow_ == Flow::lingering && write_side_ == WriteSide::finished) return enter_closing();  // all was sent
  fail_reading(code);
}

void Connection::fail_reading(const error_code& code) {
  read_side_ = ReadSide::open;
  fail(describe(code, Operation::Kind::read));
  if (phase_ == Phase::failing) enter_closing();
}

void Connection::complete_reader(const error_code& code) {
  Operation& operation = *std::exchange(reader_, nullptr);
  if (operation.kind == Operation::Kind::pipe) {
    return finish_pipe(static_cast<detail::PipeOperation&>(operation), code);
  }
  finish(operation, code);
}

bool Connection::end_may_be_told() const noexcept { return flow_ != Flow::paused; }

bool Connection::somebody_hears_the_end() {
  return listens(index(SocketEvent::end)) || somebody_waits_for(index(SocketEvent::end));
}

void Connection::deliver_end() {
  read_side_ = ReadSide::ended;
  const bool seen_all = flow_ != Flow::lingering || bytes_read_ == linger_began_at_;
  if (seen_all) emit(SocketEvent::end);
  if (!loop_->alive()) return;
  if (!half_open_ && write_side_ == WriteSide::open && connected()) {
    due_ = static_cast<std::uint8_t>(due_ | due_auto_end);
  }
}

/// Lingering: whatever still comes is thrown away, within bounds, so that the peer can read what was sent to it.
void Connection::discard_input() {
  if (!transport_->ready_to_read()) return;
  pushed_back_.reset();
  Block block = Block::take();
  const transport::Result result = transport_->try_read({block.data(), block.size()});
  bytes_read_ += result.bytes;
  if (write_side_ >= WriteSide::flushed && bytes_read_ - sent_end_at_ > options_->linger_bytes) return enter_closing();
  after_read(result);
}

}  // namespace libnet::core
