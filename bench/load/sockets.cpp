#include "sockets.hpp"

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bench {

namespace {

constexpr int longest_backlog = 4096;

Descriptor open_socket() {
  return Descriptor(checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket"));
}

sockaddr_in loopback(std::uint16_t port, std::uint32_t host = INADDR_LOOPBACK) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(host);
  return address;
}

const sockaddr* generic(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

void set(const Descriptor& socket, int level, int option) {
  const int on = 1;
  checked(::setsockopt(socket.number(), level, option, &on, sizeof on), "setsockopt");
}

void come_from(const Descriptor& socket, std::uint32_t source) {
  // The port is chosen at connect(2), where it needs to be free for this peer only.
  set(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  const sockaddr_in address = loopback(0, source);
  checked(::bind(socket.number(), generic(address), sizeof address), "bind");
}

std::size_t moved(ssize_t result, std::string_view what) {
  if (result >= 0) return static_cast<std::size_t>(result);
  if (errno == EAGAIN || errno == EINTR) return 0;
  throw std::system_error(errno, std::generic_category(), std::string(what));
}

}  // namespace

void Descriptor::close() noexcept {
  if (number_ >= 0) ::close(number_);
  number_ = -1;
}

int checked(int result, std::string_view what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), std::string(what));
  return result;
}

std::uint32_t Sources::next() noexcept { return static_cast<std::uint32_t>(INADDR_LOOPBACK + 1 + turn_++ % count_); }

Descriptor start_connect(std::uint16_t port, std::uint32_t source) {
  Descriptor socket = open_socket();
  set(socket, IPPROTO_TCP, TCP_NODELAY);
  if (source != 0) come_from(socket, source);
  const sockaddr_in address = loopback(port);
  const int result = ::connect(socket.number(), generic(address), sizeof address);
  if (result != 0 && errno != EINPROGRESS) checked(result, "connect");
  return socket;
}

Descriptor listen_on_loopback() {
  Descriptor socket = open_socket();
  const sockaddr_in address = loopback(0);
  checked(::bind(socket.number(), generic(address), sizeof address), "bind");
  checked(::listen(socket.number(), longest_backlog), "listen");
  return socket;
}

std::uint16_t local_port(const Descriptor& socket) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  checked(::getsockname(socket.number(), reinterpret_cast<sockaddr*>(&address), &length), "getsockname");
  return ntohs(address.sin_port);
}

Descriptor accept_one(const Descriptor& listener) {
  const int result = ::accept4(listener.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (result < 0 && errno != EAGAIN && errno != EINTR) checked(result, "accept4");
  return Descriptor(result);
}

std::size_t send_some(const Descriptor& socket, const char* bytes, std::size_t size) {
  return moved(::send(socket.number(), bytes, size, MSG_NOSIGNAL), "the server broke a connection: send");
}

std::size_t receive_some(const Descriptor& socket, char* bytes, std::size_t size) {
  const ssize_t result = ::recv(socket.number(), bytes, size, 0);
  if (result == 0) throw std::runtime_error("the server ended a connection");
  return moved(result, "the server broke a connection: recv");
}

void end_output(const Descriptor& socket) { checked(::shutdown(socket.number(), SHUT_WR), "shutdown"); }

bool is_at_end(const Descriptor& socket) {
  char byte = 0;
  const ssize_t result = ::recv(socket.number(), &byte, sizeof byte, 0);
  if (moved(result, "the server broke a connection: recv") > 0) {
    throw std::runtime_error("wrong bytes: something came that nobody sent");
  }
  return result == 0;
}

}  // namespace bench
