#pragma once

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

namespace libnet::detail {

/// True if this process has no other thread for certain: then a count needs no locked instruction. glibc tells; what is
/// done before it is false happens before all that another thread does.
inline bool only_thread() noexcept {
#if __has_include(<sys/single_threaded.h>)
  return __libc_single_threaded != 0;
#else
  return false;
#endif
}

}  // namespace libnet::detail
