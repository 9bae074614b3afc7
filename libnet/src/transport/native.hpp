#pragma once

#include <cstddef>
#include <span>

#include <sys/uio.h>

#include "libnet/errc.hpp"

/// Small things that transports share about the operating system's types.
namespace libnet::transport {

/// The error_code of an errno.
inline error_code system_error(int code) noexcept { return {code, boost::system::system_category()}; }

/// The length of a gather list [bytes].
inline std::size_t total_size(std::span<const iovec> buffers) noexcept {
  std::size_t total = 0;
  for (const iovec& buffer : buffers) total += buffer.iov_len;
  return total;
}

}  // namespace libnet::transport
