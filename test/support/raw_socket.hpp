#pragma once

#include <cerrno>
#include <string>
#include <utility>

#include <sys/socket.h>
#include <unistd.h>

#include "libnet/address.hpp"

namespace libnet::test {

/// A blocking stream socket made without libnet: what it finds is what the kernel knows, whether the loop runs or not.
class RawSocket {
 public:
  explicit RawSocket(Family family, int type = SOCK_STREAM)
      : descriptor_(::socket(native(family), type | SOCK_CLOEXEC, 0)) {}
  RawSocket(RawSocket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RawSocket(const RawSocket&) = delete;
  RawSocket& operator=(const RawSocket&) = delete;
  ~RawSocket() { close(); }

  int descriptor() const noexcept { return descriptor_; }

  /// These return 0 or the error number.
  int connect(const SocketAddress& address) {
    sockaddr_storage storage{};
    const socklen_t length = address.to_native(storage);
    return ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&storage), length) == 0 ? 0 : errno;
  }
  int bind(const SocketAddress& address) {
    sockaddr_storage storage{};
    const socklen_t length = address.to_native(storage);
    return ::bind(descriptor_, reinterpret_cast<const sockaddr*>(&storage), length) == 0 ? 0 : errno;
  }
  /// Before bind: others that say the same can bind to this address as well, until one of them listens.
  void share_address() {
    const int yes = 1;
    ::setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  }
  int listen() { return ::listen(descriptor_, 8) == 0 ? 0 : errno; }

  SocketAddress local_address() const {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&storage), &length);
    return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&storage), length).value_or(SocketAddress());
  }

  void send(const std::string& text) {
    if (::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL) < 0) close();
  }
  /// From now on closing resets the connection, which leaves no TIME_WAIT behind: a machine has some 28,000 ports for a
  /// minute's worth of connections.
  void reset_on_close() noexcept {
    const linger discard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &discard, sizeof discard);
  }
  void close() noexcept {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }

 private:
  static int native(Family family) {
    return family == Family::ipv4 ? AF_INET : family == Family::ipv6 ? AF_INET6 : AF_UNIX;
  }

  int descriptor_;
};

/// What a connect to `address` finds at this moment: 0 or the error number.
inline int probe(const SocketAddress& address) { return RawSocket(address.family()).connect(address); }

}  // namespace libnet::test
