#pragma once

#include <memory>

#include "libnet/error.hpp"

namespace libnet::core {

/// The error that ended a connection. Most have none, so it takes room only where there is one.
class KeptError {
 public:
  void keep(const Error& error) { error_ = std::make_unique<const Error>(error); }
  void forget() noexcept { error_.reset(); }

  explicit operator bool() const noexcept { return error_ != nullptr; }
  error_code code() const noexcept { return error_ ? error_->code() : error_code(); }
  Error get() const { return error_ ? *error_ : Error(); }

 private:
  std::unique_ptr<const Error> error_;
};

}  // namespace libnet::core
