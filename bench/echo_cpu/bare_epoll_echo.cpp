// The baseline: an epoll loop as one writes it in C, with one buffer for all connections; a read and a send a message.
// It is no model of a server: what the kernel does not take at once ends the connection.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace {

int checked(int result, const char* what) {
  if (result >= 0) return result;
  std::perror(what);
  std::exit(1);
}

int listen_on_loopback() {
  const int listener = checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  checked(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), "bind");
  checked(::listen(listener, 511), "listen");
  socklen_t length = sizeof address;
  checked(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  return listener;
}

void watch(int set, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  checked(::epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event), "epoll_ctl");
}

void accept_one(int set, int listener) {
  const int descriptor = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
  if (descriptor >= 0) watch(set, descriptor);
}

void echo(int descriptor, std::array<char, 64 * 1024>& buffer) {
  const ssize_t received = ::recv(descriptor, buffer.data(), buffer.size(), 0);
  const auto size = static_cast<std::size_t>(received);
  if (received <= 0 || ::send(descriptor, buffer.data(), size, MSG_NOSIGNAL) != received) ::close(descriptor);
}

}  // namespace

int main() {
  static std::array<char, 64 * 1024> buffer;
  const int listener = listen_on_loopback();
  const int set = checked(::epoll_create1(0), "epoll_create1");
  watch(set, listener);
  for (;;) {
    std::array<epoll_event, 256> events;
    const int count = ::epoll_wait(set, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
      if (descriptor == listener) {
        accept_one(set, listener);
      } else {
        echo(descriptor, buffer);
      }
    }
  }
}
