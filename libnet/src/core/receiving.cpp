#include "core/receiving.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

namespace libnet::core {

namespace {

// What an awaited read got is moved out of the big block if it is smaller than this, so that many suspended readers do
// not hold a big block each. [bytes]
constexpr std::size_t small_read = 4 * 1024;

}  // namespace

void Receiving::reset() noexcept {
  put_back_.reset();
  bytes_read_ = 0;
  side_ = Side::open;
}

void Receiving::drop_unread() noexcept {
  put_back_.reset();
  if (filter_) filter_->decoder.forget_held();
}

// --- what was put back ---------------------------------------------------------------------------------------------

void Receiving::put_back(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (put_back_) {
    put_back_->insert(0, text);
  } else {
    put_back_ = std::make_unique<std::string>(text);
  }
}

/// Puts bytes behind those that were put back; true if there are any.
bool Receiving::put_behind(std::span<const std::byte> bytes) {
  if (bytes.empty()) return false;
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (put_back_) {
    put_back_->append(text);
  } else {
    put_back_ = std::make_unique<std::string>(text);
  }
  return true;
}

transport::Result Receiving::read_put_back(std::span<std::byte> memory) noexcept {
  const std::size_t size = std::min(memory.size(), put_back_->size());
  std::memcpy(memory.data(), put_back_->data(), size);
  put_back_->erase(0, size);
  if (put_back_->empty()) put_back_.reset();
  return {size, transport::Status::more, {}};
}

/// Who wants the bytes themselves gets those that the decoder holds as well.
transport::Result Receiving::read_held(std::span<std::byte> memory) noexcept {
  return {filter_->decoder.take_held(memory), transport::Status::more, {}};
}

std::string Receiving::take_unread() {
  if (holds()) {
    put_behind(filter_->decoder.held());
    filter_->decoder.forget_held();
  }
  std::string unread = put_back_ ? std::move(*put_back_) : std::string();
  put_back_.reset();
  return unread;
}

void Receiving::give_unread(std::string&& bytes) {
  if (bytes.empty()) return;
  if (!decodes()) {
    put_back_ = std::make_unique<std::string>(std::move(bytes));
    return;
  }
  TextDecoder decoder = filter_->decoder;
  std::string text(decoder.most_text(bytes.size()), '\0');
  text.resize(decoder.decode(std::as_bytes(std::span(bytes)), reinterpret_cast<std::byte*>(text.data())));
  if (!text.empty()) put_back_ = std::make_unique<std::string>(std::move(text));
  filter_->decoder = decoder;  // not before there was memory for the text
}

// --- text ----------------------------------------------------------------------------------------------------------

InputFilter& Receiving::filter() {
  if (!filter_) filter_ = std::make_unique<InputFilter>();
  return *filter_;
}

bool Receiving::set_encoding(Encoding encoding) {
  if (!filter_ && encoding == Encoding::bytes) return false;
  TextDecoder& decoder = filter().decoder;
  if (decoder.encoding() == encoding) return false;
  TextDecoder next(encoding);
  std::array<std::byte, 16> text;
  const bool any = put_behind({text.data(), next.decode(decoder.held(), text.data())});
  decoder = next;  // not before there was memory for what was held
  return any;
}

bool Receiving::flush_held() {
  if (!holds()) return false;
  TextDecoder finished = filter_->decoder;
  std::array<std::byte, 4> text;
  put_behind({text.data(), finished.finish(text.data())});
  filter_->decoder = finished;  // not before there was memory for what was held
  return true;
}

/// Reads what has room in the block when it is text.
transport::Result Receiving::read_text(transport::Transport& transport, Block& text) {
  TextDecoder& decoder = filter_->decoder;
  Block block = Block::take();
  transport::Result result = read_new(transport, {block.data(), decoder.most_input(text.size())});
  if (result.bytes == 0) return result;
  result.bytes = decoder.decode({block.data(), result.bytes}, text.data());
  if (result.bytes == 0) result.status = transport::Status::more;  // not even a character: look again
  return result;
}

// --- a receiver's own memory ---------------------------------------------------------------------------------------

void Receiving::set_receiver(ListenerId receiver, std::span<std::byte> memory) {
  filter().receiver = receiver;
  filter_->memory = memory;
  stop_discarding();
}

// --- reading -------------------------------------------------------------------------------------------------------

transport::Result Receiving::read_for(transport::Transport& transport, detail::ReadOperation& operation) {
  Block block = Block::take();
  const transport::Result result = read_block(transport, block);
  if (result.bytes == 0) return result;
  lease(block, result.bytes);
  operation.results = Chunk(lease_.data(), result.bytes);
  return result;
}

/// Keeps what was read, in a smaller block where that will do. Without memory for that one the big block serves as well.
inline void Receiving::lease(Block& block, std::size_t bytes) {
  const std::byte* const received = block.data();
  try {
    lease_ = bytes <= small_read ? Block::take(bytes) : std::move(block);
  } catch (const std::bad_alloc&) {
    lease_ = std::move(block);
  }
  if (lease_.data() != received) std::memcpy(lease_.data(), received, bytes);
}

/// What is met behind bytes is met again by the next read, for the bytes may be put back: only the bytes are told.
transport::Result Receiving::read_for(transport::Transport& transport, detail::ReadSomeOperation& operation) {
  std::size_t& total = std::get<0>(operation.results);
  transport::Result result;
  for (std::size_t i = 0; i < operation.buffers.count; ++i) {
    const auto& piece = operation.buffers.pieces[i];
    result = read_into(transport, {static_cast<std::byte*>(piece.data), piece.size});
    total += result.bytes;
    if (result.bytes < piece.size || result.status != transport::Status::more) break;
  }
  result.bytes = total;
  return result;
}

transport::Result Receiving::splice(transport::Transport& transport, transport::KernelPipe& pipe) {
  const transport::Result result = transport.splice_in(pipe);
  bytes_read_ += result.bytes;
  return result;
}

transport::Result Receiving::discard_block(transport::Transport& transport) {
  put_back_.reset();
  if (filter_) filter_->decoder.forget_held();
  Block block = Block::take();
  return read_new(transport, {block.data(), block.size()});
}

}  // namespace libnet::core
