#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace libnet {

enum class LogLevel : std::uint8_t {
  debug,    ///< What a remote peer can cause: resets, broken pipes, time limits, failed handshakes.
  warning,  ///< Something was left out that the program may want to know of.
  error,    ///< An error or an exception that nobody received.
};

/// Is given each line that libnet logs, without a line end. The text is valid until it returns.
using LogHandler = std::function<void(LogLevel level, std::string_view text)>;

/// Takes all that libnet logs, in place of spdlog; an empty handler gives the log back.
///
/// Without a handler the lines go to the spdlog logger named "libnet": one that the program registered, else one of libnet's
/// own on standard error, at spdlog's level. That one never blocks: what the stream does not take at once is dropped, and
/// the next line that it takes says how many were. Lines above `debug` come at most once a second of each kind, with a count
/// of those that were left out.
/// @param handler  Called in the thread that logs, several may at once, in the midst of what a loop does: it must be quick,
///                 and must use no socket or server. What it throws is dropped.
/// Thread safety: any thread, at any time. A call of the old handler may still run when this returns.
void set_log_handler(LogHandler handler);

}  // namespace libnet
