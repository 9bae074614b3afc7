#pragma once

#include <cerrno>
#include <optional>
#include <utility>

#include <sys/socket.h>

#include "libnet/address.hpp"
#include "libnet/errc.hpp"

/// The system calls on sockets that are not about moving bytes. Nothing else in the library names one, but the name
/// lookup: scripts/check-layers sees to it.
namespace libnet::transport {

/// A signal may interrupt a call before it did anything.
template <class Call>
auto uninterrupted(Call call) noexcept {
  decltype(call()) result;
  do {
    result = call();
  } while (result < 0 && errno == EINTR);
  return result;
}

/// Owns a descriptor, or none (-1).
class Descriptor {
 public:
  Descriptor() noexcept = default;
  explicit Descriptor(int descriptor) noexcept : descriptor_(descriptor) {}
  Descriptor(Descriptor&& other) noexcept : descriptor_(other.release()) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Descriptor();

  int get() const noexcept { return descriptor_; }
  /// It becomes the caller's.
  int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_ = -1;
};

/// @name How sockets come about
/// @{
/// A non-blocking stream socket that programs started later do not inherit.
error_code open_stream(Family family, Descriptor& made) noexcept;
/// Errors: EINVAL also for a path that is too long.
error_code bind_to(int descriptor, const SocketAddress& address) noexcept;
error_code listen_on(int descriptor, int backlog) noexcept;
/// @param remote  Where the peer's address goes; null if nobody wants it.
error_code accept_from(int listener, Descriptor& accepted, std::optional<SocketAddress>* remote) noexcept;
/// Errors: EINPROGRESS while it goes on; EINVAL also for a path that is too long.
error_code connect_to(int descriptor, const SocketAddress& address) noexcept;
/// Whether a socket of whatever process is bound to the file of a Unix path, listening or not. Also true where that cannot
/// be told.
bool is_bound_to(const SocketAddress& path) noexcept;
/// @}

/// @name What a descriptor is
/// @{
bool is_stream_socket(int descriptor) noexcept;
bool is_listening(int descriptor) noexcept;
bool is_unix_socket(int descriptor) noexcept;
/// Something can be read or accepted now, or an error is to be had.
bool is_readable(int descriptor) noexcept;
bool is_connected(int descriptor) noexcept;
/// Neither connected now nor ever before: one that the peer has reset has no peer any more either.
bool was_never_connected(int descriptor) noexcept;
std::optional<SocketAddress> local_address(int descriptor);
/// In the kernel's form. False if it does not know the address (any more).
bool local_address(int descriptor, sockaddr* address, socklen_t size) noexcept;
bool remote_address(int descriptor, sockaddr* address, socklen_t size) noexcept;
/// @}

/// @name Options
/// @{
/// Makes somebody's descriptor non-blocking; unless it is kept, it becomes again what it was.
class MadeNonBlocking {
 public:
  explicit MadeNonBlocking(int descriptor) noexcept;
  MadeNonBlocking(const MadeNonBlocking&) = delete;
  MadeNonBlocking& operator=(const MadeNonBlocking&) = delete;
  ~MadeNonBlocking();

  /// Why it could not be done.
  const error_code& error() const noexcept { return error_; }
  void keep() noexcept { changed_ = false; }

 private:
  int descriptor_;
  bool changed_ = false;
  error_code error_;
};
error_code set_option(int descriptor, int level, int name, int value) noexcept;
/// Nothing if this kind of socket does not have the option.
std::optional<int> option(int descriptor, int level, int name) noexcept;
/// The error that the kernel holds for the next call, or 0. It tells it only once.
int take_pending_error(int descriptor) noexcept;
/// Discards what was not sent, and the peer sees a reset; where the system can do that only as it closes, when the last
/// process has closed the descriptor.
void reset_connection(int descriptor) noexcept;
/// @}

}  // namespace libnet::transport
