#pragma once

#include <libnet/address.hpp>
#include <libnet/errc.hpp>
#include <libnet/error_code.hpp>

#include <boost/system/system_error.hpp>

#include <cstddef>
#include <exception>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

struct ErrorInfo;

/// A failure with everything that is known about it.
///
/// A value, cheap to copy and to move: copies share the detail. The default is "no error", which is false.
class Error {
 public:
  Error() noexcept = default;

  /// A failure of which only the code and the operation are known.
  /// @param operation  What failed, or any text of your own: the message begins with it. Copied. Null is an empty one.
  /// Allocation: none for the names that libnet itself uses, as "read" and "connect".
  Error(error_code code, const char* operation = "");
  Error(Errc code, const char* operation = "") : Error(make_error_code(code), operation) {}

  /// A failure with detail: `Error(ec, {.operation = "connect", .remote_address = &peer})`. Copies what `info` points at.
  Error(error_code code, const ErrorInfo& info);

  /// True if there is an error.
  [[nodiscard]] explicit operator bool() const noexcept { return code_.failed(); }

  [[nodiscard]] const error_code& code() const noexcept { return code_; }
  /// What failed: "connect", "bind", "read", "write", "listen", "accept", "getaddrinfo"; empty if unknown. Valid as long
  /// as this Error or a copy lives.
  [[nodiscard]] std::string_view operation() const noexcept;
  /// The own address: the one bound before a connect, or the one to listen on.
  [[nodiscard]] std::optional<SocketAddress> local_address() const noexcept;
  /// The peer's address.
  [[nodiscard]] std::optional<SocketAddress> remote_address() const noexcept;
  /// The path of a Unix socket; empty if there is none. Valid as long as this Error or a copy lives.
  [[nodiscard]] std::string_view path() const noexcept;
  /// The host name that was asked for; empty if there is none. Valid as long as this Error or a copy lives.
  [[nodiscard]] std::string_view host() const noexcept;
  /// After a family selection in which every address failed: one error per attempt, in order. Valid as long as this
  /// Error or a copy lives.
  [[nodiscard]] std::span<const Error> attempts() const noexcept;
  /// The exception that a listener or handler threw, if that was the cause; else null.
  [[nodiscard]] std::exception_ptr exception() const noexcept;

  /// The symbolic name of the code, such as "ECONNREFUSED"; see error_name().
  [[nodiscard]] std::string name() const;

  /// The whole text, such as `connect ECONNREFUSED 127.0.0.1:80`; empty when there is no error.
  ///
  /// For listen the system's description stands between (`listen EADDRINUSE: address already in use 127.0.0.1:80`). An Errc
  /// has no such name: operation, peer and its own text (`read 127.0.0.1:5432: timed out`). A long path or host is cut. With
  /// attempts it is their texts, separated by "; ".
  [[nodiscard]] std::string message() const;

 private:
  struct Detail;

  std::string code_message() const;
  std::string own_message() const;
  std::string target() const;
  std::string target_of_system() const;
  std::string joined_attempts() const;

  error_code code_;
  const char* operation_ = "";  // a literal; that of an error with detail is there
  std::shared_ptr<const Detail> detail_;
};

/// What can be told about a failure beside its code. Views and pointers: they only need to live during the call.
struct ErrorInfo {
  /// What failed.
  const char* operation = "";
  /// The own address; null if unknown. The message of a failed connect names it, so give it there only if it was bound
  /// by request; for listen it is the address to listen on.
  const SocketAddress* local_address = nullptr;
  /// The peer's address; null if unknown.
  const SocketAddress* remote_address = nullptr;
  /// The path of a Unix socket or file; not needed if one of the addresses is that path.
  std::string_view path = {};
  /// The host name asked for.
  std::string_view host = {};
  /// The failed attempts of a family selection, in order.
  std::span<const Error> attempts = {};
  /// The exception that a listener or handler threw; null if none.
  const std::exception_ptr* exception = nullptr;
  /// The whole message, where the one made from code, operation and addresses does not fit.
  std::string_view text = {};
};

/// Writes message().
std::ostream& operator<<(std::ostream& out, const Error& error);

/// The symbolic name of a code: "ECONNREFUSED" for the system's, "ENOTFOUND" and "EAI_AGAIN" for failed lookups,
/// "ECANCELED" for asio::error::operation_aborted, "EOF" for asio::error::eof, "ERR_CLOSED" and so on for an Errc.
/// Empty for "no error"; `category:number` for a code it does not know.
[[nodiscard]] std::string error_name(const error_code& code);

/// What the calls of this library throw, and what co_await throws when an operation fails.
///
/// what() is the error's whole message; code() its code. Copying it never throws.
class SystemError : public boost::system::system_error {
 public:
  /// @param bytes_transferred  What a failed write had sent [bytes].
  explicit SystemError(Error error, std::size_t bytes_transferred = 0);

  /// The failure with its whole detail.
  [[nodiscard]] const Error& error() const noexcept { return error_; }
  /// How much a failed write had sent [bytes]; 0 for other operations.
  [[nodiscard]] std::size_t bytes_transferred() const noexcept { return bytes_transferred_; }
  [[nodiscard]] const char* what() const noexcept override;

 private:
  Error error_;
  std::shared_ptr<const std::string> message_;
  std::size_t bytes_transferred_;
};

}  // namespace libnet

#pragma GCC visibility pop
