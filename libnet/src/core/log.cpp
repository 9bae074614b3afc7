#include "core/log.hpp"

#include <memory>
#include <mutex>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace libnet::core {

namespace {

constexpr const char* logger_name = "libnet";

std::shared_ptr<spdlog::logger> logger() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  auto found = spdlog::get(logger_name);
  return found ? found : spdlog::stderr_color_mt(logger_name);
}

// Logging must never end a connection, much less the process.
void log(spdlog::level::level_enum level, std::string_view line) noexcept try {
  logger()->log(level, line);
} catch (...) {
  return;
}

}  // namespace

void log_warning(std::string_view line) { log(spdlog::level::warn, line); }
void log_error(std::string_view line) { log(spdlog::level::err, line); }

}  // namespace libnet::core
