#pragma once

#include <libnet/error_code.hpp>

#include <string_view>
#include <type_traits>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// The failures that the library itself finds; what the operating system refuses keeps the system's own code.
///
/// One cause has one code, whichever way it reaches the user. Compares with an error_code: `ec == Errc::closed`.
enum class Errc {
  timed_out = 1,             ///< The time given to the operation was up.
  destroyed,                 ///< Called on a socket that was destroyed.
  closed,                    ///< Called on a socket that closed by itself or has no connection.
  already_connected,         ///< connect while connecting or connected.
  closed_before_connection,  ///< Queued for a connection that never came about.
  write_after_end,           ///< Written after the own end().
  busy,                      ///< A second reader, or mixed ways to consume or to accept.
  overflow,                  ///< The write queue was at max_buffered before the write.
  listener_threw,            ///< A listener ended with an exception.
  handler_threw,             ///< A serve handler ended with an exception that is no SystemError.
  already_listening,         ///< listen while listening.
  not_running,               ///< close or accept on a server that is not listening.
  bad_port,                  ///< A port outside 0..65535.
  invalid_address,           ///< Text that is no IP address.
  address_family,            ///< A family that is neither IPv4 nor IPv6.
  out_of_range,              ///< A number outside the range the call allows.
  invalid_handle,            ///< A descriptor or socket of the wrong kind for the call.
  ip_blocked,                ///< The block list contains the address.
  invalid_argument,          ///< Options that exclude each other, or text that cannot be decoded.
  wrong_reactor,             ///< The io_context already uses another reactor.
  tls_truncated,             ///< The peer's end came without the close_notify that says that nothing was cut off.
  tls_handshake_closed,      ///< The peer ended the connection during the handshake.
  tls_protocol,              ///< The peer broke the rules of TLS.
};

/// The category of Errc, named "libnet". Errc::timed_out and Errc::invalid_argument match the generic conditions of the
/// same name, so `ec == boost::system::errc::timed_out` holds as well.
[[nodiscard]] const boost::system::error_category& errc_category() noexcept;

/// Makes the error_code of `code`; found by argument-dependent lookup when an Errc converts to an error_code.
[[nodiscard]] error_code make_error_code(Errc code) noexcept;

/// The symbolic name, such as "ERR_CLOSED"; "ERR_UNKNOWN" for a number that is no Errc.
[[nodiscard]] std::string_view errc_name(Errc code) noexcept;

}  // namespace libnet

#pragma GCC visibility pop

template <>
struct boost::system::is_error_code_enum<libnet::Errc> : std::true_type {};
