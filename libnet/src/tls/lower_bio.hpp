#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <openssl/bio.h>

#include "tls/output_block.hpp"
#include "transport/transport.hpp"

namespace libnet::tls {

/// What OpenSSL reads from and writes to: the transport below.
///
/// Reading goes straight to the transport. Written records are collected, and leave together with `push()`. OpenSSL never
/// sees an end or an error of the transport: to it everything that is not there would block. So it declares nothing broken
/// that is not, and `input_over()` tells the owner.
class LowerBio {
 public:
  /// @param received  Input that `lower` gave before.
  LowerBio(std::unique_ptr<transport::Transport> lower, std::string received) noexcept
      : lower_(std::move(lower)), received_(std::move(received)), encoded_(lower_->sent()) {}
  LowerBio(const LowerBio&) = delete;
  LowerBio& operator=(const LowerBio&) = delete;

  /// A new BIO over this one, which must outlive it.
  /// @throws std::bad_alloc.
  BIO* make_bio();

  transport::Transport& lower() noexcept { return *lower_; }
  const transport::Transport& lower() const noexcept { return *lower_; }

  // ---- Input

  /// The transport is asked for input again, although it had none.
  void look_again() noexcept { drained_ = false; }
  /// A call of OpenSSL begins.
  void begin_call() noexcept { starved_ = false; }
  /// What a call below threw inside the last call of OpenSSL, which can be made again.
  std::exception_ptr take_thrown() noexcept { return std::exchange(thrown_, nullptr); }

  /// In its last call OpenSSL has asked for more input than there is.
  bool starved() const noexcept { return starved_; }
  /// The transport has nothing more for now.
  bool drained() const noexcept { return drained_; }
  /// There will be no more input: the end, or `input_error()`.
  bool input_over() const noexcept { return input_over_; }
  error_code input_error() const noexcept { return input_error_; }
  /// A read can be worth its while. If not, the transport below tells when it is.
  bool ready_to_read() { return offset_ < received_.size() || input_over_ || lower_->ready_to_read(); }
  /// The first bytes of the peer, 64 at most.
  std::span<const std::byte> first_bytes() const noexcept { return std::span(first_bytes_).first(first_count_); }
  /// Bytes were moved before this one was made.
  bool ever_used() const noexcept { return !received_.empty() || encoded_ > 0; }
  /// Counts the reads that gave bytes.
  std::uint64_t reads() const noexcept { return reads_; }

  // ---- Output

  /// @throws std::bad_alloc.
  void reserve(std::size_t wanted) { block_.reserve(wanted); }
  void give_back_if_empty() noexcept {
    if (block_.empty()) block_.give_back();
  }
  std::size_t held() const noexcept { return block_.size(); }
  /// All that was encoded, as the transport below counts what it has sent. [bytes]
  std::uint64_t encoded() const noexcept { return encoded_; }
  std::size_t unsent() const noexcept { return block_.size() + lower_->unsent(); }

  /// Hands on what is held. `more` means that all of it has left the transport below as well.
  transport::Result push();
  /// What is held will never leave.
  void drop_held() noexcept { block_.give_back(); }

 private:
  static const BIO_METHOD* method();
  static LowerBio& self(BIO* bio) noexcept { return *static_cast<LowerBio*>(BIO_get_data(bio)); }
  static int on_read(BIO* bio, char* data, std::size_t size, std::size_t* taken) noexcept;
  static int on_write(BIO* bio, const char* data, std::size_t size, std::size_t* given) noexcept;
  static long on_control(BIO* bio, int command, long number, void* pointer) noexcept;

  std::size_t read(std::span<std::byte> buffer);
  std::size_t take_received(std::span<std::byte> buffer) noexcept;
  void note_first_bytes(std::span<const std::byte> bytes) noexcept;
  std::size_t write(std::span<const std::byte> bytes);

  std::unique_ptr<transport::Transport> lower_;
  std::string received_;  // what was read before, until offset_ has passed it
  std::size_t offset_ = 0;
  OutputBlock block_;
  std::uint64_t encoded_;
  std::uint64_t reads_ = 0;
  std::exception_ptr thrown_;
  error_code input_error_;
  std::array<std::byte, 64> first_bytes_{};
  std::uint8_t first_count_ = 0;
  bool starved_ = false;
  bool drained_ = false;
  bool input_over_ = false;
};

}  // namespace libnet::tls
