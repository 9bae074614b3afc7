#pragma once

#include <chrono>
#include <cstddef>

#include "reactor/timer_queue.hpp"

namespace libnet::tls {

/// How much plain text the next record may carry.
///
/// A receiver cannot use a record before its last byte is there. So the first bytes of a dynamic connection leave in records
/// of one packet, and so do the first after a silence, when the window of TCP has shrunk again; later ones fill records.
class RecordLimit {
 public:
  static constexpr std::size_t full = 16 * 1024;
  static constexpr std::size_t small_encoded = 1350;      ///< A small record with all that is around its text.
  static constexpr std::size_t small_phase = 128 * 1024;  ///< Plain bytes that leave in small records.
  static constexpr std::chrono::seconds silence{1};

  explicit RecordLimit(bool dynamic) noexcept : dynamic_(dynamic), small_left_(dynamic ? small_phase : 0) {}

  bool is_dynamic() const noexcept { return dynamic_; }

  /// A write begins.
  void note_write(reactor::TimePoint now) noexcept {
    if (now - last_ >= silence) small_left_ = small_phase;
    last_ = now;
  }

  /// @param overhead  What the cipher puts around the text of a record. [bytes]
  std::size_t next(std::size_t overhead) const noexcept { return small_left_ > 0 ? small_encoded - overhead : full; }

  void note_record(std::size_t plain) noexcept { small_left_ -= plain < small_left_ ? plain : small_left_; }

 private:
  bool dynamic_;
  std::size_t small_left_;
  reactor::TimePoint last_{};
};

}  // namespace libnet::tls
