#include "transport/memory_attempt.hpp"

#include <cerrno>
#include <utility>

#include "transport/native.hpp"

namespace libnet::transport {

namespace {

/// How the listening side sees an address: an IPv6 socket sees those of IPv4 in mapped form.
SocketAddress seen_by(const MemoryListener& listener, const SocketAddress& address) {
  const SocketAddress plain = unmapped(address);
  const bool maps = listener.address()->family() == Family::ipv6 && plain.family() == Family::ipv4;
  return maps ? mapped(plain) : plain;
}

}  // namespace

MemoryAttempt::MemoryAttempt(std::shared_ptr<reactor::Loop> loop, std::shared_ptr<MemoryAddresses> addresses,
                             std::shared_ptr<MemoryFaults> faults, const SocketAddress& target, AttemptOptions options,
                             reactor::Duration delay)
    : loop_(std::move(loop)),
      addresses_(std::move(addresses)),
      faults_(std::move(faults)),
      target_(target),
      options_(std::move(options)),
      delay_(delay) {}

MemoryAttempt::~MemoryAttempt() {
  loop_->unschedule(*this);
  if (detail::ListNode<BacklogWaiter>::linked()) detail::List<BacklogWaiter>::remove(*this);
}

error_code MemoryAttempt::proceed(std::unique_ptr<Transport>& connected) {
  if (state_ == State::fresh) {
    if (const error_code code = start()) return code;
  }
  return state_ == State::under_way ? system_error(EINPROGRESS) : knock(connected);
}

error_code MemoryAttempt::start() {
  if (options_.bound) return Errc::invalid_handle;  // a descriptor of the system's
  local_ = options_.local;
  if (local_) {
    const error_code code = addresses_->bind(target_, *local_);
    failed_to_bind_ = static_cast<bool>(code);
    if (code) return code;
  }
  if (const error_code code = addresses_->route(target_, local_, route_)) return code;
  state_ = delay_ > reactor::Duration::zero() ? State::under_way : State::arrived;
  if (state_ == State::under_way) loop_->start(*this, loop_->precise_now() + delay_);
  return {};
}

void MemoryAttempt::on_timer() {
  state_ = State::arrived;
  tell();
}

void MemoryAttempt::run_task() { tell(); }

void MemoryAttempt::tell() {
  if (observer_ != nullptr) observer_->on_attempt_ready();
}

error_code MemoryAttempt::knock(std::unique_ptr<Transport>& connected) {
  if (detail::ListNode<BacklogWaiter>::linked()) return system_error(EINPROGRESS);
  if (faults_->connect.fires()) return faults_->connect.error();
  MemoryListener* const listener = addresses_->find(route_.remote);
  if (listener == nullptr) return nobody_listens();
  if (!listener->has_room()) {
    listener->wait_for_room(*this);
    return system_error(EINPROGRESS);
  }
  connected = join(*listener);
  return {};
}

/// Without a listener a path does not exist; a name in the abstract namespace has nothing that could.
error_code MemoryAttempt::nobody_listens() const {
  const bool is_path = target_.family() == Family::unix_path && !target_.address().starts_with('\0');
  return system_error(is_path ? ENOENT : ECONNREFUSED);
}

std::unique_ptr<Transport> MemoryAttempt::join(MemoryListener& listener) {
  auto [ours, theirs] = MemoryTransport::pair(loop_, listener.loop());
  if (!route_.local) {
    ours->set_place({.local = {}, .remote = {}, .held = {}, .can_reset = false});
    theirs->set_place({.local = {}, .remote = {}, .held = {}, .can_reset = false});
    listener.arrive({std::move(theirs), std::nullopt});
    return std::move(ours);
  }
  const SocketAddress remote = seen_by(listener, *route_.local);
  theirs->set_place({.local = seen_by(listener, route_.remote), .remote = remote, .held = {}});
  ours->set_place({.local = route_.local, .remote = route_.remote, .held = std::move(route_.held)});
  listener.arrive({std::move(theirs), remote});
  return std::move(ours);
}

}  // namespace libnet::transport
