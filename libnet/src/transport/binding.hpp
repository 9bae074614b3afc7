#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <sys/types.h>

#include "libnet/bound_socket.hpp"
#include "libnet/errc.hpp"

namespace libnet::transport {

/// The file of a Unix path. The process that made it removes it, as long as it is still that file.
class SocketFile {
 public:
  explicit SocketFile(const std::string& path);

  /// The path has been bound: the file that is there is ours. False if there is none, as for an abstract name.
  bool claim() noexcept;
  /// A child process, which has a copy of this, leaves the file alone.
  void remove() const noexcept;
  /// Absolute: the process may go to another directory.
  const std::string& path() const noexcept { return path_; }

 private:
  using Identity = std::pair<dev_t, ino_t>;
  std::optional<Identity> identify() const noexcept;

  std::string path_;
  std::optional<Identity> claimed_;
  pid_t maker_;
};

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
  /// Of a Unix path that was bound here.
  const std::optional<SocketFile>& file() const noexcept { return file_; }
  void close() noexcept;

 private:
  error_code apply(const BindOptions& options, Family family) const noexcept;
  error_code bind(const SocketAddress& address);
  error_code replace_stale_file(const SocketAddress& address);

  int descriptor_;
  std::optional<SocketAddress> address_;
  std::optional<SocketFile> file_;
};

}  // namespace libnet::transport
