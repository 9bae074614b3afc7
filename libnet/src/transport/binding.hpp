#pragma once

#include <memory>
#include <optional>
#include <utility>

#include <sys/types.h>

#include "libnet/bound_socket.hpp"
#include "libnet/errc.hpp"

namespace libnet::core {

/// AF_INET and so on.
int native_family(Family family) noexcept;

/// @name What a descriptor is
/// @{
bool is_stream_socket(int descriptor) noexcept;
bool is_listening(int descriptor) noexcept;
/// Neither connected now nor ever before: one that the peer has reset has no peer any more either.
bool was_never_connected(int descriptor) noexcept;
std::optional<SocketAddress> local_address(int descriptor);
void make_non_blocking(int descriptor) noexcept;
/// @}

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

}  // namespace libnet::core
