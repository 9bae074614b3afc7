#pragma once

#include <libnet/lookup.hpp>
#include <libnet/milliseconds.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string_view>
#include <type_traits>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

class BlockList;
class BoundSocket;
class Server;
class SocketAddress;

/// What happens to a write that finds `max_buffered` bytes in the queue.
enum class OverflowPolicy : std::uint8_t {
  fail_write,  ///< Only that write fails, with Errc::overflow.
  destroy,     ///< The connection fails with Errc::overflow; nothing more is sent.
};

/// TCP keep-alive. What is 0 leaves the kernel's value as it is. The kernel takes 1 to 32,767 whole seconds and 1 to 127
/// probes: what is more becomes the most, and a fraction of a second is cut.
struct KeepAlive {
  bool enable = false;
  std::chrono::milliseconds initial_delay{0};  ///< Idle time before the first probe; less than a second counts as 0.
  std::chrono::milliseconds interval{0};       ///< Time between probes; less than a second counts as one. Not negative.
  int count = 0;                               ///< Unanswered probes before the connection is given up. Not negative.

  friend bool operator==(const KeepAlive&, const KeepAlive&) = default;
};

/// How a socket behaves. Copied by the constructor of the socket, or of the server whose accepted sockets get it.
/// The longest duration means no limit.
struct SocketOptions {
  /// Whether our side stays open after the peer's end. Unset: true for sockets from `serve`, `async_accept` and
  /// `async_connect`, false otherwise, as in Node.
  std::optional<bool> allow_half_open{};
  std::size_t high_water_mark = 64 * 1024;  ///< [bytes] queued at which `write()` returns false.
  std::size_t low_water_mark = 0;  ///< [bytes] queued at or below which 'drain' fires; not above the other mark.
  /// [bytes] queued at which a further write fails. Unset: 64 MiB, or twice the high-water mark if that is more. One that
  /// is set is not below the high-water mark: marks that contradict each other throw Errc::invalid_argument.
  std::optional<std::size_t> max_buffered{};
  OverflowPolicy on_overflow = OverflowPolicy::fail_write;
  std::size_t linger_bytes = 1024 * 1024;  ///< [bytes] of input discarded at most after our end was sent.
  Milliseconds linger_time{2000};          ///< How long closing waits for a peer that does not move.
  bool no_delay = false;                   ///< TCP_NODELAY, set once when the connection exists.
  bool keep_alive = false;
  std::chrono::milliseconds keep_alive_initial_delay{0};
  Milliseconds timeout{0};               ///< As `set_timeout`; 0: none.
  std::optional<int> type_of_service{};  ///< As `set_type_of_service`, 0..255.
  /// A stream socket to take over; the socket's from then on, unless the constructor throws. If it is not connected,
  /// the first `connect()` uses it, with the address it is bound to. Not for the sockets of a server.
  std::optional<int> fd{};
  /// What it does not connect to: such an address counts as an attempt that failed with Errc::ip_blocked. Copied, and
  /// as copies share their rules, later changes count from the next attempt on. A Unix path is never blocked.
  const BlockList* block_list = nullptr;
};

/// How `Socket::pipe` passes bytes on.
struct PipeOptions {
  bool end = true;  ///< The end of the source ends the destination's side as well.
};

/// How a server behaves. Copied by the server's constructor.
struct ServerOptions {
  /// What accepted sockets get. Its block list is theirs, for a later `connect()`.
  SocketOptions socket{};
  bool pause_on_connect = false;  ///< Accepted sockets start paused.
  /// Whom it does not serve: such a connection is closed at once, with neither 'connection' nor 'drop'. Copied, and as
  /// copies share their rules, later changes count from the next connection on.
  const BlockList* block_list = nullptr;
};

/// Where to connect. Views are copied before the call returns.
struct ConnectOptions {
  std::string_view host = default_host;    ///< Name or IP address; used with `port`. Empty: the default.
  std::optional<int> port{};               ///< 0..65535; wins over `path`.
  std::string_view path{};                 ///< Unix-domain socket.
  const SocketAddress* address = nullptr;  ///< As `Server::address` gives it; wins over the three above. Copied.
  int family = 0;                          ///< 4, 6, or 0 for both.
  std::string_view local_address{};        ///< IP address to bind to.
  std::optional<int> local_port{};
  const Lookup* lookup = nullptr;  ///< Finds the addresses of `host`; copied. None: `system_lookup`.
  int hints = 0;                   ///< For the lookup: AI_ADDRCONFIG, AI_V4MAPPED, AI_ALL of <netdb.h>.
  /// Whether all addresses of a host are tried; false: only the first. Unset: `default_auto_select_family()`.
  std::optional<bool> auto_select_family{};
  /// How long an attempt has before the next one starts beside it; 1..9 ms count as 10 ms.
  /// Unset: `default_auto_select_family_attempt_timeout()`.
  std::optional<Milliseconds> auto_select_family_attempt_timeout{};
  /// A socket that is bound already, to connect from in place of `local_address` and `local_port`. Its descriptor is
  /// used up by the attempt: of a name's addresses only the first of its family is tried.
  const BoundSocket* bound = nullptr;
  Milliseconds timeout{0};                ///< For lookup and all attempts together; 0: none.
  const std::stop_token* stop = nullptr;  ///< Cancels the connecting; copied. May be stopped from any thread.
};

namespace detail {

/// The port that a text stands for, as in Node: any whole decimal number. One that no port can be is 65536, which is refused
/// where it is used.
constexpr std::optional<int> port_of(std::string_view text) noexcept {
  int port = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    port = std::min(10 * port + (digit - '0'), 65536);
  }
  return text.empty() ? std::nullopt : std::optional(port);
}

/// A port or a path.
template <class Options>
constexpr Options options_of(std::string_view text) noexcept {
  Options options;
  options.port = port_of(text);
  if (!options.port) options.path = text;
  return options;
}

}  // namespace detail

/// Where to connect, in short: a port of this machine, the path of a Unix-domain socket, or an address. Views what it is
/// made of. Text that is a whole decimal number is a port, also one above 65535, which is refused; the path of such a name
/// is "./8080" or ConnectOptions::path.
class ConnectTarget {
 public:
  ConnectTarget(int port) noexcept : options_{.port = port} {}
  template <class Path>
    requires std::is_convertible_v<const Path&, std::string_view>
  ConnectTarget(const Path& path) : options_(detail::options_of<ConnectOptions>(path)) {}
  ConnectTarget(const SocketAddress& address) noexcept : options_{.address = &address} {}

  /// What the port, the path or the address means.
  [[nodiscard]] const ConnectOptions& options() const noexcept { return options_; }

 private:
  ConnectOptions options_;
};

/// How a BoundSocket is bound. Ignored for Unix paths.
struct BindOptions {
  bool ipv6_only = false;   ///< On '::': leave IPv4 to others.
  bool reuse_port = false;  ///< Share the port with others who say so too; the system spreads the connections.
};

/// How many connections wait in the kernel until they are accepted, unless a server says so. Node's number.
inline constexpr int default_backlog = 511;

/// Where to listen: an address, a path, or a socket that is there already. Views are copied before the call returns.
struct ListenOptions {
  std::string_view host{};    ///< Unset: all addresses, '::' where IPv6 exists, else '0.0.0.0'.
  std::optional<int> port{};  ///< 0 or unset: the system picks one. Wins over `path`.
  std::string_view path{};    ///< Unix-domain socket. Unset is a view without data; one that is only empty is refused.
  /// A bound stream socket, as a parent process or a service manager passes it on; in place of an address. The server's
  /// from the moment it listens; if that fails, the caller's as before. One that listens already keeps its backlog.
  std::optional<int> fd{};
  const BoundSocket* bound = nullptr;     ///< A socket bound by this process; in place of an address.
  int backlog = default_backlog;          ///< Connections that wait in the kernel.
  bool ipv6_only = false;                 ///< On '::': leave IPv4 to others.
  bool reuse_port = false;                ///< Share the port with others who say so too.
  bool readable_all = false;              ///< Everybody may read the socket file of a path; else the umask decides.
  bool writable_all = false;              ///< Everybody may write to it, and so connect.
  const Lookup* lookup = nullptr;         ///< Finds the address of `host`; copied. None: `system_lookup`.
  const std::stop_token* stop = nullptr;  ///< Closes the server; copied. May be stopped from any thread.
};

/// Where to listen, in short: a port, the path of a Unix-domain socket, a socket that is bound already, or where another
/// server listens. Views what it is made of. Text that is a whole decimal number is a port, as in ConnectTarget.
class ListenTarget {
 public:
  ListenTarget(int port) noexcept : options_{.port = port} {}
  template <class Path>
    requires std::is_convertible_v<const Path&, std::string_view>
  ListenTarget(const Path& path) : options_(detail::options_of<ListenOptions>(path)) {}
  ListenTarget(const BoundSocket& bound) noexcept : options_{.bound = &bound} {}
  ListenTarget(const Server& other) noexcept : other_(&other) {}

  /// Null if it is something else.
  [[nodiscard]] const Server* other() const noexcept { return other_; }
  /// What the port, the path or the bound socket means.
  [[nodiscard]] const ListenOptions& options() const noexcept { return options_; }

 private:
  ListenOptions options_;
  const Server* other_ = nullptr;
};

// g++ 12 destroys a temporary aggregate with a non-trivial member twice inside a co_await expression.
static_assert(std::is_trivially_destructible_v<SocketOptions> && std::is_trivially_destructible_v<ServerOptions>);
static_assert(std::is_trivially_destructible_v<PipeOptions>);
static_assert(std::is_trivially_destructible_v<ConnectOptions> && std::is_trivially_destructible_v<ListenOptions>);
static_assert(std::is_trivially_destructible_v<ConnectTarget> && std::is_trivially_destructible_v<ListenTarget>);

}  // namespace libnet

#pragma GCC visibility pop
