#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <sys/types.h>

#include "libnet/bound_socket.hpp"
#include "libnet/errc.hpp"

namespace libnet::transport {

/// The state of a BoundSocket: a bound descriptor until somebody takes it, and the socket file that was made for it.
class Binding {
 public:
  /// Binds a new descriptor. A stale socket file is replaced.
  static error_code bind(const SocketAddress& address, const BindOptions& options, BoundSocket& made);
  /// Takes a descriptor over; whatever file it is bound to is somebody else's.
  static BoundSocket adopt(int descriptor);
  static Binding* of(const BoundSocket& bound) noexcept { return bound.binding_.get(); }

  explicit Binding(int descriptor) noexcept : descriptor_(descriptor) {}
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;
  ~Binding() { close(); }

  int descriptor() const noexcept { return descriptor_; }
  /// The descriptor becomes the caller's.
  int take() noexcept { return std::exchange(descriptor_, -1); }
  /// Of a descriptor that was taken: nothing has become of it.
  void give_back(int descriptor) noexcept { descriptor_ = descriptor; }
  const std::optional<SocketAddress>& address() const noexcept { return address_; }
  void close() noexcept;

 private:
  error_code apply(const BindOptions& options, Family family) const noexcept;
  error_code bind(const SocketAddress& address);

  int descriptor_;
  std::optional<SocketAddress> address_;
  std::optional<std::pair<dev_t, ino_t>> file_;  // of a Unix path
};

}  // namespace libnet::transport
