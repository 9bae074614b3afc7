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
        hints(options.hints),
        auto_select_family(options.auto_select_family),
        attempt_timeout(options.auto_select_family_attempt_timeout),
        timeout(options.timeout) {
    if (options.lookup != nullptr) lookup = *options.lookup;
    if (options.stop != nullptr) stop = *options.stop;
  }

  std::string host;
  std::string path;
  std::string local_address;
  std::optional<int> port;
  std::optional<int> local_port;
  int family;
  int hints;
  Lookup lookup;
  std::optional<bool> auto_select_family;
  std::optional<std::chrono::milliseconds> attempt_timeout;
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
    if (options.lookup != nullptr) lookup = *options.lookup;
    if (options.stop != nullptr) stop = *options.stop;
  }

  std::string host;
  std::string path;
  std::optional<int> port;
  int backlog;
  bool ipv6_only;
  bool reuse_port;
  Lookup lookup;
  std::stop_token stop;
};

}  // namespace libnet::detail
