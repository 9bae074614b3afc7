#pragma once

#include <libnet/options.hpp>

#include <optional>
#include <stop_token>
#include <string>

namespace libnet::detail {

/// ConnectOptions with everything they point to.
class ConnectRequest {
 public:
  ConnectRequest(const ConnectOptions& options)
      : host(options.host),
        path(options.path),
        local_address(options.local_address),
        port(options.port),
        local_port(options.local_port),
        family(options.family),
        timeout(options.timeout) {
    if (options.stop != nullptr) stop = *options.stop;
  }

  std::string host;
  std::string path;
  std::string local_address;
  std::optional<int> port;
  std::optional<int> local_port;
  int family;
  std::chrono::milliseconds timeout;
  std::stop_token stop;
};

/// ListenOptions with everything they point to.
class ListenRequest {
 public:
  ListenRequest(const ListenOptions& options)
      : host(options.host),
        path(options.path),
        port(options.port),
        backlog(options.backlog),
        ipv6_only(options.ipv6_only),
        reuse_port(options.reuse_port) {
    if (options.stop != nullptr) stop = *options.stop;
  }

  std::string host;
  std::string path;
  std::optional<int> port;
  int backlog;
  bool ipv6_only;
  bool reuse_port;
  std::stop_token stop;
};

}  // namespace libnet::detail
