#pragma once

#include <cstddef>
#include <memory>

#include <sys/types.h>

namespace libnet::transport {

/// A pipe of the kernel that bytes pass from one descriptor to another without being copied: splice(2).
class KernelPipe {
 public:
  /// A new pipe; null where there is none to be had: no splice on this system, or no descriptors left.
  static std::shared_ptr<KernelPipe> open() noexcept;

  KernelPipe(const KernelPipe&) = delete;
  KernelPipe& operator=(const KernelPipe&) = delete;
  ~KernelPipe();

  /// Bytes inside.
  std::size_t size() const noexcept { return size_; }

  /// Moves what can be read from a non-blocking descriptor into the pipe, which is empty.
  /// @return  As of read(2).
  ssize_t take_from(int descriptor) noexcept;

  /// Moves what is inside on into a non-blocking socket; never raises SIGPIPE.
  /// @return  As of send(2).
  ssize_t give_to(int descriptor) noexcept;

 private:
  KernelPipe(int output, int input) noexcept : output_(output), input_(input) {}

  int output_;
  int input_;
  std::size_t size_ = 0;
};

}  // namespace libnet::transport
