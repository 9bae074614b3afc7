#include "transport/system_attempt.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <unistd.h>

#include "detail/last_error.hpp"
#include "transport/binding.hpp"
#include "transport/descriptor_transport.hpp"
#include "transport/native.hpp"
#include "transport/socket_calls.hpp"

namespace libnet::transport {

namespace {

constexpr std::chrono::milliseconds longest_retry{50};

const error_code in_progress = system_error(EINPROGRESS);

/// Whether a connection has ended with this: a reset, or one behind the peer's end. An attempt never does: where nobody
/// listens it is refused.
bool ends_connection(int code) noexcept { return code == ECONNRESET || code == EPIPE; }

}  // namespace

SystemAttempt::SystemAttempt(std::shared_ptr<reactor::Loop> loop, const SocketAddress& address, AttemptOptions options)
    : loop_(std::move(loop)), address_(address), options_(std::move(options)) {}

SystemAttempt::~SystemAttempt() { close(); }

void SystemAttempt::tell() {
  if (observer_ != nullptr) observer_->on_attempt_ready();
}

error_code SystemAttempt::proceed(std::unique_ptr<Transport>& connected) {
  if (armed()) return in_progress;
  const error_code code = descriptor_ >= 0 ? result() : start();
  return code ? code : make_transport(connected);
}

error_code SystemAttempt::start() {
  if (const error_code code = open()) return code;
  if (const error_code code = bind_local()) return code;
  const error_code code = connect_to(descriptor_, address_);
  if (code == in_progress) {
    const error_code attached = loop_->reactor().attach(*this, descriptor_);
    return attached ? attached : result();
  }
  // The listener's backlog is full, and the system does not tell when that changes.
  const bool full = code == boost::system::errc::resource_unavailable_try_again;
  return full && is_unix() ? retry_later() : code;
}

error_code SystemAttempt::open() {
  if (options_.bound) return open_bound();
  Descriptor made;
  const error_code code = open_stream(address_.family(), made);
  descriptor_ = made.release();
  return code;
}

error_code SystemAttempt::open_bound() {
  local_ = options_.bound->address();
  Binding* const binding = Binding::of(*options_.bound);
  if (binding != nullptr) descriptor_ = binding->take();
  return descriptor_ < 0 ? error_code(Errc::invalid_handle) : error_code();
}

error_code SystemAttempt::bind_local() {
  if (!options_.local) return {};
  local_ = options_.local;
  set_option(descriptor_, SOL_SOCKET, SO_REUSEADDR, 1);
  if (const error_code code = bind_to(descriptor_, *local_)) return code;
  const auto bound = transport::local_address(descriptor_);  // the system may have picked the port
  if (!bound) return detail::last_error();
  local_ = bound;
  return {};
}

/// What has become of a connect that was started; asks to be told if it is too early to say.
error_code SystemAttempt::result() {
  if (writable) {
    const int code = take_pending_error(descriptor_);
    if (ends_connection(code)) ended_with_ = code;
    if (code != 0 && ended_with_ == 0) return system_error(code);
    if (ended_with_ != 0 || is_connected(descriptor_)) return {};
    writable = false;  // woken too early
  }
  loop_->reactor().await_writable(*this);
  return in_progress;
}

error_code SystemAttempt::retry_later() {
  if (options_.bound) Binding::of(*options_.bound)->give_back(std::exchange(descriptor_, -1));
  close();
  loop_->start(*this, loop_->precise_now() + retry_delay_);
  retry_delay_ = std::min(2 * retry_delay_, longest_retry);
  return in_progress;
}

error_code SystemAttempt::make_transport(std::unique_ptr<Transport>& connected) {
  loop_->reactor().detach(*this);
  const auto kind = is_unix() ? DescriptorTransport::Kind::unix_stream : DescriptorTransport::Kind::tcp;
  auto made = std::make_unique<DescriptorTransport>(loop_, descriptor_, kind);
  descriptor_ = -1;
  if (ended_with_ == ECONNRESET) made->has_failed(system_error(ended_with_));   // behind the peer's end it is the end
  const error_code code = made->start(ended_with_ != 0 ? &address_ : nullptr);  // else the peer can be asked for
  if (!code) connected = std::move(made);
  return code;
}

void SystemAttempt::close() noexcept {
  if (descriptor_ < 0) return;
  if (loop_->alive()) loop_->reactor().detach(*this);
  ::close(std::exchange(descriptor_, -1));
  readable = writable = hangup = false;
}

}  // namespace libnet::transport
