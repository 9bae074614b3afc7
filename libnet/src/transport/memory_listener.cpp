#include "transport/memory_listener.hpp"

#include <cerrno>
#include <utility>

#include "transport/native.hpp"

namespace libnet::transport {

namespace {

constexpr std::size_t longest_backlog = 4096;  // as Linux has it

std::size_t most_waiting(int backlog) noexcept {
  return backlog < 0 ? longest_backlog : std::min(static_cast<std::size_t>(backlog), longest_backlog);
}

}  // namespace

MemoryListener::MemoryListener(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<MemoryAddresses> addresses,
                               std::shared_ptr<MemoryFaults> faults, int backlog) noexcept
    : loop_(std::move(loop)),
      addresses_(std::move(addresses)),
      faults_(std::move(faults)),
      most_waiting_(most_waiting(backlog)) {}

MemoryListener::~MemoryListener() {
  addresses_->stop_listening(*this);
  loop_->unschedule(*this);
  for (const Accepted& refused : backlog_) static_cast<MemoryTransport&>(*refused.transport).abort();
  wake_waiters();
}

error_code MemoryListener::open(const SocketAddress& address, const BindOptions& options) {
  SocketAddress named = address;
  const error_code code = addresses_->listen(*this, named, options);
  if (!code) address_ = std::move(named);
  return code;
}

error_code MemoryListener::accept(Accepted& accepted) {
  awaited_ = backlog_.empty();
  if (awaited_) return system_error(EAGAIN);
  if (faults_->accept.fires()) return faults_->accept.error();
  accepted = std::move(backlog_.front());
  backlog_.pop_front();
  wake_waiters();
  return {};
}

void MemoryListener::arrive(Accepted connection) {
  backlog_.push_back(std::move(connection));
  if (std::exchange(awaited_, false)) loop_->schedule(*this);
}

void MemoryListener::run_task() {
  if (observer_ != nullptr) observer_->on_listener_ready();
}

/// All of them: one that was told may be gone before it takes its place.
void MemoryListener::wake_waiters() {
  while (!waiters_.empty()) waiters_.pop_front().on_backlog_changed();
}

}  // namespace libnet::transport
