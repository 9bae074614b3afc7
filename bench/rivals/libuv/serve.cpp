#include "libuv/serve.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstdint>
#include <utility>

#include "common/rival.hpp"

namespace bench::uv {

namespace {

std::function<Connection*()> make_connection;

void listen_on_loopback(uv_tcp_t& listener) {
  sockaddr_in address{};
  check(uv_ip4_addr("127.0.0.1", 0, &address));
  check(uv_tcp_init(uv_default_loop(), &listener));
  check(uv_tcp_bind(&listener, reinterpret_cast<sockaddr*>(&address), 0));
  const auto on_connection = [](uv_stream_t* stream, int status) {
    if (status == 0) make_connection()->accept_from(stream);
  };
  check(uv_listen(reinterpret_cast<uv_stream_t*>(&listener), backlog, on_connection));
}

std::uint16_t port_of(const uv_tcp_t& listener) {
  sockaddr_in address{};
  int length = sizeof address;
  check(uv_tcp_getsockname(&listener, reinterpret_cast<sockaddr*>(&address), &length));
  return ntohs(address.sin_port);
}

}  // namespace

void serve(std::function<Connection*()> make) {
  make_connection = std::move(make);
  uv_tcp_t listener{};
  listen_on_loopback(listener);
  announce(port_of(listener));
  check(uv_run(uv_default_loop(), UV_RUN_DEFAULT));
}

}  // namespace bench::uv
