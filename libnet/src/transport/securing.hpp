#pragma once

#include <memory>
#include <string>

#include "reactor/loop.hpp"
#include "transport/transport.hpp"

namespace libnet::transport {

/// Makes a secure transport over another one: all that core knows of TLS.
class Securing {
 public:
  Securing() = default;
  Securing(const Securing&) = delete;
  Securing& operator=(const Securing&) = delete;
  virtual ~Securing() = default;

  /// The handshake runs by itself, from tasks of `loop`, and needs no consumer. `progress()` of what is returned is
  /// `handshaking` first; the observer is told on_transport_progress(secure) from a task, never inside a call. If it fails,
  /// the transport tells its observer that it is ready, and try_read and try_write give the error; failure() says operation
  /// "handshake" and the detail.
  /// @param received  Input that `lower` gave before: the first bytes of the handshake.
  virtual std::unique_ptr<Transport> over(const std::shared_ptr<reactor::Loop>& loop, std::unique_ptr<Transport> lower,
                                          std::string received) const = 0;
};

}  // namespace libnet::transport
