#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "core/block_pool.hpp"
#include "core/input_filter.hpp"
#include "core/operations.hpp"
#include "libnet/chunk.hpp"
#include "transport/transport.hpp"

namespace libnet::core {

/// The receiving half of a connection: who consumes, what was put back, what a decoder holds, and how far the input is.
///
/// It reads from a transport into the memory of whoever consumes, and says what comes next; whom to tell, and when, is
/// decided above. Bytes that were put back come first, as they are; what the transport gives passes the decoder.
class Receiving {
 public:
  /// The lowest bit is set while 'end' is due: that is asked after every message.
  enum class Side : std::uint8_t {
    open = 0,
    ending = 1,  ///< The peer has ended; nobody knows yet.
    known = 3,   ///< A read has given the end; 'end' is still due.
    ended = 2,   ///< 'end' was told.
  };
  enum class Flow : std::uint8_t {
    automatic,   ///< Whoever consumes gets what arrives.
    paused,      ///< Listeners get nothing; an awaited read does.
    discarding,  ///< resume() with nobody consuming: what arrives is thrown away.
  };
  /// Who gets the next bytes.
  enum class Consumer : std::uint8_t { nobody, read, read_some, pipe, receiver, listeners, discarded };
  /// Whether it takes the bytes as they came, past an encoding.
  static bool is_raw(Consumer consumer) noexcept {
    return consumer == Consumer::read_some || consumer == Consumer::pipe || consumer == Consumer::receiver;
  }

  /// @name The input as a whole
  /// @{
  bool is_open() const noexcept { return side_ == Side::open; }
  bool end_is_due() const noexcept { return (static_cast<unsigned>(side_) & 1U) != 0; }
  bool has_ended() const noexcept { return side_ == Side::ended; }
  /// By a read or by 'end'.
  bool end_is_told() const noexcept { return side_ == Side::known || side_ == Side::ended; }
  void end() noexcept { side_ = Side::ending; }
  void note_end_known() noexcept {
    if (side_ == Side::ending) side_ = Side::known;
  }
  void note_end_told() noexcept { side_ = Side::ended; }
  /// The connection is destroyed: 'end' does not come any more.
  void tell_no_end() noexcept {
    if (end_is_due()) side_ = end_is_told() ? Side::ended : Side::open;
  }
  /// An error takes the place of an end that nobody knows of yet.
  void reopen() noexcept {
    if (side_ == Side::ending) side_ = Side::open;
  }
  /// [bytes] that the transports of this connection gave.
  std::uint64_t bytes_read() const noexcept { return bytes_read_; }
  /// A new connection begins. The encoding and the flow stay.
  void reset() noexcept;
  /// The connection is over: what nobody took is gone.
  void drop_unread() noexcept;
  /// @}

  /// @name Flow
  /// @{
  Flow flow() const noexcept { return flow_; }
  bool paused() const noexcept { return flow_ == Flow::paused; }
  void pause() noexcept { flow_ = Flow::paused; }
  void flow_freely() noexcept { flow_ = Flow::automatic; }
  void discard() noexcept { flow_ = Flow::discarding; }
  /// Somebody begins to consume: nothing is thrown away any more.
  void stop_discarding() noexcept {
    if (flow_ == Flow::discarding) flow_ = Flow::automatic;
  }
  /// @param listeners  There are listeners of 'data'.
  /// @param receiver   There is a listener that receives into its own memory.
  Consumer consumer(bool listeners, bool receiver) const noexcept {
    if (reader_ != nullptr) return consumer_of(*reader_);
    if (flow_ == Flow::paused) return Consumer::nobody;
    if (receiver) return Consumer::receiver;
    if (flow_ == Flow::discarding) return Consumer::discarded;
    return listeners ? Consumer::listeners : Consumer::nobody;
  }
  /// @}

  /// @name The reader: one operation that waits for input
  /// @{
  Operation* reader() const noexcept { return reader_; }
  bool has_reader() const noexcept { return reader_ != nullptr; }
  void set_reader(Operation& operation) noexcept {
    reader_ = &operation;
    stop_discarding();
  }
  Operation& take_reader() noexcept { return *std::exchange(reader_, nullptr); }
  void forget_reader(const Operation& operation) noexcept {
    if (reader_ == &operation) reader_ = nullptr;
  }
  /// The chunk of the last awaited read is not valid any more.
  void end_lease() noexcept { lease_.give_back(); }
  /// @}

  /// @name What was put back
  /// @{
  bool has_put_back() const noexcept { return put_back_ != nullptr; }
  void put_back(std::span<const std::byte> bytes);
  std::unique_ptr<std::string> take_put_back() noexcept { return std::move(put_back_); }
  void drop_put_back() noexcept { put_back_.reset(); }
  /// All input that nobody took, also what a decoder holds: a transport that takes the place of another one reads it first.
  std::string take_unread();
  /// What a new transport left of that. It passes the decoder.
  void give_unread(std::string&& bytes);
  /// @}

  /// @name Text
  /// @{
  bool decodes() const noexcept { return filter_ && filter_->decoder.encoding() != Encoding::bytes; }
  /// The decoder holds bytes that are no whole character yet.
  bool holds() const noexcept { return filter_ && !filter_->decoder.held().empty(); }
  /// Whether there is something to deliver to `consumer` that was received before. What a decoder holds is that for who takes
  /// bytes; who wants text waits for the rest of it.
  bool has_kept(Consumer consumer) const noexcept { return has_put_back() || (is_raw(consumer) && holds()); }
  /// True if there is something to deliver that was held before.
  bool set_encoding(Encoding encoding);
  /// The input is over: what is held is its last piece. True if there is any: it has to be delivered first.
  bool flush_held();
  /// @}

  /// @name A receiver's own memory
  /// @{
  ListenerId receiver() const noexcept { return filter_ ? filter_->receiver : ListenerId{}; }
  void set_receiver(ListenerId receiver, std::span<std::byte> memory);
  /// Where the next read goes; empty if there is no memory now.
  std::span<std::byte> receiver_memory() const noexcept { return filter_->memory; }
  void set_receiver_memory(std::span<std::byte> memory) noexcept { filter_->memory = memory; }
  /// @throws std::bad_alloc. Call it before `set_receiver`.
  void prepare_receiver() { filter(); }
  /// @}

  /// @name Reading
  /// One read each: at most a block, or the caller's memory.
  /// @{
  transport::Result read_into(transport::Transport& transport, std::span<std::byte> memory) {
    if (put_back_) return read_put_back(memory);
    if (holds()) return read_held(memory);
    return read_new(transport, memory);
  }
  /// Into a block, through the decoder if an encoding is set.
  transport::Result read_block(transport::Transport& transport, Block& block) {
    if (put_back_) return read_put_back({block.data(), block.size()});
    if (decodes()) return read_text(transport, block);
    return read_new(transport, {block.data(), block.size()});
  }
  transport::Result read_for(transport::Transport& transport, detail::ReadOperation& operation);
  transport::Result read_for(transport::Transport& transport, detail::ReadSomeOperation& operation);
  /// Into a pipe of the kernel.
  transport::Result splice(transport::Transport& transport, transport::KernelPipe& pipe);
  /// Throws one block away.
  transport::Result discard_block(transport::Transport& transport);
  /// @}

 private:
  static Consumer consumer_of(const Operation& reader) noexcept {
    if (reader.kind == Operation::Kind::read) return Consumer::read;
    return reader.kind == Operation::Kind::pipe ? Consumer::pipe : Consumer::read_some;
  }
  InputFilter& filter();
  bool put_behind(std::span<const std::byte> bytes);
  void lease(Block& block, std::size_t bytes);
  transport::Result read_new(transport::Transport& transport, std::span<std::byte> memory) {
    const transport::Result result = transport.try_read(memory);
    bytes_read_ += result.bytes;
    return result;
  }
  transport::Result read_put_back(std::span<std::byte> memory) noexcept;
  transport::Result read_held(std::span<std::byte> memory) noexcept;
  transport::Result read_text(transport::Transport& transport, Block& text);

  Operation* reader_ = nullptr;
  Block lease_;  // what the last async_read gave
  std::unique_ptr<std::string> put_back_;
  std::unique_ptr<InputFilter> filter_;  // of a socket with an encoding or a receiver
  std::uint64_t bytes_read_ = 0;
  Side side_ = Side::open;
  Flow flow_ = Flow::automatic;
};

}  // namespace libnet::core
