#include <array>
#include <tuple>
#include <utility>

#include "core/connection.hpp"
#include "core/input_filter.hpp"
#include "libnet/detail/receiver.hpp"

/// Reading through an encoding, or into the caller's memory. What was put back has passed already: it is delivered as it
/// is, before what the decoder holds.
namespace libnet::core {

InputFilter& Connection::filter() {
  if (!filter_) filter_ = std::make_unique<InputFilter>();
  return *filter_;
}

// --- text ----------------------------------------------------------------------------------------------------------

bool Connection::decodes() const noexcept { return filter_ && filter_->decoder.encoding() != Encoding::bytes; }

void Connection::set_encoding(Encoding encoding) {
  if (!filter_ && encoding == Encoding::bytes) return;
  TextDecoder& decoder = filter().decoder;
  if (decoder.encoding() == encoding) return;
  const TextDecoder before = std::exchange(decoder, TextDecoder(encoding));
  std::array<std::byte, 16> text;
  put_behind({text.data(), decoder.decode(before.held(), text.data())});
}

/// Puts bytes behind those that were put back.
void Connection::put_behind(std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  if (!pushed_back_) pushed_back_ = std::make_unique<std::string>();
  pushed_back_->append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  mark(due_input);
}

/// For one who wants the bytes themselves.
void Connection::release_held() {
  if (!filter_) return;
  put_behind(filter_->decoder.held());
  filter_->decoder.forget_held();
}

/// The input is over, and what is held is its last piece. True if there is any: it has to be delivered first.
bool Connection::flush_held() {
  if (!filter_ || filter_->decoder.held().empty()) return false;
  std::array<std::byte, 4> text;
  put_behind({text.data(), filter_->decoder.finish(text.data())});
  return true;
}

/// Reads what has room in the block when it is text.
transport::Result Connection::read_text(Block& text) {
  TextDecoder& decoder = filter_->decoder;
  Block block = Block::take();
  transport::Result result = read_into({block.data(), decoder.most_input(text.size())});
  if (result.bytes == 0) return result;
  result.bytes = decoder.decode({block.data(), result.bytes}, text.data());
  if (result.bytes == 0) result.status = transport::Status::more;  // not even a character: look again
  return result;
}

// --- the caller's memory -------------------------------------------------------------------------------------------

ListenerId Connection::start_receiving(std::unique_ptr<detail::Callable> receiver, bool may_lack_memory) {
  if (reader_ != nullptr || listens(index(SocketEvent::data))) throw SystemError(Error(Errc::busy, "read"));
  detail::Reception first;
  const std::tuple<detail::Reception*> arguments(&first);
  receiver->call(&arguments);
  if (first.memory.empty() && !may_lack_memory) throw SystemError(Error(Errc::invalid_argument, "read"));
  const ListenerId replaced = filter().receiver;
  filter_->receiver = listeners_.add(receiving, std::move(receiver), detail::ListenerTable::Place::back, false);
  filter_->memory = first.memory;
  release_held();
  if (flow_ == Flow::discarding) flow_ = Flow::automatic;
  mark(due_input);
  const ListenerId added = filter_->receiver;
  listeners_.remove(replaced);
  return added;
}

void Connection::read_for_receiver() {
  if (filter_->memory.empty()) tell_receiver(0);
  if (!loop_->alive() || !connected() || flow_ == Flow::paused || !listens(receiving)) return;
  const transport::Result result = read_into(filter_->memory);
  if (result.bytes != 0) tell_receiver(result.bytes);
  after_read(result);
}

/// Hands over what was read, and gets memory for the next read; without it nothing is read until `resume()`.
void Connection::tell_receiver(std::size_t bytes) {
  detail::Reception reception{.memory = filter_->memory, .bytes = bytes};
  const ListenerId told = filter_->receiver;
  EventSource::emit(receiving, &reception);
  if (!loop_->alive() || filter_->receiver != told) return;
  filter_->memory = reception.memory;
  if (!reception.go_on || reception.memory.empty()) pause();
}

}  // namespace libnet::core
