#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <openssl/ssl.h>

#include "libnet/errc.hpp"
#include "reactor/loop.hpp"
#include "tls/lower_bio.hpp"
#include "tls/record_limit.hpp"
#include "tls/sent_records.hpp"
#include "tls/session.hpp"
#include "transport/transport.hpp"

namespace libnet::tls {

/// Who calls the handshake.
enum class Driven : std::uint8_t { by_itself, by_stage };

/// What one call of the handshake came to.
enum class Step : std::uint8_t { waits, done, failed };

/// TLS over any other transport.
///
/// * The handshake runs from tasks of the loop, or step by step by a stage; nothing is delivered and nothing is taken before
///   it has ended.
/// * A read processes what the protocol has of its own; so does `peek_end` when nobody reads, which decrypts one record at
///   most.
/// * Records are encoded into one block, which leaves in one call of the transport below. While more than `most_held` waits
///   there, nothing is taken.
///
/// Callbacks of the program that run inside the handshake may close the transport, but not destroy it.
class Transport final : public transport::Transport,
                        private transport::Transport::Observer,
                        private reactor::Task,
                        private AnswerObserver {
 public:
  static constexpr std::size_t most_held = 64 * 1024;        ///< [bytes, encoded]
  static constexpr unsigned most_records_without_data = 32;  ///< From the peer, between two with data.
  /// AES-GCM may protect 2^24.5 full records with one key.
  static constexpr std::uint64_t records_per_key = std::uint64_t{1} << 23U;

  /// @param received  Input that `lower` gave before.
  /// @throws std::bad_alloc.
  Transport(std::shared_ptr<reactor::Loop> loop, std::unique_ptr<transport::Transport> lower, std::string received,
            std::unique_ptr<Session> session, Driven driven = Driven::by_itself);
  ~Transport() override;

  /// Does what is possible of the handshake. Who gets `waits` is told through the observer when to call again; after
  /// `done` or `failed` the transport runs by itself.
  Step handshake_step();

  /// Our key is changed after so many records; for tests.
  void limit_records_per_key(std::uint64_t records) noexcept { records_per_key_ = records; }

  void observe(transport::Transport::Observer* observer) override { observer_ = observer; }
  bool ready_to_read() override;
  bool ready_to_write() override;
  transport::Result try_read(std::span<std::byte> buffer) override;
  transport::Result try_write(std::span<const iovec> buffers) override;
  transport::Result flush() override;
  std::size_t unsent() const noexcept override { return bio_.unsent(); }
  std::uint64_t sent() const noexcept override { return sent_records_.sent(bio_.lower().sent()); }
  bool holds_back() const noexcept override { return true; }
  transport::Failure failure() const override;
  const transport::Security* security() const noexcept override;
  transport::Progress progress() const noexcept override;
  transport::Peek peek_end() override;
  error_code error_behind_end() override;
  error_code shutdown_write() override;
  void close() noexcept override;
  void reset() noexcept override;
  bool can_reset() const noexcept override { return bio_.lower().can_reset(); }

  error_code after_fork() override { return bio_.lower().after_fork(); }
  bool is_inherited() const noexcept override { return bio_.lower().is_inherited(); }
  void set_no_delay(bool enable) noexcept override { bio_.lower().set_no_delay(enable); }
  void set_keep_alive(const KeepAlive& wanted) noexcept override { bio_.lower().set_keep_alive(wanted); }
  void set_type_of_service(int value) noexcept override { bio_.lower().set_type_of_service(value); }
  std::optional<int> type_of_service() const noexcept override { return bio_.lower().type_of_service(); }
  std::optional<SocketAddress> local_address() const override { return bio_.lower().local_address(); }
  std::optional<SocketAddress> remote_address() const override { return bio_.lower().remote_address(); }
  int native_handle() const noexcept override { return bio_.lower().native_handle(); }

 private:
  enum class Phase : std::uint8_t {
    handshaking,
    verifying,  ///< OpenSSL is through; the program has not judged the peer yet.
    leaving,  ///< The peer is accepted; our last bytes of the handshake have not left yet, and nobody else pushes them.
    secure,
    failed,  ///< The handshake; input and output are failed as well.
  };
  enum class Input : std::uint8_t { open, ended, failed };
  /// `ending`: a close_notify is held. `alerting`: an alert may be held; then the transport below is ended as well.
  enum class Output : std::uint8_t { open, ending, ended, alerting, failed };

  struct Problem {
    error_code code;
    const char* operation = "";
    std::string detail = {};
  };

  void on_transport_ready() override;
  void on_answer() override;
  void run_task() override;
  void run_handshake();
  void tell_ready();
  void tell_awaiting();

  // The handshake.
  bool in_handshake() const noexcept { return phase_ != Phase::secure && phase_ != Phase::failed; }
  Step try_handshake();
  std::optional<Step> judge_handshake_error(int ssl_error);
  Step judge_peer();
  Step let_leave();
  Step handshake_failed(Problem problem);
  Problem explained(int ssl_error, const char* operation);
  Problem end_of_handshake_input();
  Problem lower_problem(error_code code, const char* operation) const;

  // Input.
  std::size_t decode(std::span<std::byte> buffer, bool take);
  bool go_on_after(int ssl_error);
  bool refuse_records(bool complete);
  void input_over();
  void input_failed(Problem problem);
  void protocol_failed(Problem problem);
  bool may_read();
  bool has_decoded() const noexcept { return SSL_pending(ssl_) > 0; }
  static void on_message(int write, int version, int content_type, const void* data, std::size_t size, SSL* ssl,
                         void* owner);

  // Output.
  bool may_write();
  bool may_encode();
  bool reserve_record(bool must);
  std::size_t encode_record(std::span<const iovec> buffers, std::size_t skip);
  std::size_t encode(const void* data, std::size_t size);
  void renew_key() noexcept;
  void encode_close_notify();
  bool push();
  bool finish_output();
  void push_alert();
  bool end_is_moot() const noexcept;
  void output_failed(Problem problem);
  void look_for_alert() noexcept;
  void remember(Problem problem);
  transport::Result failed() const { return {0, transport::Status::error, problem_.code}; }

  std::shared_ptr<reactor::Loop> loop_;
  LowerBio bio_;
  std::unique_ptr<Session> session_;
  SSL* ssl_;
  transport::Transport::Observer* observer_ = nullptr;
  mutable SentRecords sent_records_;
  RecordLimit record_limit_;
  std::uint64_t records_per_key_ = records_per_key;
  std::uint64_t records_of_key_ = 0;
  Problem problem_;  // the first
  unsigned records_without_data_ = 0;
  Phase phase_ = Phase::handshaking;
  Input input_ = Input::open;
  Output output_ = Output::open;
  Driven driven_;
  bool starved_ = false;  // what OpenSSL holds of the input is no whole record
  bool read_blocked_by_writing_ = false;
  bool write_blocked_by_reading_ = false;
  bool wrote_ = false;
  bool was_clear_;  // bytes moved over the transport below before the handshake
  bool read_awaited_ = false;
  bool write_awaited_ = false;
  bool closed_ = false;
};

}  // namespace libnet::tls
