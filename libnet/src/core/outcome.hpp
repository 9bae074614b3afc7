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
  /// An operation, a callback, a listener or the server received the error. It is not unhandled any more.
  void note_heard() noexcept { heard_ = Heard::by_program; }
  void note_heard_if(bool received) noexcept {
    if (received) note_heard();
  }
  /// The log tells of the error. The program has not received it yet.
  void note_logged() noexcept {
    if (heard_ == Heard::by_nobody) heard_ = Heard::by_log;
  }
  /// @}

  /// @name What is known
  /// @{
  bool failed() const noexcept { return error_ != nullptr; }
  bool destroyed() const noexcept { return destroyed_; }
  /// There is an error of which nobody has heard, and no line in the log.
  bool unheard() const noexcept { return failed() && heard_ == Heard::by_nobody; }
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
  /// Called on a connection that is over. An error that the program has not received is told to the first who can hear it:
  /// whoever completes with it says so by `note_heard`.
  error_code code_when_over() const noexcept {
    if (destroyed_) return Errc::destroyed;
    return failed() && heard_ != Heard::by_program ? error_->code() : error_code(Errc::closed);
  }
  /// A read that can get no bytes any more. An orderly end that was told is told again and again; what came instead of it
  /// is not.
  /// @param end_told  The end of the input was told.
  error_code code_of_late_read(bool end_told) const noexcept {
    return end_told && !destroyed_ ? error_code(boost::asio::error::eof) : code_when_over();
  }
  /// `end` on a connection that is over: nothing is left to end, which is no error if nothing went wrong.
  error_code code_of_late_end() const noexcept { return destroyed_ || failed() ? code_when_over() : error_code(); }
  /// @}

 private:
  enum class Heard : std::uint8_t { by_nobody, by_log, by_program };

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
  Heard heard_ = Heard::by_nobody;
};

}  // namespace libnet::core
