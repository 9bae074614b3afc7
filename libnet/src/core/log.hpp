#pragma once

#include <concepts>
#include <cstdint>
#include <new>
#include <string_view>

#include "libnet/error.hpp"
#include "libnet/log.hpp"

namespace libnet::core {

/// What is told about. Lines of one kind come at most once a second.
enum class LogKind : std::uint8_t {
  socket_error,    ///< A socket's error that nobody received.
  server_error,    ///< The same of a server.
  listener_threw,  ///< An exception from a listener.
  handler_threw,   ///< An exception from a `serve` handler.
  dropped_write,   ///< A write for which there was no room.
  count,
};

/// Whether a line of this level would be seen at all: else there is no need to make it.
bool logs(LogLevel level) noexcept;

/// One line; one of level debug may come as often as peers like, others at most once a second of their kind: then how many
/// were left out stands in the next one.
void log(LogLevel level, LogKind kind, std::string_view line) noexcept;

/// The level of an error that nobody received: what a remote peer can cause fills no log.
LogLevel level_of(const Error& error) noexcept;

/// Forgets which lines came within the last second; for tests.
void forget_logged() noexcept;

/// The same with a line that is made only where it would be seen; without memory for it nothing is said.
template <std::invocable MakeLine>
void log(LogLevel level, LogKind kind, MakeLine make_line) noexcept {
  if (!logs(level)) return;
  try {
    log(level, kind, std::string_view(make_line()));
  } catch (const std::bad_alloc&) {
    return;
  }
}

}  // namespace libnet::core
