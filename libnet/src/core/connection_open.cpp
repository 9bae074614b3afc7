#include <algorithm>
#include <utility>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "core/acceptor.hpp"
#include "core/connection.hpp"
#include "core/connection_timers.hpp"
#include "libnet/auto_select_family.hpp"

/// How a connection comes about: by connecting, or by taking over a transport; and the socket options it then gets.
namespace libnet::core {

namespace {

/// A socket that is bound already reaches addresses of its own family.
void check_source(const detail::ConnectRequest& request) {
  const auto refuse = [](Errc code) { throw SystemError(Error(code, "connect")); };
  const auto address = request.bound->address();
  if (!address || request.bound->native_handle() < 0) refuse(Errc::invalid_handle);
  if (!request.local_address.empty() || request.local_port) refuse(Errc::invalid_argument);
  const int source = address->family() == Family::ipv4 ? 4 : address->family() == Family::ipv6 ? 6 : 0;
  if (request.port.has_value() != (source != 0)) refuse(Errc::address_family);
  const int target = is_ip(request.host) != 0 ? is_ip(request.host) : request.family;
  if (source != 0 && target != 0 && target != source) refuse(Errc::address_family);
}

}  // namespace

void Connection::check_connectable(const detail::ConnectRequest& request) const {
  const auto refuse = [](Errc code) { throw SystemError(Error(code, "connect")); };
  if (phase_ == Phase::connecting || connected()) refuse(Errc::already_connected);
  if (phase_ == Phase::closing) refuse(destroyed_ ? Errc::destroyed : Errc::closed);
  if (!request.port && request.path.empty()) refuse(Errc::invalid_argument);
  if (request.port && (*request.port < 0 || *request.port > 65535)) refuse(Errc::bad_port);
  if (request.local_port && (*request.local_port < 0 || *request.local_port > 65535)) refuse(Errc::bad_port);
  if (!request.local_address.empty() && is_ip(request.local_address) == 0) refuse(Errc::invalid_address);
  if (request.family != 0 && request.family != 4 && request.family != 6) refuse(Errc::address_family);
  if ((request.hints & ~(AI_ADDRCONFIG | AI_V4MAPPED | AI_ALL)) != 0) refuse(Errc::invalid_argument);
  if (request.attempt_timeout && request.attempt_timeout->count() <= 0) refuse(Errc::out_of_range);
  if (request.bound) check_source(request);
}

/// Takes what the caller gives to connect from, or what the socket was made with.
void Connection::choose_source(detail::ConnectRequest& request) {
  if (!request.bound && phase_ == Phase::fresh && source_) request.bound = *source_;
  if (!request.bound) return;
  request.auto_select_family = false;  // it serves for one attempt
  const auto address = request.bound->address();
  if (request.family != 0 || !address || address->family() == Family::unix_path) return;
  request.family = address->family() == Family::ipv4 ? 4 : 6;
}

void Connection::connect(detail::ConnectRequest request, bool half_open_by_default) {
  choose_source(request);
  check_connectable(request);
  if (!request.auto_select_family) request.auto_select_family = default_auto_select_family();
  const auto time = request.attempt_timeout.value_or(default_auto_select_family_attempt_timeout());
  request.attempt_timeout = std::max(time, shortest_attempt);
  if (request.bound) connect_from(*request.bound);
  half_open_ = options_->allow_half_open.value_or(half_open_by_default);
  error_.forget();
  transport_.reset();
  queue_.reset();
  pushed_back_.reset();
  bytes_read_ = 0;
  corks_ = 0;
  happened_ = 0;
  phase_ = Phase::connecting;
  read_side_ = ReadSide::open;
  write_side_ = WriteSide::open;
  if (flow_ == Flow::lingering) flow_ = Flow::automatic;
  need_drain_ = destroyed_ = handled_ = reset_on_connect_ = false;
  attempted_ = *request.auto_select_family ? std::make_unique<std::vector<std::string>>() : nullptr;
  connector_ = std::make_unique<Connector>(loop_, std::move(request), options_->block_list,
                                           static_cast<Connector::Client&>(*this));
  touch();
  wake();
}

void Connection::start_connect(detail::VoidOperation& operation, const detail::ConnectRequest& request) {
  try {
    connect(request, true);
  } catch (const SystemError& refused) {
    return finish(operation, refused.code());
  }
  wait(operation);
}

void Connection::deliver_connector_news() {
  Connector::News news = connector_->take_news();
  std::visit([this](auto& some) { tell(some); }, news);
}

void Connection::tell(const LookupResult& result) { emit(SocketEvent::lookup, result); }

void Connection::tell(const Connector::AttemptStarted& attempt) {
  if (attempted_) attempted_->push_back(attempt.address.address() + ':' + std::to_string(attempt.address.port()));
  emit(SocketEvent::connection_attempt, attempt.address);
}

void Connection::tell(const Connector::AttemptFailed& attempt) {
  emit(SocketEvent::connection_attempt_failed, attempt.address, attempt.error);
}

void Connection::tell(const Connector::AttemptTimedOut& attempt) {
  emit(SocketEvent::connection_attempt_timeout, attempt.address);
}

void Connection::tell(const Error& failure) { fail(failure); }

void Connection::tell(Connector::Connected& transport) {
  connector_.reset();
  opened(std::move(transport));
  finish_waiting(Operation::Kind::connect, {});
  if (!reset_on_connect_) return;
  due_ = static_cast<std::uint8_t>(due_ & ~due_connect);
  if (!transport_->can_reset()) return fail_now(failure(Errc::invalid_handle, "reset"));
  reset();
}

void Connection::opened(std::unique_ptr<transport::Transport> transport) {
  transport_ = std::move(transport);
  transport_->observe(this);
  holds_back_ = transport_->holds_back();
  phase_ = Phase::open;
  apply_options();
  touch();
  if (flow_ == Flow::lingering) start_linger_timer();
  mark(due_connect | due_input | due_flush);
}

void Connection::adopt(std::unique_ptr<transport::Transport> transport) { opened(std::move(transport)); }

void Connection::adopt_accepted(std::unique_ptr<transport::Transport> transport, std::shared_ptr<ListenSession> session,
                                bool half_open_by_default) {
  session_ = std::move(session);
  half_open_ = options_->allow_half_open.value_or(half_open_by_default);
  opened(std::move(transport));
}

// --- socket options ------------------------------------------------------------------------------------------------

/// Options do not exist on every kind of transport; where one does not, it is ignored.
void Connection::set_option(int level, int name, int value) noexcept {
  if (native_handle() >= 0) ::setsockopt(native_handle(), level, name, &value, sizeof value);
}

void Connection::apply_options() {
  if (no_delay_) set_option(IPPROTO_TCP, TCP_NODELAY, 1);
  if (current_keep_alive().enable) apply_keep_alive();
  if (wanted_type_of_service()) apply_type_of_service();
}

void Connection::set_no_delay(bool enable) {
  if (std::exchange(no_delay_, enable) != enable && connected()) {
    set_option(IPPROTO_TCP, TCP_NODELAY, enable ? 1 : 0);
  }
}

void Connection::set_keep_alive(const KeepAlive& keep_alive) {
  const KeepAlive before = current_keep_alive();
  const bool same = before.enable == keep_alive.enable && before.initial_delay == keep_alive.initial_delay &&
                    before.interval == keep_alive.interval && before.count == keep_alive.count;
  if (same) return;
  changed().keep_alive = keep_alive;
  if (connected()) apply_keep_alive();
}

Connection::Changed& Connection::changed() {
  if (!changed_) changed_ = std::make_unique<Changed>();
  return *changed_;
}

KeepAlive Connection::current_keep_alive() const noexcept {
  if (changed_ && changed_->keep_alive) return *changed_->keep_alive;
  return {.enable = options_->keep_alive, .initial_delay = options_->keep_alive_initial_delay};
}

void Connection::apply_keep_alive() noexcept {
  const auto seconds = [](std::chrono::milliseconds time) {
    return static_cast<int>(std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(time).count()));
  };
  const KeepAlive wanted = current_keep_alive();
  set_option(SOL_SOCKET, SO_KEEPALIVE, wanted.enable ? 1 : 0);
  if (!wanted.enable) return;
  if (const int idle = seconds(wanted.initial_delay)) set_option(IPPROTO_TCP, TCP_KEEPIDLE, idle);
  if (const int interval = seconds(wanted.interval)) set_option(IPPROTO_TCP, TCP_KEEPINTVL, interval);
  if (wanted.count > 0) set_option(IPPROTO_TCP, TCP_KEEPCNT, wanted.count);
}

void Connection::set_type_of_service(int value) {
  if (wanted_type_of_service() == value) return;
  changed().type_of_service = value;
  if (connected()) apply_type_of_service();
}

std::optional<int> Connection::wanted_type_of_service() const noexcept {
  return changed_ && changed_->type_of_service ? changed_->type_of_service : options_->type_of_service;
}

/// An IPv6 socket sends IPv4 packets if its peer's address is mapped. An IPv4 socket does not know the second option.
void Connection::apply_type_of_service() noexcept {
  const int value = wanted_type_of_service().value_or(0);
  set_option(IPPROTO_IP, IP_TOS, value);
  set_option(IPPROTO_IPV6, IPV6_TCLASS, value);
}

int Connection::type_of_service() const noexcept {
  int value = 0;
  const auto asked = [&](int level, int name) {
    socklen_t length = sizeof value;
    return ::getsockopt(native_handle(), level, name, &value, &length) == 0;
  };
  if (connected() && (asked(IPPROTO_IPV6, IPV6_TCLASS) || asked(IPPROTO_IP, IP_TOS))) return value;
  return wanted_type_of_service().value_or(0);
}

}  // namespace libnet::core
