#include "core/listening_socket.hpp"

#include <cerrno>
#include <string>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace libnet::core {

namespace {

error_code last_error() { return {errno, boost::system::system_category()}; }

void set_flag(int descriptor, int level, int name, bool on) {
  const int value = on ? 1 : 0;
  ::setsockopt(descriptor, level, name, &value, sizeof value);
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

error_code ListeningSocket::open(const SocketAddress& address, const detail::ListenRequest& request) {
  const error_code code = bind_and_listen(address, request);
  if (code) close();
  return code;
}

error_code ListeningSocket::bind_and_listen(const SocketAddress& address, const detail::ListenRequest& request) {
  const bool ipv6 = address.family() == Family::ipv6;
  const int family = ipv6 ? AF_INET6 : address.family() == Family::ipv4 ? AF_INET : AF_UNIX;
  descriptor_ = ::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) return last_error();
  if (family != AF_UNIX) set_flag(descriptor_, SOL_SOCKET, SO_REUSEADDR, true);
  if (ipv6) set_flag(descriptor_, IPPROTO_IPV6, IPV6_V6ONLY, request.ipv6_only);
  if (request.reuse_port) set_flag(descriptor_, SOL_SOCKET, SO_REUSEPORT, true);
  if (const error_code code = bind(address)) return code;
  if (::listen(descriptor_, request.backlog) != 0) return last_error();
  note_address(address);
  return loop_.reactor().attach(*this, descriptor_);
}

error_code ListeningSocket::bind(const SocketAddress& address) {
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

void ListeningSocket::note_address(const SocketAddress& asked) {
  address_ = asked;
  if (asked.family() == Family::unix_path) {
    file_ = identity(asked.address());
    return;
  }
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* native = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(descriptor_, native, &length) == 0) address_ = SocketAddress::from_native(native, length);
}

void ListeningSocket::close() noexcept {
  if (descriptor_ < 0) return;
  if (loop_.alive()) loop_.reactor().detach(*this);
  // Before the descriptor goes: from then on the file looks stale, and another process may put its own in its place.
  if (file_ && identity(address_->address()) == file_) ::unlink(address_->address().c_str());
  ::close(descriptor_);
  descriptor_ = -1;
  file_.reset();
  address_.reset();
  readable = false;
}

error_code ListeningSocket::accept(Accepted& accepted) {
  const error_code would_block(EAGAIN, boost::system::system_category());
  if (!readable) {
    loop_.reactor().await_readable(*this);
    return would_block;
  }
  sockaddr_storage remote;
  socklen_t length = sizeof remote;
  auto* native = reinterpret_cast<sockaddr*>(&remote);
  accepted.descriptor = ::accept4(descriptor_, native, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (accepted.descriptor >= 0) {
    if (!is_unix()) accepted.remote = SocketAddress::from_native(native, length);
    return {};
  }
  const error_code code = last_error();
  if (code != boost::system::errc::resource_unavailable_try_again) return code;
  readable = false;
  loop_.reactor().await_readable(*this);
  return would_block;
}

}  // namespace libnet::core
