#include "support/transport_user.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

namespace libnet::test {

using transport::Result;
using transport::Status;

namespace {

constexpr int most_calls_per_turn = 64;

}  // namespace

std::vector<std::byte> random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

TransportUser::TransportUser(std::shared_ptr<reactor::Loop> loop, transport::Transport& transport, std::uint64_t seed)
    : loop_(std::move(loop)), transport_(transport), random_(seed) {
  transport_.observe(this);
  loop_->schedule(*this);
}

TransportUser::~TransportUser() {
  transport_.observe(nullptr);
  loop_->unschedule(*this);
}

void TransportUser::send(std::vector<std::byte> bytes, bool then_end) {
  output_.insert(output_.end(), bytes.begin(), bytes.end());
  end_wanted_ = then_end;
  loop_->schedule(*this);
}

void TransportUser::resume() {
  paused_ = false;
  loop_->schedule(*this);
}

void TransportUser::on_transport_ready() {
  ++times_told_;
  loop_->schedule(*this);
}

void TransportUser::run_task() {
  read_while_ready();
  write_while_ready();
}

void TransportUser::read_while_ready() {
  for (int call = 0; !input_over_ && !paused_ && transport_.ready_to_read(); ++call) {
    if (call == most_calls_per_turn) return loop_->schedule(*this);
    const std::size_t before = received_.size();
    received_.resize(before + random_size(most_piece_));
    const Result result = transport_.try_read(std::span(received_).subspan(before));
    received_.resize(before + result.bytes);
    if (result.bytes == 0 && result.status == Status::would_block) ++vain_reads_;
    input_over_ = result.status == Status::end || result.status == Status::error;
    read_error_ = result.error;
  }
}

bool TransportUser::wants_to_write() const noexcept {
  return !output_over_ && (sent_ < output_.size() || transport_.unsent() > 0 || end_wanted_);
}

void TransportUser::write_while_ready() {
  for (int call = 0; wants_to_write() && transport_.ready_to_write(); ++call) {
    if (call == most_calls_per_turn) return loop_->schedule(*this);
    const Result result = transport_.unsent() > 0 ? transport_.flush() : write_some();
    sent_ += result.bytes;
    output_over_ = output_over_ || result.status == Status::error;
    write_error_ = result.error;
    if (!output_over_ && end_wanted_ && all_sent()) end_output();
  }
}

Result TransportUser::write_some() {
  std::array<iovec, 4> pieces;
  std::size_t count = 0;
  for (std::size_t at = sent_; at < output_.size() && count < pieces.size(); ++count) {
    const std::size_t size = std::min(random_size(most_piece_), output_.size() - at);
    pieces[count] = {output_.data() + at, size};
    at += size;
  }
  if (count == 0) return {0, Status::more, {}};
  return transport_.try_write(std::span(pieces).first(count));
}

void TransportUser::end_output() {
  if (!std::exchange(end_sent_, true)) write_error_ = transport_.shutdown_write();
  output_over_ = write_error_ || transport_.unsent() == 0;
}

std::size_t TransportUser::random_size(std::size_t most) {
  return std::uniform_int_distribution<std::size_t>(1, most)(random_);
}

}  // namespace libnet::test
