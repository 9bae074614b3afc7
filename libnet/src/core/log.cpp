#include "core/log.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include <spdlog/spdlog.h>

#include "core/stderr_sink.hpp"

namespace libnet::core {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* logger_name = "libnet";
constexpr auto interval = std::chrono::seconds(1);

/// Lets one line of its kind through in each interval, and counts the others.
class Limit {
 public:
  /// How many were left out since the last line; nothing if this one is left out too.
  std::optional<std::size_t> pass(Clock::time_point now) noexcept {
    if (last_ && now - *last_ < interval) {
      ++left_out_;
      return std::nullopt;
    }
    last_ = now;
    return std::exchange(left_out_, 0);
  }

 private:
  std::optional<Clock::time_point> last_;
  std::size_t left_out_ = 0;
};

/// What all loops of the process share. Never destroyed: a loop may end after the program's own statics.
struct Shared {
  std::mutex mutex;
  std::array<Limit, static_cast<std::size_t>(LogKind::count)> limits;
  std::shared_ptr<const LogHandler> handler;
};

Shared& shared() {
  static auto* const shared = new Shared;
  return *shared;
}

std::shared_ptr<const LogHandler> handler() {
  const std::lock_guard lock(shared().mutex);
  return shared().handler;
}

std::optional<std::size_t> pass(LogKind kind) {
  const std::lock_guard lock(shared().mutex);
  return shared().limits[static_cast<std::size_t>(kind)].pass(Clock::now());
}

std::shared_ptr<spdlog::logger> logger() {
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  if (auto found = spdlog::get(logger_name)) return found;
  auto made = std::make_shared<spdlog::logger>(logger_name, std::make_shared<StderrSink>());
  spdlog::initialize_logger(made);
  return made;
}

spdlog::level::level_enum level_in_spdlog(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: break;
  }
  return spdlog::level::err;
}

void write(LogLevel level, std::string_view line) {
  if (const auto taken = handler()) {
    (*taken)(level, line);
  } else {
    logger()->log(level_in_spdlog(level), line);
  }
}

bool is_of_system(const error_code& code) noexcept {
  return code.category() == boost::system::system_category() || code.category() == boost::system::generic_category();
}

bool peer_can_cause(const error_code& code) noexcept {
  if (code == Errc::timed_out) return true;
  if (!is_of_system(code)) return false;
  switch (code.value()) {
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH: return true;
    default: return false;
  }
}

}  // namespace

bool logs(LogLevel level) noexcept try {
  return handler() != nullptr || logger()->should_log(level_in_spdlog(level));
} catch (...) {
  return false;
}

// Logging must never end a connection, much less the process.
void log(LogLevel level, LogKind kind, std::string_view line) noexcept try {
  const auto left_out = level == LogLevel::debug ? std::optional<std::size_t>(0) : pass(kind);
  if (!left_out) return;
  if (*left_out == 0) return write(level, line);
  write(level, std::string(line) + " (" + std::to_string(*left_out) + " more of this kind were left out)");
} catch (...) {
  return;
}

LogLevel level_of(const Error& error) noexcept {
  const bool by_peer = peer_can_cause(error.code()) || error.operation() == "handshake";
  return by_peer ? LogLevel::debug : LogLevel::error;
}

void forget_logged() noexcept {
  const std::lock_guard lock(shared().mutex);
  shared().limits = {};
}

}  // namespace libnet::core

namespace libnet {

void set_log_handler(LogHandler handler) {
  auto taken = handler ? std::make_shared<const LogHandler>(std::move(handler)) : nullptr;
  const std::lock_guard lock(core::shared().mutex);
  core::shared().handler.swap(taken);
}

}  // namespace libnet
