#pragma once

#include <cstdint>
#include <memory>
#include <new>

#include <boost/asio/error.hpp>

#include "libnet/detail/operation.hpp"
#include "libnet/error.hpp"

namespace libnet::core {

/// How a connection went: the error that ended it, whether the program destroyed it, and whether somebody heard of the error.
///
/// This is the one place that chooses the code which an operation gets from a connection that is over or fails.
/// A new connection begins with a new Outcome.
class Outcome {
 public:
  /// @name What happens
  /// @{
  /// Keeps the error, unless there is one already: the first error is the cause of the later ones.
  /// Without memory for it, that is the error.
  void keep(const Error& error) noexcept {
    if (error_) return;
    const Error* const kept = new (std::nothrow) Error(error);
    error_.reset(kept != nullptr ? kept : &no_memory());
  }
  /// The program destroyed the connection: later calls say so.
  void note_destroyed() noexcept { destroyed_ = true; }
  /// An operation, a callback or the server received the error. It is not unhandled any more.
  void note_heard() noexcept { heard_ = true; }
  void note_heard_if(bool received) noexcept { heard_ = heard_ || received; }
  /// @}

  /// @name What is known
  /// @{
  bool failed() const noexcept { return error_ != nullptr; }
  bool heard() const noexcept { return heard_; }
  error_code code() const noexcept { return error_ ? error_->code() : error_code(); }
  Error error() const { return error_ ? *error_ : Error(); }
  /// @}

  /// @name What operations get
  /// @{
  /// In flight when the connection fails or is destroyed.
  error_code code_in_flight() const noexcept {
    return failed() ? error_->code() : error_code(boost::asio::error::operation_aborted);
  }
  /// Still waiting at 'close'.
  error_code code_at_close() const noexcept {
    return failed() || destroyed_ ? code_in_flight() : error_code(Errc::closed);
  }
  /// Waiting for the end of the connection since before its cause was certain: an orderly end is no error to them.
  error_code code_of_closers() const noexcept { return failed() || destroyed_ ? code_in_flight() : error_code(); }
  /// Called on a connection that is over.
  error_code code_when_over() const noexcept { return destroyed_ ? Errc::destroyed : Errc::closed; }
  /// Called while an error waits behind input that can still be read, or after it.
  error_code code_when_failed() const noexcept { return failed() ? error_->code() : code_when_over(); }
  /// A read that can get no bytes any more. The orderly end is told again and again; what came instead of it is not.
  /// @param input_open  The end of the input was not met.
  error_code code_of_late_read(bool input_open) const noexcept {
    if (destroyed_) return Errc::destroyed;
    return input_open || failed() ? error_code(Errc::closed) : error_code(boost::asio::error::eof);
  }
  /// `end` on a connection that is over: nothing is left to end, which is no error if nothing went wrong.
  error_code code_of_late_end() const noexcept { return destroyed_ ? error_code(Errc::destroyed) : code(); }
  /// @}

 private:
  static const Error& no_memory() noexcept {
    static const Error error(detail::out_of_memory());
    return error;
  }
  struct Forget {
    void operator()(const Error* error) const noexcept {
      if (error != &no_memory()) delete error;
    }
  };

  std::unique_ptr<const Error, Forget> error_;  // most connections have none, so it takes room only where there is one
  bool destroyed_ = false;
  bool heard_ = false;
};

}  // namespace libnet::core
