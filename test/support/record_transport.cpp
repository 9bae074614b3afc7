#include "support/record_transport.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "transport/native.hpp"

namespace libnet::test {

using transport::Peek;
using transport::Result;
using transport::Status;
using transport::system_error;
using transport::Transport;
using transport::Waiting;

std::byte RunningKey::apply(std::byte value) noexcept {
  state_ = state_ * 1664525U + 1013904223U;
  return value ^ static_cast<std::byte>(state_ >> 24U);
}

RecordTransport::RecordTransport(std::shared_ptr<reactor::Loop> loop, std::unique_ptr<Transport> lower, Rules rules,
                                 std::string_view received)
    : loop_(std::move(loop)), lower_(std::move(lower)), rules_(rules), encoded_(lower_->sent()) {
  const auto bytes = std::as_bytes(std::span(received));
  received_.assign(bytes.begin(), bytes.end());
  decipher(received_);
  lower_->observe(this);
}

RecordTransport::~RecordTransport() { close(); }

// ---- Readiness

void RecordTransport::on_transport_ready() {
  if (observer_ != nullptr) observer_->on_transport_ready();
}

void RecordTransport::run_task() { on_transport_ready(); }

bool RecordTransport::ready_to_read() {
  const bool ready = may_read();
  read_awaited_ = !ready;
  return ready;
}

bool RecordTransport::ready_to_write() {
  const bool ready = may_write();
  write_awaited_ = !ready;
  return ready;
}

bool RecordTransport::may_read() {
  if (has_decoded() || input_ != Input::open) return true;
  if (!must_acknowledge()) return has_record() || lower_input_over_ || lower_->ready_to_read();
  // Both are asked, so that the lower transport tells about either.
  const bool may_push = lower_->ready_to_write();
  const bool may_fetch = !lower_input_over_ && room_for_undecoded() > 0 && lower_->ready_to_read();
  return may_push || may_fetch;
}

bool RecordTransport::may_write() {
  if (output_ == Output::failed) return true;
  if (unsent() > 0 || output_ != Output::open || window_is_open()) return lower_->ready_to_write();
  if (input_ == Input::failed) return true;
  if (has_decoded()) return false;  // the acknowledgement is behind it: taking it tells
  return has_record() || lower_input_over_ || lower_->ready_to_read();
}

/// A call for one direction may have made the other one possible, which the lower transport knows nothing of.
void RecordTransport::tell_if_awaited() {
  const bool tell_reader = read_awaited_ && ready_to_read();
  const bool tell_writer = write_awaited_ && ready_to_write();
  if (!tell_reader && !tell_writer) return;
  ++counters_.told_by_own_task;
  loop_->schedule(*this);
}

// ---- Input

Result RecordTransport::try_read(std::span<std::byte> buffer) {
  read_awaited_ = false;
  decode_ahead();
  const std::size_t bytes = std::min(buffer.size(), decoded_.size() - decoded_offset_);
  if (bytes > 0) std::memcpy(buffer.data(), decoded_.data() + decoded_offset_, bytes);
  decoded_offset_ += bytes;
  tell_if_awaited();
  if (bytes > 0) return {bytes, Status::more, {}};
  if (input_ == Input::open) return {0, Status::would_block, {}};
  return first_error_ ? Result{0, Status::error, first_error_} : Result{0, Status::end, {}};
}

Peek RecordTransport::peek_end() {
  decode_ahead();
  tell_if_awaited();
  if (has_decoded()) return {Waiting::data, {}};
  if (input_ == Input::open) return {Waiting::nothing, {}};
  return first_error_ ? Peek{Waiting::error, first_error_} : Peek{Waiting::end, {}};
}

error_code RecordTransport::error_behind_end() {
  if (!first_error_) remember(lower_->error_behind_end());
  return first_error_;
}

/// Decodes until there is a data record, the end, or nothing more to be had.
void RecordTransport::decode_ahead() {
  while (input_ == Input::open && !has_decoded()) {
    if (must_acknowledge() && !push() && must_acknowledge()) return take_in_undecoded();
    if (has_bad_header()) {
      input_failed(system_error(EBADMSG));
    } else if (has_record()) {
      decode_record();
    } else if (lower_input_over_) {
      input_failed(lower_input_error_ ? lower_input_error_ : system_error(ECONNABORTED));
    } else if (!fetch(std::max(missing_of_record(), rules_.read_ahead))) {
      return;
    }
  }
}

/// Both sides may wait with an acknowledgement behind a data record that the other does not take in. So take in.
void RecordTransport::take_in_undecoded() {
  ++counters_.reads_blocked_by_writing;
  while (!lower_input_over_ && room_for_undecoded() > 0 && fetch(room_for_undecoded())) {
  }
}

/// Takes in at most `most` bytes; false if nothing came and nothing was found out.
bool RecordTransport::fetch(std::size_t most) {
  const std::size_t before = received_.size();
  received_.resize(before + most);
  const Result result = lower_->try_read(std::span(received_).subspan(before));
  received_.resize(before + result.bytes);
  decipher(std::span(received_).subspan(before));
  lower_input_over_ = result.status == Status::end || result.status == Status::error;
  lower_input_error_ = result.error;
  return result.bytes > 0 || lower_input_over_;
}

void RecordTransport::decipher(std::span<std::byte> bytes) noexcept {
  for (std::byte& byte : bytes) byte = read_key_.apply(byte);
}

std::size_t RecordTransport::record_size() const noexcept {
  return header_size + (std::to_integer<std::size_t>(received_[0]) << 8U) + std::to_integer<std::size_t>(received_[1]);
}

std::size_t RecordTransport::missing_of_record() const noexcept {
  return (received_.size() < header_size ? header_size : record_size()) - received_.size();
}

/// Room for all that a peer can send until it gets an acknowledgement.
std::size_t RecordTransport::room_for_undecoded() const noexcept {
  const std::size_t data = rules_.window * (header_size + rules_.most_payload);
  const std::size_t control = (rules_.window / rules_.acknowledge_interval + 2) * header_size;
  return std::max(data + control, received_.size()) - received_.size();
}

/// Looked at before the payload is waited for.
bool RecordTransport::has_bad_header() const noexcept {
  if (received_.size() < header_size) return false;
  const std::size_t payload = record_size() - header_size;
  switch (static_cast<Type>(received_[2])) {
    case Type::data: return payload == 0 || payload > rules_.most_payload;
    case Type::end:
    case Type::acknowledge: return payload != 0;
  }
  return true;
}

void RecordTransport::decode_record() {
  const auto record = std::span<const std::byte>(received_).first(record_size());
  switch (static_cast<Type>(record[2])) {
    case Type::data: accept_data(record.subspan(header_size)); break;
    case Type::end: input_ = Input::ended; break;
    case Type::acknowledge: accept_acknowledgement(); break;
  }
  for (const std::byte byte : record) undecoded_key_.apply(byte);
  received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(record.size()));
}

void RecordTransport::accept_data(std::span<const std::byte> payload) {
  decoded_.assign(payload.begin(), payload.end());
  decoded_offset_ = 0;
  if (output_ != Output::open || ++unanswered_ < rules_.acknowledge_interval) return;
  unanswered_ = 0;
  encode(Type::acknowledge, {});
  acknowledgement_held_ = true;
  ++counters_.acknowledgements_sent;
  push();
}

void RecordTransport::accept_acknowledgement() {
  ++counters_.acknowledgements_received;
  if (unacknowledged_ < rules_.acknowledge_interval) return input_failed(system_error(EBADMSG));
  unacknowledged_ -= rules_.acknowledge_interval;
}

void RecordTransport::input_failed(error_code error) {
  input_ = Input::failed;
  remember(error);
}

// ---- Output

Result RecordTransport::try_write(std::span<const iovec> buffers) {
  write_awaited_ = false;
  if (output_ == Output::ending || output_ == Output::ended) return {0, Status::error, system_error(EPIPE)};
  const std::size_t total = transport::total_size(buffers);
  std::size_t taken = 0;
  while (taken < total && may_encode()) taken += encode_data(buffers, taken);
  push();
  tell_if_awaited();
  if (taken == 0 && total > 0 && (output_ == Output::failed || (input_ == Input::failed && !window_is_open()))) {
    return {0, Status::error, first_error_};
  }
  if (unsent() > 0) ++counters_.writes_with_rest;
  const bool failed = output_ == Output::failed;  // what was taken counts; the next call tells
  return {taken, failed || (taken == total && unsent() == 0) ? Status::more : Status::would_block, {}};
}

/// True if nothing is held and the window is open; reads what the peer acknowledged if need be.
bool RecordTransport::may_encode() {
  if (!push()) return false;
  if (window_is_open()) return true;
  decode_ahead();
  if (held_.empty() && window_is_open()) return true;
  ++counters_.writes_blocked_by_reading;
  return false;
}

/// Encodes one record from the gather list, whose first `skip` bytes were taken before.
std::size_t RecordTransport::encode_data(std::span<const iovec> buffers, std::size_t skip) {
  std::vector<std::byte> payload;
  for (const iovec& buffer : buffers) {
    const std::size_t skipped = std::min(skip, buffer.iov_len);
    skip -= skipped;
    const auto* begin = static_cast<const std::byte*>(buffer.iov_base) + skipped;
    const std::size_t bytes = std::min(buffer.iov_len - skipped, rules_.most_payload - payload.size());
    payload.insert(payload.end(), begin, begin + bytes);
  }
  encode(Type::data, payload);
  ++unacknowledged_;
  taken_ += payload.size();
  record_ends_.push_back({taken_, encoded_});
  return payload.size();
}

void RecordTransport::encode(Type type, std::span<const std::byte> payload) {
  const std::array header{static_cast<std::byte>(payload.size() >> 8U), static_cast<std::byte>(payload.size()),
                          static_cast<std::byte>(type)};
  for (const std::byte byte : header) held_.push_back(write_key_.apply(byte));
  for (const std::byte byte : payload) held_.push_back(write_key_.apply(byte));
  encoded_ += header.size() + payload.size();
}

std::uint64_t RecordTransport::sent() const noexcept {
  while (!record_ends_.empty() && record_ends_.front().encoded <= lower_->sent()) {
    sent_ = record_ends_.front().plain;
    record_ends_.pop_front();
  }
  return sent_;
}

Result RecordTransport::flush() {
  write_awaited_ = false;
  const bool pushed = push();
  tell_if_awaited();
  if (output_ == Output::failed) return {0, Status::error, first_error_};
  return {0, pushed ? Status::more : Status::would_block, {}};
}

/// True if all that was encoded is handed on.
bool RecordTransport::push() {
  if (output_ == Output::failed || !push_held()) return false;
  acknowledgement_held_ = false;
  return output_ != Output::ending || push_end();
}

bool RecordTransport::push_held() {
  while (!held_.empty()) {
    const iovec buffer{held_.data(), held_.size()};
    const Result result = lower_->try_write({&buffer, 1});
    held_.erase(held_.begin(), held_.begin() + static_cast<std::ptrdiff_t>(result.bytes));
    if (result.status == Status::error && end_is_moot()) return true;
    if (result.status == Status::error) output_failed(result.error);
    if (result.status != Status::more) break;
  }
  if (output_ == Output::failed || !held_.empty()) return false;
  const Result result = lower_->flush();
  if (result.status == Status::error) output_failed(result.error);
  return output_ != Output::failed && lower_->unsent() == 0;
}

/// A peer that has ended and is gone does not miss our end. True if that was all it would have got.
bool RecordTransport::end_is_moot() {
  if (output_ != Output::ending || input_ != Input::ended || held_.size() > header_size) return false;
  held_.clear();
  return true;
}

bool RecordTransport::push_end() {
  output_ = Output::ended;
  if (const error_code error = lower_->shutdown_write()) output_failed(error);
  return output_ != Output::failed && lower_->unsent() == 0;
}

error_code RecordTransport::shutdown_write() {
  if (output_ == Output::open) {
    encode(Type::end, {});
    output_ = Output::ending;
    push();
    tell_if_awaited();
  }
  return output_ == Output::failed ? first_error_ : error_code();
}

/// What is held stays: it was never sent, so `unsent` must not become 0.
void RecordTransport::output_failed(error_code error) {
  output_ = Output::failed;
  remember(error);
}

void RecordTransport::remember(error_code error) noexcept {
  if (!first_error_) first_error_ = error;
}

// ---- The end

std::unique_ptr<Transport> RecordTransport::give_up(std::string& unread) {
  const auto append = [&](std::byte byte) { unread.push_back(static_cast<char>(byte)); };
  for (const std::byte byte : std::span(decoded_).subspan(decoded_offset_)) append(byte);
  for (const std::byte byte : received_) append(undecoded_key_.apply(byte));
  loop_->unschedule(*this);
  lower_->observe(nullptr);
  return std::move(lower_);
}

/// In an orderly way as far as that is possible without waiting: with the end record, if all else is sent.
void RecordTransport::close() noexcept {
  if (!lower_) return;  // given up
  if (unsent() == 0) shutdown_write();
  loop_->unschedule(*this);
  lower_->close();
}

void RecordTransport::reset() noexcept {
  output_ = Output::failed;
  loop_->unschedule(*this);
  lower_->reset();
}

}  // namespace libnet::test
