#include "transport/socket_calls.hpp"

#include <cerrno>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "detail/last_error.hpp"
#include "transport/native.hpp"

namespace libnet::transport {

namespace {

using detail::last_error;

int native_family(Family family) noexcept {
  switch (family) {
    case Family::ipv4: return AF_INET;
    case Family::ipv6: return AF_INET6;
    case Family::unix_path: break;
  }
  return AF_UNIX;
}

error_code outcome(int result) noexcept { return result == 0 ? error_code() : last_error(); }

/// Makes a call that takes an address.
template <class Call>
error_code with_address(const SocketAddress& address, Call call) noexcept {
  sockaddr_storage storage{};
  const socklen_t length = address.to_native(storage);
  if (length == 0) return system_error(EINVAL);  // the path is too long
  return outcome(call(reinterpret_cast<const sockaddr*>(&storage), length));
}

}  // namespace

Descriptor::~Descriptor() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

// ---- How sockets come about

error_code open_stream(Family family, Descriptor& made) noexcept {
  made = Descriptor(::socket(native_family(family), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return made.get() < 0 ? last_error() : error_code();
}

error_code bind_to(int descriptor, const SocketAddress& address) noexcept {
  return with_address(address,
                      [&](const sockaddr* native, socklen_t length) { return ::bind(descriptor, native, length); });
}

error_code listen_on(int descriptor, int backlog) noexcept { return outcome(::listen(descriptor, backlog)); }

error_code accept_from(int listener, Descriptor& accepted, std::optional<SocketAddress>* remote) noexcept {
  sockaddr_storage storage;
  socklen_t length = sizeof storage;
  auto* native = reinterpret_cast<sockaddr*>(&storage);
  accepted = Descriptor(::accept4(listener, native, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (accepted.get() < 0) return last_error();
  if (remote != nullptr) *remote = SocketAddress::from_native(native, length);
  return {};
}

error_code connect_to(int descriptor, const SocketAddress& address) noexcept {
  return with_address(address, [&](const sockaddr* native, socklen_t length) {
    return uninterrupted([&] { return ::connect(descriptor, native, length); });
  });
}

/// A socket of another kind is never connected, so that a server does not hear of the question. The refusal says that there
/// is no socket, another error that there is one of the wrong kind: for one that listens, and for one that is only bound, in
/// whatever network namespace.
bool is_bound_to(const SocketAddress& path) noexcept {
  const Descriptor probe(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  return probe.get() < 0 || connect_to(probe.get(), path) != boost::system::errc::connection_refused;
}

// ---- What a descriptor is

bool is_stream_socket(int descriptor) noexcept { return option(descriptor, SOL_SOCKET, SO_TYPE) == SOCK_STREAM; }

bool is_listening(int descriptor) noexcept { return option(descriptor, SOL_SOCKET, SO_ACCEPTCONN).value_or(0) != 0; }

bool is_unix_socket(int descriptor) noexcept { return option(descriptor, SOL_SOCKET, SO_DOMAIN) == AF_UNIX; }

bool is_readable(int descriptor) noexcept {
  pollfd state{descriptor, POLLIN, 0};
  return ::poll(&state, 1, 0) != 0;  // if it cannot be asked, trying tells
}

bool is_connected(int descriptor) noexcept {
  sockaddr_storage peer{};
  return remote_address(descriptor, reinterpret_cast<sockaddr*>(&peer), sizeof peer);
}

bool was_never_connected(int descriptor) noexcept {
  if (is_connected(descriptor) || errno != ENOTCONN) return false;
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

bool local_address(int descriptor, sockaddr* address, socklen_t size) noexcept {
  return ::getsockname(descriptor, address, &size) == 0;
}

bool remote_address(int descriptor, sockaddr* address, socklen_t size) noexcept {
  return ::getpeername(descriptor, address, &size) == 0;
}

// ---- Options

MadeNonBlocking::MadeNonBlocking(int descriptor) noexcept : descriptor_(descriptor) {
  const int flags = ::fcntl(descriptor, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) != 0) return;
  error_ = flags < 0 ? last_error() : outcome(::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK));
  changed_ = !error_;
}

MadeNonBlocking::~MadeNonBlocking() {
  if (changed_) ::fcntl(descriptor_, F_SETFL, ::fcntl(descriptor_, F_GETFL) & ~O_NONBLOCK);
}

error_code set_option(int descriptor, int level, int name, int value) noexcept {
  return outcome(::setsockopt(descriptor, level, name, &value, sizeof value));
}

std::optional<int> option(int descriptor, int level, int name) noexcept {
  int value = 0;
  socklen_t length = sizeof value;
  if (::getsockopt(descriptor, level, name, &value, &length) != 0) return std::nullopt;
  return value;
}

int take_pending_error(int descriptor) noexcept {
  const std::optional<int> pending = option(descriptor, SOL_SOCKET, SO_ERROR);
  return pending ? *pending : errno;
}

void reset_connection(int descriptor) noexcept {
  const linger discard{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &discard, sizeof discard);
  const sockaddr nobody{.sa_family = AF_UNSPEC, .sa_data = {}};
  static_cast<void>(::connect(descriptor, &nobody, sizeof nobody));  // at once, although other processes may have it
}

}  // namespace libnet::transport
