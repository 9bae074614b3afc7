#include "core/stderr_sink.hpp"

#include <cerrno>
#include <climits>
#include <string>
#include <string_view>

#include <poll.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

namespace libnet::core {

namespace {

/// A pipe takes this much as a whole or not at all. [bytes]
constexpr std::size_t most_at_once = PIPE_BUF;

/// Whether the stream has room, and somebody at its other end: a pipe without a reader would end the process.
bool has_room(int descriptor) noexcept {
  pollfd question{descriptor, POLLOUT, 0};
  return ::poll(&question, 1, 0) == 1 && (question.revents & (POLLOUT | POLLERR)) == POLLOUT;
}

bool is_file(int descriptor) noexcept {
  struct stat status{};
  return ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

/// Another writer may fill the stream between the question and the write; where the system knows how, it is told not to
/// wait then.
ssize_t write_without_waiting(int descriptor, std::string_view text) noexcept {
#ifdef RWF_NOWAIT
  if (!is_file(descriptor)) {
    const iovec piece{const_cast<char*>(text.data()), text.size()};  // pwritev2 only reads it
    const ssize_t written = ::pwritev2(descriptor, &piece, 1, -1, RWF_NOWAIT);
    if (written >= 0 || errno == EAGAIN) return written;
  }
#endif
  return ::write(descriptor, text.data(), text.size());
}

bool take(int descriptor, std::string_view text) noexcept {
  return has_room(descriptor) && write_without_waiting(descriptor, text) > 0;
}

std::string note(std::size_t dropped) {
  return dropped == 0 ? "" : "libnet: standard error did not take " + std::to_string(dropped) + " lines of this log\n";
}

}  // namespace

/// What it throws would make spdlog write to standard error, and wait there.
void StderrSink::sink_it_(const spdlog::details::log_msg& message) try {
  spdlog::memory_buf_t line;
  base_sink<std::mutex>::formatter_->format(message, line);
  std::string text = note(dropped_);
  text.append(line.data(), line.size());
  if (text.size() > most_at_once) text.replace(most_at_once - 4, std::string::npos, "...\n");
  dropped_ = take(STDERR_FILENO, text) ? 0 : dropped_ + 1;
} catch (...) {
  ++dropped_;
}

}  // namespace libnet::core
