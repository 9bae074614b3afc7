#pragma once

#include <libnet/address.hpp>
#include <libnet/bound_socket.hpp>
#include <libnet/error_code.hpp>
#include <libnet/options.hpp>

#include <optional>
#include <stop_token>
#include <string>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet::detail {

/// ConnectOptions with everything they point to.
class ConnectRequest {
 public:
  ConnectRequest(const ConnectOptions& options)
      : host(options.host.empty() ? default_host : options.host),
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
    if (options.bound != nullptr) bound = *options.bound;
    if (options.stop != nullptr) stop = *options.stop;
    if (options.address != nullptr) aim_at(*options.address);
  }

  std::string host;
  std::string path;
  std::optional<SocketAddress> address;  ///< Was given as such; then the text is for messages alone.
  std::string local_address;
  std::optional<int> port;
  std::optional<int> local_port;
  std::optional<BoundSocket> bound;
  int family;
  int hints;
  Lookup lookup;
  std::optional<bool> auto_select_family;
  std::optional<std::chrono::milliseconds> attempt_timeout;
  std::chrono::milliseconds timeout;
  std::stop_token stop;

 private:
  void aim_at(const SocketAddress& where) {
    const bool is_path = where.family() == Family::unix_path;
    (is_path ? path : host) = where.address();
    port = is_path ? std::nullopt : std::optional<int>(where.port());
    address = where;
  }
};

/// ListenOptions with everything they point to.
class ListenRequest {
 public:
  ListenRequest(const ListenOptions& options)
      : host(options.host),
        port(options.port),
        fd(options.fd),
        backlog(options.backlog),
        ipv6_only(options.ipv6_only),
        reuse_port(options.reuse_port),
        readable_all(options.readable_all),
        writable_all(options.writable_all) {
    if (options.path.data() != nullptr) path = options.path;
    if (options.lookup != nullptr) lookup = *options.lookup;
    if (options.bound != nullptr) bound = *options.bound;
    if (options.stop != nullptr) stop = *options.stop;
  }

  std::string host;
  std::optional<std::string> path;  ///< Unset is something else than empty: nobody named a path.
  std::optional<int> port;
  std::optional<int> fd;
  std::optional<BoundSocket> bound;
  error_code failure;  ///< What went wrong while the socket was made that it is to listen on.
  int backlog;
  bool ipv6_only;
  bool reuse_port;
  bool readable_all;
  bool writable_all;
  Lookup lookup;
  std::stop_token stop;
};

}  // namespace libnet::detail

#pragma GCC visibility pop
