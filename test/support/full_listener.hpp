#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <fcntl.h>

#include "support/raw_socket.hpp"

namespace libnet::test {

/// A TCP listener whose backlog is full: who connects to it waits, until there is room.
class FullListener {
 public:
  explicit FullListener(const std::string& address, std::uint16_t port = 0)
      : listener_(SocketAddress::ip(address, port).family()) {
    const int reuse = 1;
    ::setsockopt(listener_.descriptor(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
    failed_ = listener_.bind(SocketAddress::ip(address, port)) != 0 || ::listen(listener_.descriptor(), 0) != 0;
    address_ = listener_.local_address();
    for (int i = 0; i < 4; ++i) {
      fillers_.emplace_back(address_.family(), SOCK_STREAM | SOCK_NONBLOCK);
      fillers_.back().connect(address_);
    }
  }

  bool failed() const { return failed_; }
  const SocketAddress& address() const { return address_; }

  /// Who waits is let in (as soon as the kernel asks again).
  void make_room() {
    ::fcntl(listener_.descriptor(), F_SETFL, O_NONBLOCK);
    ::listen(listener_.descriptor(), 64);
    fillers_.clear();
  }

 private:
  RawSocket listener_;
  SocketAddress address_;
  std::vector<RawSocket> fillers_;
  bool failed_ = false;
};

}  // namespace libnet::test
