#include "loop.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>

#include "common/rival.hpp"

int checked(int result, const char* call) {
  if (result < 0) throw std::system_error(errno, std::system_category(), call);
  return result;
}

Loop::Loop() : set_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

void Loop::control(int operation, int descriptor, std::uint32_t events, Handler& handler) const {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &handler;
  checked(::epoll_ctl(set_, operation, descriptor, &event), "epoll_ctl");
}

void Loop::retire(Mortal& one) {
  if (one.retired_) return;
  one.retired_ = true;
  retired_.emplace_back(&one);
}

void Loop::run(const std::function<int()>& patience) {
  std::array<epoll_event, 256> events;
  for (;;) {
    const int timeout = patience();
    retired_.clear();
    const int count = ::epoll_wait(set_, events.data(), static_cast<int>(events.size()), timeout);
    if (count < 0 && errno != EINTR) checked(count, "epoll_wait");
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      auto& handler = *static_cast<Handler*>(event.data.ptr);
      if (!handler.retired()) handler.on_ready(event.events);
    }
  }
}

namespace {

class Listener final : public Handler {
 public:
  Listener(int descriptor, std::function<void(int)> on_connection)
      : descriptor_(descriptor), on_connection_(std::move(on_connection)) {}

  void on_ready(std::uint32_t) override {
    for (;;) {
      const int descriptor = ::accept4(descriptor_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0 && errno == EAGAIN) return;
      if (descriptor < 0 && errno == ECONNABORTED) continue;
      on_connection_(checked(descriptor, "accept4"));
    }
  }

 private:
  int descriptor_;
  std::function<void(int)> on_connection_;
};

std::uint16_t bind_to_loopback(int descriptor) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  checked(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), length), "bind");
  checked(::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  return ntohs(address.sin_port);
}

}  // namespace

void listen_on_loopback(Loop& loop, std::function<void(int)> on_connection) {
  const int descriptor = checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  const int enable = 1;  // inherited by what it accepts
  checked(::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &enable, sizeof enable), "setsockopt");
  const std::uint16_t port = bind_to_loopback(descriptor);
  checked(::listen(descriptor, bench::backlog), "listen");
  loop.add(descriptor, EPOLLIN, *new Listener(descriptor, std::move(on_connection)));
  bench::announce(port);
}
