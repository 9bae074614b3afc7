#include "outbox.hpp"

#include <sys/socket.h>

#include <cerrno>
#include <optional>

namespace {

/// How much the kernel took; nothing: the connection failed.
std::optional<std::size_t> send_some(int descriptor, std::span<const char> bytes) {
  const ssize_t result = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (result >= 0) return static_cast<std::size_t>(result);
  if (errno == EAGAIN) return 0;
  return std::nullopt;
}

}  // namespace

bool Outbox::send(int descriptor, std::span<const char> bytes) {
  if (empty()) {
    const auto taken = send_some(descriptor, bytes);
    if (!taken) return false;
    bytes = bytes.subspan(*taken);
  }
  if (!bytes.empty()) keep(bytes);
  return true;
}

void Outbox::keep(std::span<const char> bytes) {
  kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(sent_));
  sent_ = 0;
  kept_.insert(kept_.end(), bytes.begin(), bytes.end());
}

bool Outbox::flush(int descriptor) {
  const auto taken = send_some(descriptor, std::span(kept_).subspan(sent_));
  if (!taken) return false;
  sent_ += *taken;
  if (sent_ < kept_.size()) return true;
  kept_ = {};  // memory for connections that lag, not for all that ever did
  sent_ = 0;
  return true;
}
