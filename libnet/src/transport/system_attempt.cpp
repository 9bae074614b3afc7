#include "core/connect_attempt.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include "core/binding.hpp"
#include "detail/last_error.hpp"
#include "transport/descriptor_transport.hpp"

namespace libnet::core {

namespace {

constexpr std::chrono::milliseconds longest_retry{50};

using detail::last_error;

const error_code in_progress(EINPROGRESS, boost::system::system_category());

}  // namespace

ConnectAttempt::ConnectAttempt(std::shared_ptr<reactor::Loop> loop, const SocketAddress& address,
                               const detail::ConnectRequest& request, Client& client)
    : loop_(std::move(loop)), address_(address), request_(request), client_(client) {}

ConnectAttempt::~ConnectAttempt() { close(); }

error_code ConnectAttempt::proceed() {
  if (descriptor_ >= 0) return armed() ? in_progress : result();
  if (const error_code code = open()) return code;
  if (const error_code code = bind_local()) return code;
  const error_code code = connect();
  if (code == in_progress) {
    const error_code attached = loop_->reactor().attach(*this, descriptor_);
    return attached ? attached : result();
  }
  // The listener's backlog is full, and the system does not tell when that changes.
  const bool full = code == boost::system::errc::resource_unavailable_try_again;
  return full && address_.family() == Family::unix_path ? retry_later() : code;
}

error_code ConnectAttempt::open() {
  if (request_.bound) return open_bound();
  descriptor_ = ::socket(native_family(address_.family()), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return descriptor_ < 0 ? last_error() : error_code();
}

error_code ConnectAttempt::open_bound() {
  local_ = request_.bound->address();
  descriptor_ = Binding::of(*request_.bound)->take();
  return descriptor_ < 0 ? error_code(Errc::invalid_handle) : error_code();
}

error_code ConnectAttempt::bind_local() {
  if (address_.family() == Family::unix_path || (request_.local_address.empty() && !request_.local_port)) return {};
  const char* any = address_.family() == Family::ipv6 ? "::" : "0.0.0.0";
  local_ = SocketAddress::ip(request_.local_address.empty() ? any : request_.local_address,
                             static_cast<std::uint16_t>(request_.local_port.value_or(0)));
  const int reuse = 1;
  ::setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  sockaddr_storage storage{};
  socklen_t length = local_->to_native(storage);
  if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&storage), length) != 0) return last_error();
  length = sizeof storage;  // the system may have picked the port
  if (::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return last_error();
  local_ = SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&storage), length);
  return {};
}

error_code ConnectAttempt::connect() {
  sockaddr_storage storage{};
  const socklen_t length = address_.to_native(storage);
  if (length == 0) return {EINVAL, boost::system::system_category()};  // the path is too long
  int result = 0;
  do {
    result = ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&storage), length);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? error_code() : last_error();
}

void ConnectAttempt::on_ready() { client_.on_attempt_ready(); }

/// What has become of a connect that was started; asks to be told if it is too early to say.
error_code ConnectAttempt::result() {
  if (writable) {
    int code = 0;
    socklen_t length = sizeof code;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &code, &length);
    if (code != 0) return {code, boost::system::system_category()};
    sockaddr_storage peer{};
    length = sizeof peer;
    if (::getpeername(descriptor_, reinterpret_cast<sockaddr*>(&peer), &length) == 0) return {};
    writable = false;  // woken too early
  }
  loop_->reactor().await_writable(*this);
  return in_progress;
}

error_code ConnectAttempt::retry_later() {
  if (request_.bound) Binding::of(*request_.bound)->give_back(std::exchange(descriptor_, -1));
  close();
  loop_->start(*this, loop_->precise_now() + retry_delay_);
  retry_delay_ = std::min(2 * retry_delay_, longest_retry);
  return in_progress;
}

std::unique_ptr<transport::Transport> ConnectAttempt::take_transport(error_code& error) {
  using transport::DescriptorTransport;
  loop_->reactor().detach(*this);
  const bool is_unix = address_.family() == Family::unix_path;
  const auto kind = is_unix ? DescriptorTransport::Kind::unix_stream : DescriptorTransport::Kind::tcp;
  auto made = std::make_unique<DescriptorTransport>(loop_, std::exchange(descriptor_, -1), kind);
  error = made->start();
  return made;
}

void ConnectAttempt::close() noexcept {
  if (descriptor_ < 0) return;
  if (loop_->alive()) loop_->reactor().detach(*this);
  ::close(std::exchange(descriptor_, -1));
  readable = writable = hangup = false;
}

Error ConnectAttempt::describe(const error_code& code) const {
  return Error(
      code,
      ErrorInfo{.operation = "connect", .local_address = local_ ? &*local_ : nullptr, .remote_address = &address_});
}

}  // namespace libnet::core
