#pragma once

#include <libnet/address.hpp>
#include <libnet/error.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace libnet::core {
class LookupPromise;  // not exported
}

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// The host that is meant where none is named. Source: Node net `socket.connect`.
inline constexpr std::string_view default_host = "localhost";

/// What a name lookup is asked beside the name.
struct LookupOptions {
  int family = 0;   ///< 4, 6, or 0 for both.
  int hints = 0;    ///< AI_ADDRCONFIG, AI_V4MAPPED, AI_ALL of <netdb.h>, combined.
  bool all = true;  ///< Whether more than one address is of use.
};

/// One address that a lookup found.
struct LookupAddress {
  std::string address;  ///< IPv4 or IPv6 text.
  int family = 0;       ///< 4 or 6; 0: what the text is.
  /// The address itself, if it is known: the text is then for people alone, since the name of a zone may change. Its port
  /// is ignored.
  std::optional<SocketAddress> exact{};
};

/// Takes the answer of a lookup, once; further answers are ignored. Copies share it, and it may be called from any
/// thread. If all copies go without an answer, the lookup fails with operation_aborted.
class LookupAnswer {
 public:
  explicit LookupAnswer(std::shared_ptr<core::LookupPromise> promise) noexcept;
  LookupAnswer(const LookupAnswer& other) noexcept;
  LookupAnswer(LookupAnswer&& other) noexcept;
  LookupAnswer& operator=(const LookupAnswer& other) noexcept;
  LookupAnswer& operator=(LookupAnswer&& other) noexcept;
  ~LookupAnswer();

  /// It failed. The error reaches the user as it is; one without an operation is given "getaddrinfo" and the host.
  void operator()(const Error& error) const;
  void operator()(std::string_view address, int family = 0) const;
  /// An empty list is asio::error::host_not_found.
  void operator()(std::vector<LookupAddress> addresses) const;

  /// Whether somebody still waits for the answer.
  [[nodiscard]] bool wanted() const noexcept;

 private:
  std::shared_ptr<core::LookupPromise> promise_;
};

/// Finds the addresses of a host. Called inside the loop of the one who asks; may answer at once or later. What it throws
/// fails the lookup with Errc::listener_threw.
/// Source: Node net `socket.connect`, option `lookup`.
using Lookup = std::function<void(std::string_view host, const LookupOptions& options, LookupAnswer answer)>;

/// The lookup that is used if none is given: getaddrinfo(3) on threads of the process, which nobody has to wait for: a
/// getaddrinfo that hangs holds up neither cancellation nor the end of the program. Equal lookups that run at the same
/// time are one. The empty host is `default_host`.
///
/// At most 32 lookups that somebody waits for run at the same time; one that was given up holds up nobody, although its
/// thread hangs until the name server's time is up. There are at most 128 threads, made on demand; they block all signals.
/// Once 96 hang, a further one is taken only for a lookup that has waited for a while (1 ms, twice as much with every
/// second thread), so that lookups which are given up cannot take all of them. Without work four are kept.
/// Errors: asio's netdb and addrinfo codes; Errc::invalid_address for a host that contains NUL; EAGAIN if a thread is
/// needed and cannot be made: the next lookup tries again. Nothing is thrown.
void system_lookup(std::string_view host, const LookupOptions& options, LookupAnswer answer);

/// What the event 'lookup' tells: an address of the host, or the error.
struct LookupResult {
  Error error;
  std::string address;
  int family = 0;
  std::string host;
};

}  // namespace libnet

#pragma GCC visibility pop
