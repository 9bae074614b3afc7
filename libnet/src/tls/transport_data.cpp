#include "tls/transport.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include <openssl/err.h>

#include "libnet/detail/operation.hpp"
#include "tls/ssl_call.hpp"
#include "transport/native.hpp"

/// Bytes of the user's, and both ends.
namespace libnet::tls {

using transport::Peek;
using transport::Result;
using transport::Status;
using transport::system_error;
using transport::Waiting;

namespace {

/// Header, tag, explicit nonce or inner type; for block ciphers, which OpenSSL may still speak in TLS 1.2, a vector, a MAC
/// and padding. [bytes]
constexpr std::size_t aead_overhead = 5 + 16 + 8;
constexpr std::size_t block_overhead = 5 + 16 + 48 + 16;
/// More than any record adds to its text. [bytes]
constexpr std::size_t most_overhead = 1024;

std::size_t overhead_of(const SSL* ssl) noexcept {
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl);
  return cipher != nullptr && SSL_CIPHER_is_aead(cipher) == 1 ? aead_overhead : block_overhead;
}

}  // namespace

// ---- Readiness

bool Transport::ready_to_read() {
  const bool ready = may_read();
  read_awaited_ = !ready;
  return ready;
}

bool Transport::ready_to_write() {
  const bool ready = may_write();
  write_awaited_ = !ready;
  return ready;
}

bool Transport::may_read() {
  if (in_handshake()) return false;
  if (input_ != Input::open || has_decoded()) return true;
  if (read_blocked_by_writing_) return bio_.lower().ready_to_write();
  return (!starved_ && SSL_has_pending(ssl_) == 1) || bio_.ready_to_read();
}

bool Transport::may_write() {
  if (in_handshake()) return false;
  if (output_ == Output::failed) return true;
  if (write_blocked_by_reading_ && bio_.held() == 0) return input_ != Input::open || bio_.ready_to_read();
  return bio_.lower().ready_to_write();
}

// ---- Input

Result Transport::try_read(std::span<std::byte> buffer) {
  read_awaited_ = false;
  if (in_handshake()) return {};
  const std::size_t bytes = decode(buffer, true);
  if (write_awaited_) tell_awaiting();
  if (bytes > 0) return {bytes, bio_.drained() && SSL_has_pending(ssl_) == 0 ? Status::would_block : Status::more, {}};
  if (input_ == Input::open) return {};
  return problem_.code ? failed() : Result{0, Status::end, {}};
}

Peek Transport::peek_end() {
  if (in_handshake()) return {};
  std::byte unused{};
  const bool data = has_decoded() || decode({&unused, 1}, false) > 0;
  if (write_awaited_) tell_awaiting();
  if (data) return {Waiting::data, {}};
  if (input_ == Input::open) return {Waiting::nothing, {}};
  return problem_.code ? Peek{Waiting::error, problem_.code} : Peek{Waiting::end, {}};
}

error_code Transport::error_behind_end() {
  if (problem_.code) return problem_.code;
  if (const error_code code = bio_.lower().error_behind_end()) remember(lower_problem(code, "read"));
  return problem_.code;
}

/// Decodes until the buffer is full or nothing more can be had. Without `take` one byte is looked at and stays.
std::size_t Transport::decode(std::span<std::byte> buffer, bool take) {
  std::size_t total = 0;
  bio_.look_again();
  while (input_ == Input::open && total < buffer.size()) {
    std::size_t bytes = 0;
    const auto rest = buffer.subspan(total);
    const int ssl_error = call_ssl(
        bio_,
        [&] {
          return take ? SSL_read_ex(ssl_, rest.data(), rest.size(), &bytes)
                      : SSL_peek_ex(ssl_, rest.data(), rest.size(), &bytes);
        },
        ssl_);
    starved_ = bio_.starved();
    if (const std::exception_ptr thrown = bio_.take_thrown()) {
      if (total > 0) break;  // these bytes must not be lost; the next call meets it again
      std::rethrow_exception(thrown);
    }
    if (ssl_error != SSL_ERROR_NONE && !go_on_after(ssl_error)) break;
    if (ssl_error != SSL_ERROR_NONE) continue;
    if (refuse_records(false)) break;
    records_without_data_ = 0;
    total += bytes;
    if (bio_.drained() && SSL_has_pending(ssl_) == 0) break;
  }
  return total;
}

/// True if OpenSSL can go on at once.
bool Transport::go_on_after(int ssl_error) {
  switch (ssl_error) {
    case SSL_ERROR_WANT_READ:
      if (refuse_records(!starved_)) return false;
      if (starved_ && bio_.input_over()) input_over();
      return !starved_;
    case SSL_ERROR_WANT_WRITE:
      push();
      read_blocked_by_writing_ = bio_.held() > 0 && output_ != Output::failed;
      return !read_blocked_by_writing_;
    case SSL_ERROR_ZERO_RETURN: input_ = Input::ended; return false;
    default: protocol_failed(explained(ssl_error, "read")); return false;
  }
}

/// Fails a peer that keeps us busy with records that carry no data. @param complete  The last one was no data for certain.
bool Transport::refuse_records(bool complete) {
  if (records_without_data_ <= most_records_without_data + (complete ? 0 : 1)) return false;
  protocol_failed({Errc::tls_protocol, "read", "too many records without data"});
  return true;
}

/// The transport below has no more input, and no close_notify has come.
void Transport::input_over() {
  if (bio_.input_error()) return input_failed(lower_problem(bio_.input_error(), "read"));
  if (session_->allow_truncation()) {
    input_ = Input::ended;
  } else {
    input_failed({Errc::tls_truncated, "read"});
  }
}

void Transport::input_failed(Problem problem) {
  input_ = Input::failed;
  remember(std::move(problem));
}

/// The connection is of no use to either side. An alert of ours may be held: it leaves, and the end behind it.
void Transport::protocol_failed(Problem problem) {
  input_failed(std::move(problem));
  if (output_ == Output::open || output_ == Output::ending) output_ = Output::alerting;
  push_alert();
}

// ---- Output

Result Transport::try_write(std::span<const iovec> buffers) {
  write_awaited_ = false;
  if (in_handshake()) return {};
  if (output_ == Output::ending || output_ == Output::ended) return {0, Status::error, system_error(EPIPE)};
  if (record_limit_.is_dynamic()) record_limit_.note_write(loop_->now());
  const std::size_t total = transport::total_size(buffers);
  const std::uint64_t reads = bio_.reads();
  std::size_t taken = 0;
  while (taken < total && may_encode() && reserve_record(taken == 0)) {
    const std::size_t bytes = encode_record(buffers, taken);
    if (bytes == 0) break;
    taken += bytes;
  }
  bio_.give_back_if_empty();
  push();
  if (read_awaited_ && bio_.reads() != reads) tell_awaiting();
  const bool is_failed = output_ == Output::failed || output_ == Output::alerting;
  if (is_failed && taken == 0 && total > 0) return failed();
  return {taken, is_failed || (taken == total && unsent() == 0) ? Status::more : Status::would_block, {}};
}

/// The first record may bring a ticket with it, whose size nobody knows: it gets a whole block.
bool Transport::may_encode() {
  const std::size_t most = wrote_ ? most_held : 1;
  if (bio_.held() >= most) push();
  return output_ == Output::open && bio_.held() < most;
}

/// Memory for a record and for what is remembered of it. False: there is none, which is told by the next call.
bool Transport::reserve_record(bool must) {
  try {
    sent_records_.reserve();
    bio_.reserve(RecordLimit::full + most_overhead);
  } catch (const std::bad_alloc&) {
    if (must) throw;
    return false;
  }
  return true;
}

/// Encodes one record from the gather list, whose first `skip` bytes were taken before. Pieces are joined up to a record; one
/// that fills it, or is all that is left, is encoded from where it lies.
std::size_t Transport::encode_record(std::span<const iovec> buffers, std::size_t skip) {
  while (skip >= buffers.front().iov_len) {
    skip -= buffers.front().iov_len;
    buffers = buffers.subspan(1);
  }
  const std::size_t limit = record_limit_.next(overhead_of(ssl_));
  const auto* const first = static_cast<const std::byte*>(buffers.front().iov_base) + skip;
  const std::size_t lies_there = buffers.front().iov_len - skip;
  if (lies_there >= limit || buffers.size() == 1) return encode(first, std::min(lies_there, limit));
  std::array<std::byte, RecordLimit::full> joined;
  std::size_t size = 0;
  for (const iovec& buffer : buffers) {
    const std::size_t skipped = std::exchange(skip, std::size_t{0});
    const std::size_t bytes = std::min(buffer.iov_len - skipped, limit - size);
    if (bytes > 0) std::memcpy(joined.data() + size, static_cast<const std::byte*>(buffer.iov_base) + skipped, bytes);
    size += bytes;
  }
  return encode(joined.data(), size);
}

/// There is room for the record, so OpenSSL never keeps one. Nothing was taken if half a message of the protocol waits for its
/// rest, or if a ticket has found no room.
std::size_t Transport::encode(const void* data, std::size_t size) {
  if (!std::exchange(wrote_, true)) session_->prepare_first_write();
  renew_key();
  std::size_t written = 0;
  bio_.look_again();
  const int ssl_error = call_ssl(bio_, [&] { return SSL_write_ex(ssl_, data, size, &written); }, ssl_);
  write_blocked_by_reading_ = ssl_error == SSL_ERROR_WANT_READ;
  if (ssl_error == SSL_ERROR_NONE) {
    sent_records_.note(written, bio_.encoded());
    record_limit_.note_record(written);
    ++records_of_key_;
    return written;
  }
  if (const std::exception_ptr thrown = bio_.take_thrown()) std::rethrow_exception(thrown);
  if (write_blocked_by_reading_ && bio_.input_over()) input_over();
  if (ssl_error != SSL_ERROR_WANT_READ && ssl_error != SSL_ERROR_WANT_WRITE) {
    protocol_failed(explained(ssl_error, "write"));
  }
  return 0;
}

void Transport::renew_key() noexcept {
  if (records_of_key_ < records_per_key_ || SSL_version(ssl_) != TLS1_3_VERSION) return;
  if (SSL_key_update(ssl_, SSL_KEY_UPDATE_NOT_REQUESTED) == 1) records_of_key_ = 0;
}

Result Transport::flush() {
  write_awaited_ = false;
  const bool was_blocked = read_blocked_by_writing_;
  const bool pushed = push();
  if (was_blocked && read_awaited_) tell_awaiting();
  if (output_ == Output::failed) return failed();
  return {0, pushed ? Status::more : Status::would_block, {}};
}

/// True if all that was encoded is handed on.
bool Transport::push() {
  if (output_ == Output::ended) bio_.drop_held();  // who has ended answers no more
  const Result result = bio_.push();
  if (result.status == Status::error && end_is_moot()) {
    bio_.drop_held();
    output_ = Output::ended;
    return true;
  }
  if (result.status == Status::error && output_ != Output::failed) output_failed(lower_problem(result.error, "write"));
  if (output_ == Output::failed || result.status != Status::more) return false;
  read_blocked_by_writing_ = false;
  return finish_output();
}

/// All has left: the end of our side follows, if it is wanted.
bool Transport::finish_output() {
  if (output_ != Output::ending && output_ != Output::alerting) return true;
  const bool alerting = output_ == Output::alerting;
  output_ = alerting ? Output::failed : Output::ended;
  const error_code error = bio_.lower().shutdown_write();
  if (error && !alerting) output_failed(lower_problem(error, "write"));
  return output_ == Output::ended && bio_.lower().unsent() == 0;
}

/// Of a connection that has failed nobody else takes care.
void Transport::push_alert() {
  while (!push() && output_ == Output::alerting && bio_.lower().ready_to_write()) {
  }
}

/// A peer that has ended and is gone does not miss our end. True if that was all it would have got.
bool Transport::end_is_moot() const noexcept {
  return output_ == Output::ending && input_ == Input::ended && sent() == sent_records_.taken();
}

error_code Transport::shutdown_write() {
  if (output_ == Output::open) {
    output_ = Output::ending;
    if (phase_ == Phase::secure) encode_close_notify();
    push();
    if (read_awaited_) tell_awaiting();
  }
  return output_ == Output::failed || output_ == Output::alerting ? problem_.code : error_code();
}

/// Without it the peer sees a truncation, which is what there is to say if it cannot be encoded.
void Transport::encode_close_notify() {
  call_ssl(bio_, [this] { return SSL_shutdown(ssl_); }, ssl_);
  ERR_clear_error();
  if (bio_.take_thrown()) output_failed({detail::out_of_memory(), "write"});
}

/// What is held stays: it was never sent, so `unsent` must not become 0.
void Transport::output_failed(Problem problem) {
  output_ = Output::failed;
  look_for_alert();
  remember(std::move(problem));
}

/// A peer that refuses us says why before it goes: its alert is the better story than the write that failed.
void Transport::look_for_alert() noexcept {
  if (phase_ != Phase::secure || input_ != Input::open || has_decoded()) return;
  try {
    std::byte unused{};
    decode({&unused, 1}, false);
  } catch (...) {
    bio_.look_again();  // the next read meets it again
  }
}

}  // namespace libnet::tls
