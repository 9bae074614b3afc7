#pragma once

#include <cstddef>
#include <span>
#include <vector>

/// The way out of a connection: bytes go to the kernel at once, and only what it does not take is kept.
class Outbox {
 public:
  /// Sends in order after what is kept. False: the connection failed.
  bool send(int descriptor, std::span<const char> bytes);
  /// Sends what is kept, as far as possible. False: the connection failed.
  bool flush(int descriptor);

  std::size_t kept() const { return kept_.size() - sent_; }
  bool empty() const { return kept_.empty(); }

 private:
  void keep(std::span<const char> bytes);

  std::vector<char> kept_;
  std::size_t sent_ = 0;  // of what is kept
};
