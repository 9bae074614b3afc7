#pragma once

#include <cstddef>

#include "libnet/errc.hpp"

namespace libnet::transport {

/// A failure to come, for tests: of the n-th call from now (1 is the next), once.
class Fault {
 public:
  void arm(std::size_t nth_call, error_code error) noexcept {
    calls_left_ = nth_call;
    error_ = error;
  }

  bool is_next() const noexcept { return calls_left_ == 1; }

  /// Counts a call; true if it is the one to fail.
  bool fires() noexcept {
    if (calls_left_ == 0 || --calls_left_ != 0) return false;
    ++fired_;
    return true;
  }

  const error_code& error() const noexcept { return error_; }

  /// How often it has failed a call.
  std::size_t fired() const noexcept { return fired_; }

 private:
  std::size_t calls_left_ = 0;
  std::size_t fired_ = 0;
  error_code error_;
};

}  // namespace libnet::transport
