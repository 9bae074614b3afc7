#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "reactor/loop.hpp"
#include "transport/transport.hpp"

namespace libnet::test {

/// Enciphers with a running key, so that a byte that is lost, repeated or moved is noticed.
class RunningKey {
 public:
  std::byte apply(std::byte value) noexcept;

 private:
  std::uint32_t state_ = 0x2545F491;
};

/// A toy protocol of records over another transport. It has everything about TLS that makes a state machine difficult.
///
/// A record is its payload's length (2 bytes, big endian), its type (1 byte) and at most 1,000 bytes, all enciphered.
/// * After every `acknowledge_interval` data records the receiver answers with an acknowledge record, and decodes
///   nothing further until the layer below has taken it: it must write in order to read.
/// * A sender encodes at most `window` data records beyond the last acknowledged one: it must read in order to write, so
///   it also reads when nobody wants data, and then keeps one decoded record at most.
/// * The end is a record. Who has sent it acknowledges no more; who has received it needs no acknowledgements any more.
/// * An end of the lower transport without an end record is ECONNABORTED; what cannot be decoded is EBADMSG.
/// * It can begin in the middle of a stream, and without acknowledgements it can end there: `give_up`.
///
/// Both sides can always go on: who may not decode takes in what comes, still encoded, and the window bounds that.
class RecordTransport final : public transport::Transport,
                              private transport::Transport::Observer,
                              private reactor::Task {
 public:
  struct Rules {
    std::size_t acknowledge_interval = 4;  ///< [data records]
    std::size_t window = 8;                ///< [data records], at least the interval
    std::size_t most_payload = 1000;       ///< of one record [bytes]
    std::size_t read_ahead = 0;            ///< What one read asks the layer below for, whatever a record lacks [bytes]

    /// Nothing is sent that nobody wrote: what was written tells where the last record ends.
    static Rules without_acknowledgements() noexcept {
      return {.acknowledge_interval = SIZE_MAX, .window = SIZE_MAX, .read_ahead = 4096};
    }
  };

  /// How often the difficult cases were met, so that a test can tell that it met them.
  struct Counters {
    std::size_t acknowledgements_sent = 0;
    std::size_t acknowledgements_received = 0;
    std::size_t reads_blocked_by_writing = 0;   ///< An acknowledgement could not be sent.
    std::size_t writes_blocked_by_reading = 0;  ///< The window was used up.
    std::size_t writes_with_rest = 0;           ///< Taken, encoded, and not all handed on.
    std::size_t told_by_own_task = 0;           ///< One direction became ready through a call of the other.
  };

  /// @param received  Input that `lower` gave before: it is decoded first.
  RecordTransport(std::shared_ptr<reactor::Loop> loop, std::unique_ptr<transport::Transport> lower, Rules rules,
                  std::string_view received = {});
  RecordTransport(std::shared_ptr<reactor::Loop> loop, std::unique_ptr<transport::Transport> lower)
      : RecordTransport(std::move(loop), std::move(lower), Rules()) {}
  ~RecordTransport() override;

  const Counters& counters() const noexcept { return counters_; }
  transport::Transport& lower() noexcept { return *lower_; }

  /// Gives up the lower transport, open; then only the destructor is legal.
  /// @param unread  Gets appended what nobody read: what was decoded, then the other bytes as they were received.
  std::unique_ptr<transport::Transport> give_up(std::string& unread);

  void observe(transport::Transport::Observer* observer) override { observer_ = observer; }
  bool ready_to_read() override;
  bool ready_to_write() override;

  transport::Result try_read(std::span<std::byte> buffer) override;
  transport::Result try_write(std::span<const iovec> buffers) override;
  transport::Result flush() override;
  std::size_t unsent() const noexcept override { return held_.size() + lower_->unsent(); }
  std::uint64_t sent() const noexcept override;
  bool holds_back() const noexcept override { return true; }
  transport::Peek peek_end() override;
  error_code error_behind_end() override;
  error_code shutdown_write() override;
  void close() noexcept override;
  void reset() noexcept override;
  bool can_reset() const noexcept override { return lower_->can_reset(); }

  std::optional<SocketAddress> local_address() const override { return lower_->local_address(); }
  std::optional<SocketAddress> remote_address() const override { return lower_->remote_address(); }
  int native_handle() const noexcept override { return lower_->native_handle(); }

 private:
  enum class Type : std::uint8_t { data = 1, end = 2, acknowledge = 3 };
  enum class Input : std::uint8_t { open, ended, failed };
  enum class Output : std::uint8_t { open, ending, ended, failed };

  static constexpr std::size_t header_size = 3;

  void on_transport_ready() override;
  void run_task() override;
  void tell_if_awaited();
  bool may_read();
  bool may_write();

  // Input: lower transport -> received_ -> decoded_.
  void decode_ahead();
  void take_in_undecoded();
  bool fetch(std::size_t most);
  void decipher(std::span<std::byte> bytes) noexcept;
  void decode_record();
  void accept_data(std::span<const std::byte> payload);
  void accept_acknowledgement();
  void input_failed(error_code error);
  std::size_t record_size() const noexcept;
  bool has_record() const noexcept { return received_.size() >= header_size && received_.size() >= record_size(); }
  bool has_bad_header() const noexcept;
  std::size_t missing_of_record() const noexcept;
  std::size_t room_for_undecoded() const noexcept;
  bool has_decoded() const noexcept { return decoded_offset_ < decoded_.size(); }
  bool must_acknowledge() const noexcept { return acknowledgement_held_ && output_ != Output::failed; }

  // Output: the caller's bytes -> held_ -> lower transport.
  bool window_is_open() const noexcept { return unacknowledged_ < rules_.window || input_ == Input::ended; }
  bool may_encode();
  std::size_t encode_data(std::span<const iovec> buffers, std::size_t skip);
  void encode(Type type, std::span<const std::byte> payload);
  bool push();
  bool push_held();
  bool end_is_moot();
  bool push_end();
  void output_failed(error_code error);
  void remember(error_code error) noexcept;

  std::shared_ptr<reactor::Loop> loop_;
  std::unique_ptr<transport::Transport> lower_;
  Rules rules_;
  Counters counters_;
  transport::Transport::Observer* observer_ = nullptr;

  RunningKey read_key_;       // behind received_
  RunningKey undecoded_key_;  // in front of received_
  RunningKey write_key_;
  std::vector<std::byte> received_;  // deciphered, not decoded
  std::vector<std::byte> decoded_;   // the payload of one data record
  std::size_t decoded_offset_ = 0;
  std::vector<std::byte> held_;  // encoded output that the lower transport has not taken yet
  /// Where a data record ends, in what was taken and in what the lower transport was given or is to be given.
  struct RecordEnd {
    std::uint64_t plain;
    std::uint64_t encoded;
  };
  mutable std::deque<RecordEnd> record_ends_;  // of those that may not have left the lower transport
  mutable std::uint64_t sent_ = 0;             // plain bytes of those that have
  std::uint64_t taken_ = 0;                    // plain bytes
  std::uint64_t encoded_ = 0;                  // bytes of all records, as the lower transport counts what it has sent
  std::size_t unanswered_ = 0;                 // data records decoded since our last acknowledgement
  std::size_t unacknowledged_ = 0;             // data records encoded and not acknowledged by the peer

  Input input_ = Input::open;
  Output output_ = Output::open;
  bool lower_input_over_ = false;  // received_ holds all that will ever come
  bool acknowledgement_held_ = false;
  bool read_awaited_ = false;
  bool write_awaited_ = false;
  error_code lower_input_error_;
  error_code first_error_;
};

}  // namespace libnet::test
