#include "transport/system_attempt.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <netinet/in.h>
#include <unistd.h>

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
  note_picked_port();
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

/// Leaves the choice of a port to connect(2): connections to several servers can then share one.
error_code SystemAttempt::bind_local() {
  if (!options_.local) return {};
  local_ = options_.local;
  set_option(descriptor_, SOL_SOCKET, SO_REUSEADDR, 1);
#ifdef IP_BIND_ADDRESS_NO_PORT
  if (local_->port() == 0) set_option(descriptor_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
#endif
  const error_code code = bind_to(descriptor_, *local_);
  failed_to_bind_ = static_cast<bool>(code);
  return code;
}

void SystemAttempt::note_picked_port() {
  if (!options_.local || options_.local->port() != 0) return;
  if (const auto bound = transport::local_address(descriptor_)) local_ = bound;
}

/// What has become of a connect that was started; asks to be told if it is too early to say.
error_code SystemAttempt::result() {
  if (watch_error != 0) return system_error(watch_error);
  if (writable) {
    const int code = take_pending_error(descriptor_);
    if (ends_connection(code)) ended_with_ = code;
    if (code != 0 && ended_with_ == 0) return system_error(code);
    if (ended_with_ != 0 || is_connected(descriptor_)) return {};
    if (const error_code again = connect_again(); again != in_progress) return again;
    writable = false;  // woken too early
  }
  loop_->reactor().await_writable(*this);
  return in_progress;
}

/// The system does not know the peer. Whether there is a connection says a further connect.
error_code SystemAttempt::connect_again() const {
  const error_code code = connect_to(descriptor_, address_);
  if (code == boost::system::errc::already_connected) return {};
  return code == boost::system::errc::connection_already_in_progress ? in_progress : code;
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
  if (inherited_) made->inherit();
  if (ended_with_ == ECONNRESET) made->has_failed(system_error(ended_with_));   // behind the peer's end it is the end
  const error_code code = made->start(ended_with_ != 0 ? &address_ : nullptr);  // else the peer can be asked for
  if (!code) connected = std::move(made);
  return code;
}

error_code SystemAttempt::after_fork() {
  inherited_ = descriptor_ >= 0;
  return loop_->reactor().watch_again(*this);
}

void SystemAttempt::close() noexcept {
  if (descriptor_ < 0) return;
  if (loop_->alive()) loop_->reactor().detach(*this);
  ::close(std::exchange(descriptor_, -1));
  readable = writable = hangup = false;
}

}  // namespace libnet::transport
