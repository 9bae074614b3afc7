#include "core/listening_socket.hpp"

#include <cerrno>
#include <string>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/binding.hpp"
#include "detail/last_error.hpp"

namespace libnet::core {

namespace {

using detail::last_error;

/// What the umask has taken away from the file of a Unix-domain socket.
error_code permit(const std::optional<SocketAddress>& address, const detail::ListenRequest& request) {
  const mode_t wanted = (request.readable_all ? S_IRUSR | S_IRGRP | S_IROTH : 0) |
                        (request.writable_all ? S_IWUSR | S_IWGRP | S_IWOTH : 0);
  if (wanted == 0 || !address || address->family() != Family::unix_path) return {};
  const std::string path = address->address();
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return last_error();
  return ::chmod(path.c_str(), (status.st_mode & 07777) | wanted) == 0 ? error_code() : last_error();
}

}  // namespace

error_code ListeningSocket::open(const SocketAddress& address, const detail::ListenRequest& request) {
  BoundSocket bound;
  const BindOptions options{.ipv6_only = request.ipv6_only, .reuse_port = request.reuse_port};
  if (const error_code code = Binding::bind(address, options, bound)) return code;
  return open(bound, request);
}

error_code ListeningSocket::open(const BoundSocket& bound, const detail::ListenRequest& request) {
  if (const error_code code = open(bound.native_handle(), request)) return code;
  Binding::of(bound)->take();
  bound_ = bound;
  return {};
}

error_code ListeningSocket::open(int descriptor, const detail::ListenRequest& request) {
  if (!is_stream_socket(descriptor)) return {EINVAL, boost::system::system_category()};
  const auto address = local_address(descriptor);
  if (const error_code code = permit(address, request)) return code;
  if (!is_listening(descriptor) && ::listen(descriptor, request.backlog) != 0) return last_error();
  make_non_blocking(descriptor);
  if (const error_code code = loop_.reactor().attach(*this, descriptor)) return code;
  descriptor_ = descriptor;
  address_ = address;
  return {};
}

void ListeningSocket::close() noexcept {
  if (descriptor_ < 0) return;
  if (loop_.alive()) loop_.reactor().detach(*this);
  bound_ = {};  // before the descriptor, for the sake of the file
  ::close(descriptor_);
  descriptor_ = -1;
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
