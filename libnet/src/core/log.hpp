#pragma once

#include <string_view>

namespace libnet::core {

/// One line for logger "libnet" (spdlog); the program may register its own logger under that name.
void log_warning(std::string_view line);
void log_error(std::string_view line);

}  // namespace libnet::core
