#include "tls/lower_bio.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include <sys/uio.h>

namespace libnet::tls {

using transport::Result;
using transport::Status;

/// Made once for the process, by whichever thread needs it first. It is never freed: connections may outlive statics.
const BIO_METHOD* LowerBio::method() {
  static const BIO_METHOD* const made = [] {
    BIO_METHOD* const fresh = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "libnet transport");
    if (fresh == nullptr) throw std::bad_alloc();
    BIO_meth_set_read_ex(fresh, &LowerBio::on_read);
    BIO_meth_set_write_ex(fresh, &LowerBio::on_write);
    BIO_meth_set_ctrl(fresh, &LowerBio::on_control);
    return fresh;
  }();
  return made;
}

BIO* LowerBio::make_bio() {
  BIO* const bio = BIO_new(method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  return bio;
}

/// Everything but a flush, which has nothing to do before `push()`, is answered with "no": kTLS, the end, positions.
long LowerBio::on_control(BIO*, int command, long, void*) noexcept { return command == BIO_CTRL_FLUSH ? 1 : 0; }

// ---- Input

int LowerBio::on_read(BIO* bio, char* data, std::size_t size, std::size_t* taken) noexcept {
  LowerBio& owner = self(bio);
  BIO_clear_retry_flags(bio);
  *taken = 0;
  try {
    *taken = owner.read(std::as_writable_bytes(std::span(data, size)));
  } catch (...) {
    owner.thrown_ = std::current_exception();
  }
  owner.starved_ = *taken == 0;
  if (*taken > 0) return 1;
  BIO_set_retry_read(bio);
  return 0;
}

std::size_t LowerBio::read(std::span<std::byte> buffer) {
  std::size_t bytes = take_received(buffer);
  if (bytes == 0 && !drained_ && !input_over_) {
    const Result result = lower_->try_read(buffer);
    bytes = result.bytes;
    drained_ = result.status == Status::would_block;
    input_over_ = result.status == Status::end || result.status == Status::error;
    input_error_ = result.error;
  }
  if (bytes > 0) ++reads_;
  note_first_bytes(buffer.first(bytes));
  return bytes;
}

std::size_t LowerBio::take_received(std::span<std::byte> buffer) noexcept {
  const std::size_t bytes = std::min(buffer.size(), received_.size() - offset_);
  if (bytes > 0) std::memcpy(buffer.data(), received_.data() + offset_, bytes);
  offset_ += bytes;
  if (offset_ == received_.size() && offset_ > 0) {
    std::string().swap(received_);
    offset_ = 0;
  }
  return bytes;
}

void LowerBio::note_first_bytes(std::span<const std::byte> bytes) noexcept {
  const std::size_t count = std::min(bytes.size(), first_bytes_.size() - first_count_);
  std::copy_n(bytes.begin(), count, first_bytes_.begin() + first_count_);
  first_count_ = static_cast<std::uint8_t>(first_count_ + count);
}

// ---- Output

int LowerBio::on_write(BIO* bio, const char* data, std::size_t size, std::size_t* given) noexcept {
  LowerBio& owner = self(bio);
  BIO_clear_retry_flags(bio);
  *given = 0;
  try {
    *given = owner.write(std::as_bytes(std::span(data, size)));
  } catch (...) {
    owner.thrown_ = std::current_exception();
  }
  if (*given > 0) return 1;
  BIO_set_retry_write(bio);
  return 0;
}

std::size_t LowerBio::write(std::span<const std::byte> bytes) {
  block_.reserve(bytes.size());
  const auto room = block_.room();
  const std::size_t count = std::min(bytes.size(), room.size());
  if (count > 0) std::memcpy(room.data(), bytes.data(), count);
  block_.append(count);
  encoded_ += count;
  return count;
}

Result LowerBio::push() {
  while (!block_.empty()) {
    const auto held = block_.held();
    const iovec buffer{held.data(), held.size()};
    const Result result = lower_->try_write({&buffer, 1});
    block_.consume(result.bytes);
    if (result.status == Status::error) return {0, Status::error, result.error};
    if (result.status == Status::would_block && !block_.empty()) return {0, Status::would_block, {}};
  }
  if (lower_->unsent() == 0) return {0, Status::more, {}};
  const Result result = lower_->flush();
  if (result.status == Status::error) return {0, Status::error, result.error};
  return {0, lower_->unsent() == 0 ? Status::more : Status::would_block, {}};
}

}  // namespace libnet::tls
