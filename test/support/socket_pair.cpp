#include "support/socket_pair.hpp"

#include <array>
#include <cerrno>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/system/system_error.hpp>

namespace libnet::test {

namespace {

int checked(int result, const char* what) {
  if (result < 0) throw boost::system::system_error(errno, boost::system::system_category(), what);
  return result;
}

}  // namespace

std::pair<int, int> tcp_pair() {
  const int listener = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* native = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  checked(::bind(listener, native, length), "bind");
  checked(::listen(listener, 1), "listen");
  checked(::getsockname(listener, native, &length), "getsockname");

  const int client = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
  checked(::connect(client, native, length), "connect");
  const int server = checked(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept");
  ::close(listener);
  int on = 1;
  checked(::ioctl(client, FIONBIO, &on), "ioctl");
  return {client, server};
}

std::pair<int, int> unix_pair() {
  std::array<int, 2> ends{};
  checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
  return {ends[0], ends[1]};
}

}  // namespace libnet::test
