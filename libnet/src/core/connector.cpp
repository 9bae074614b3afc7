#include "core/connector.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/descriptor_transport.hpp"

namespace libnet::core {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::milliseconds longest_retry{50};

error_code last_error() { return {errno, boost::system::system_category()}; }

int native_family(const SocketAddress& address) {
  switch (address.family()) {
    case Family::ipv4: return AF_INET;
    case Family::ipv6: return AF_INET6;
    default: return AF_UNIX;
  }
}

}  // namespace

/// The limit for lookup and all attempts together.
class Connector::TimeLimit final : public reactor::Timer {
 public:
  explicit TimeLimit(Connector& connector) : connector_(connector) {}
  void on_timer() override { connector_.give_up(Errc::timed_out); }

 private:
  Connector& connector_;
};

Connector::Connector(std::shared_ptr<reactor::Loop> loop, const detail::ConnectRequest& request, Client& client)
    : loop_(std::move(loop)), request_(request), client_(client) {
  if (request_.timeout.count() > 0) {
    time_limit_ = std::make_unique<TimeLimit>(*this);
    loop_->start(*time_limit_, loop_->precise_now() + request_.timeout);
  }
  loop_->schedule(*this);
}

Connector::~Connector() {
  loop_->unschedule(*this);
  close_socket();
}

void Connector::run_task() {
  switch (stage_) {
    case Stage::begin: return begin();
    case Stage::attempt: return attempt();
    case Stage::await: return await_connection();
  }
}

void Connector::begin() {
  if (request_.stop.stop_requested()) return give_up(asio::error::operation_aborted);
  if (request_.stop.stop_possible()) {
    stop_.emplace(*loop_, request_.stop, [this] { give_up(asio::error::operation_aborted); });
  }
  if (!request_.port) {
    addresses_ = {SocketAddress::unix_socket(request_.path)};
    return attempt();
  }
  const auto port = static_cast<std::uint16_t>(*request_.port);
  if (is_ip(request_.host) != 0) {
    addresses_ = {SocketAddress::ip(request_.host, port)};
    return attempt();
  }
  lookup_ = std::make_unique<Lookup>(
      *loop_, request_.host, request_.family, port,
      [this](const Error& error, std::vector<SocketAddress> addresses) { resolved(error, std::move(addresses)); });
}

void Connector::resolved(const Error& error, std::vector<SocketAddress> addresses) {
  if (error) return client_.on_connect_failed(error);
  addresses_ = std::move(addresses);
  stage_ = Stage::attempt;
  loop_->schedule(*this);
}

void Connector::attempt() {
  const SocketAddress& address = addresses_[current_];
  if (const error_code code = open_socket(address)) return attempt_failed(code);
  if (const error_code code = bind_local()) return attempt_failed(code);
  const error_code code = start_connect(address);
  if (!code) return attempt_succeeded();
  if (code == boost::system::errc::operation_in_progress) {
    if (const error_code attached = loop_->reactor().attach(*this, descriptor_)) return attempt_failed(attached);
    return await_connection();
  }
  if (code == boost::system::errc::resource_unavailable_try_again && address.family() == Family::unix_path) {
    return retry_later();  // the listener's backlog is full, and the system does not tell when that changes
  }
  attempt_failed(code);
}

error_code Connector::open_socket(const SocketAddress& address) {
  close_socket();
  descriptor_ = ::socket(native_family(address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return descriptor_ < 0 ? last_error() : error_code();
}

error_code Connector::bind_local() {
  const SocketAddress& target = addresses_[current_];
  if (target.family() == Family::unix_path || (request_.local_address.empty() && !request_.local_port)) return {};
  const char* any = target.family() == Family::ipv6 ? "::" : "0.0.0.0";
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

error_code Connector::start_connect(const SocketAddress& address) {
  sockaddr_storage storage{};
  const socklen_t length = address.to_native(storage);
  if (length == 0) return {EINVAL, boost::system::system_category()};  // the path is too long
  int result = 0;
  do {
    result = ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&storage), length);
  } while (result != 0 && errno == EINTR);
  return result == 0 ? error_code() : last_error();
}

void Connector::on_ready() {
  stage_ = Stage::await;
  loop_->schedule(*this);
}

/// Looks whether the attempt has come to an end.
void Connector::await_connection() {
  if (!writable) return loop_->reactor().await_writable(*this);
  int code = 0;
  socklen_t length = sizeof code;
  ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &code, &length);
  if (code != 0) return attempt_failed({code, boost::system::system_category()});
  sockaddr_storage peer{};
  socklen_t peer_length = sizeof peer;
  if (::getpeername(descriptor_, reinterpret_cast<sockaddr*>(&peer), &peer_length) != 0) {
    writable = false;  // woken too early
    return loop_->reactor().await_writable(*this);
  }
  attempt_succeeded();
}

void Connector::retry_later() {
  stage_ = Stage::attempt;
  loop_->start(*this, loop_->precise_now() + retry_delay_);
  retry_delay_ = std::min(2 * retry_delay_, longest_retry);
}

void Connector::on_timer() { loop_->schedule(*this); }

void Connector::attempt_failed(const error_code& code) {
  const Error error = describe(code);
  close_socket();
  if (!first_error_) first_error_ = error;
  if (++current_ < addresses_.size()) {
    stage_ = Stage::attempt;
    return loop_->schedule(*this);
  }
  const Error told = first_error_;
  client_.on_connect_failed(told);
}

void Connector::attempt_succeeded() {
  loop_->reactor().detach(*this);
  const bool is_unix = addresses_[current_].family() == Family::unix_path;
  using transport::DescriptorTransport;
  const auto kind = is_unix ? DescriptorTransport::Kind::unix_stream : DescriptorTransport::Kind::tcp;
  auto made = std::make_unique<DescriptorTransport>(loop_, std::exchange(descriptor_, -1), kind);
  if (const error_code code = made->start()) return client_.on_connect_failed(describe(code));
  client_.on_connected(std::move(made));
}

void Connector::close_socket() noexcept {
  if (descriptor_ < 0) return;
  if (loop_->alive()) loop_->reactor().detach(*this);
  ::close(std::exchange(descriptor_, -1));
  readable = writable = hangup = false;
}

void Connector::give_up(const error_code& code) { client_.on_connect_failed(describe(code)); }

Error Connector::describe(const error_code& code) const {
  const SocketAddress* target = current_ < addresses_.size() ? &addresses_[current_] : nullptr;
  return Error(code, ErrorInfo{.operation = "connect",
                               .local_address = local_ ? &*local_ : nullptr,
                               .remote_address = target,
                               .host = target == nullptr && request_.port ? std::string_view(request_.host) : ""});
}

}  // namespace libnet::core
