#include "core/binding.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "detail/last_error.hpp"

namespace libnet::core {

namespace {

using detail::last_error;

error_code set_flag(int descriptor, int level, int name, bool on) noexcept {
  const int value = on ? 1 : 0;
  return ::setsockopt(descriptor, level, name, &value, sizeof value) == 0 ? error_code() : last_error();
}

std::optional<int> number(int descriptor, int name) noexcept {
  int value = 0;
  socklen_t length = sizeof value;
  if (::getsockopt(descriptor, SOL_SOCKET, name, &value, &length) != 0) return std::nullopt;
  return value;
}

/// A connect that is refused tells that nobody listens behind a socket file any more.
bool is_stale(const std::string& path, const sockaddr* address, socklen_t length) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (probe < 0) return false;
  const bool refused = ::connect(probe, address, length) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return refused;
}

std::optional<std::pair<dev_t, ino_t>> identity(const std::string& path) {
  struct stat status{};
  if (path.empty() || path.front() == '\0' || ::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair(status.st_dev, status.st_ino);
}

}  // namespace

int native_family(Family family) noexcept {
  switch (family) {
    case Family::ipv4: return AF_INET;
    case Family::ipv6: return AF_INET6;
    case Family::unix_path: break;
  }
  return AF_UNIX;
}

bool is_stream_socket(int descriptor) noexcept { return number(descriptor, SO_TYPE) == SOCK_STREAM; }

bool is_listening(int descriptor) noexcept { return number(descriptor, SO_ACCEPTCONN).value_or(0) != 0; }

bool was_never_connected(int descriptor) noexcept {
  sockaddr_storage peer{};
  socklen_t length = sizeof peer;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&peer), &length) == 0 || errno != ENOTCONN) return false;
  pollfd state{descriptor, POLLIN, 0};  // a connection that is over has its end or its error to be read
  return ::poll(&state, 1, 0) >= 0 && (state.revents & (POLLIN | POLLERR)) == 0;
}

std::optional<SocketAddress> local_address(int descriptor) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* native = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(descriptor, native, &length) != 0) return std::nullopt;
  return SocketAddress::from_native(native, length);
}

void make_non_blocking(int descriptor) noexcept {
  ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

error_code Binding::bind(const SocketAddress& address, const BindOptions& options, BoundSocket& made) {
  const int descriptor = ::socket(native_family(address.family()), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return last_error();
  auto binding = std::make_shared<Binding>(descriptor);
  if (const error_code code = binding->apply(options, address.family())) return code;
  if (const error_code code = binding->bind(address)) return code;
  binding->address_ = local_address(descriptor);
  if (address.family() == Family::unix_path) binding->file_ = identity(address.address());
  made = BoundSocket(std::move(binding));
  return {};
}

BoundSocket Binding::adopt(int descriptor) {
  make_non_blocking(descriptor);
  auto binding = std::make_shared<Binding>(descriptor);
  binding->address_ = local_address(descriptor);
  return BoundSocket(std::move(binding));
}

error_code Binding::apply(const BindOptions& options, Family family) const noexcept {
  if (family == Family::unix_path) return {};
  set_flag(descriptor_, SOL_SOCKET, SO_REUSEADDR, true);
  if (family == Family::ipv6) set_flag(descriptor_, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only);
  return options.reuse_port ? set_flag(descriptor_, SOL_SOCKET, SO_REUSEPORT, true) : error_code();
}

error_code Binding::bind(const SocketAddress& address) {
  sockaddr_storage storage{};
  const socklen_t length = address.to_native(storage);
  if (length == 0) return {EINVAL, boost::system::system_category()};  // the path is too long
  const auto* native = reinterpret_cast<const sockaddr*>(&storage);
  if (::bind(descriptor_, native, length) == 0) return {};
  const error_code code = last_error();
  if (code != boost::system::errc::address_in_use || address.family() != Family::unix_path) return code;
  const std::string path = address.address();
  if (!is_stale(path, native, length)) return code;
  ::unlink(path.c_str());
  return ::bind(descriptor_, native, length) == 0 ? error_code() : last_error();
}

void Binding::close() noexcept {
  // Before the descriptor goes: from then on the file looks stale, and another process may put its own in its place.
  if (file_ && identity(address_->address()) == file_) ::unlink(address_->address().c_str());
  if (descriptor_ >= 0) ::close(take());
  file_.reset();
  address_.reset();
}

}  // namespace libnet::core
