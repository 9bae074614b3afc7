#pragma once

#include <concepts>
#include <new>
#include <string_view>

namespace libnet::core {

/// One line for logger "libnet" (spdlog); the program may register its own logger under that name.
void log_warning(std::string_view line);
void log_error(std::string_view line);

/// The same with a line that is made by a call; without memory for it nothing is said.
template <std::invocable MakeLine>
void log_error(MakeLine make_line) noexcept {
  try {
    log_error(std::string_view(make_line()));
  } catch (const std::bad_alloc&) {
    return;
  }
}

}  // namespace libnet::core
