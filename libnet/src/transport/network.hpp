#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "libnet/address.hpp"
#include "libnet/errc.hpp"
#include "libnet/lookup.hpp"
#include "transport/transport.hpp"

/// The door to the network: how listeners and connections come about.
///
/// Everything above this header makes connections through it and names no system call of sockets. The system's network is
/// one implementation, one in memory another; a loop says which of them its sockets use.
namespace libnet::transport {

/// Takes connections at one address. Destroying it stops the listening at once.
class Listener {
 public:
  /// Is told, from inside the loop and never from inside a call to the listener, that `accept` may succeed again.
  class Observer {
   public:
    virtual void on_listener_ready() = 0;

   protected:
    ~Observer() = default;
  };

  struct Accepted {
    std::unique_ptr<Transport> transport;
    std::optional<SocketAddress> remote;  ///< The peer may have reset already: later nobody could tell.
  };

  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  virtual ~Listener() = default;

  /// Takes one connection.
  /// Errors: operation_would_block if none waits: the observer is then told when that changes. Others: none was taken.
  virtual error_code accept(Accepted& accepted) = 0;

  virtual const std::optional<SocketAddress>& address() const noexcept = 0;
  /// The descriptor, or -1 if there is none.
  virtual int native_handle() const noexcept { return -1; }
};

/// One try to reach one address. Destroying it gives up.
class Attempt {
 public:
  class Observer {
   public:
    /// Inside the loop: `proceed()` may find something new.
    virtual void on_attempt_ready() = 0;

   protected:
    ~Observer() = default;
  };

  Attempt() = default;
  Attempt(const Attempt&) = delete;
  Attempt& operator=(const Attempt&) = delete;
  virtual ~Attempt() = default;

  /// Starts the attempt, or looks what has become of it.
  /// Errors: `operation_in_progress` while it runs; none: it is connected, and `connected` is set; others: it failed.
  virtual error_code proceed(std::unique_ptr<Transport>& connected) = 0;

  /// What the attempt is bound to by request; nothing if the system chooses.
  virtual std::optional<SocketAddress> local_address() const = 0;
};

}  // namespace libnet::transport
