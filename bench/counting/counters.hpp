#pragma once

#include <atomic>
#include <cstdint>

namespace bench {

/// The environment variable that gives the counting library a descriptor of the file that holds the counters.
inline constexpr const char* counters_variable = "LIBNET_BENCH_COUNTERS";

/// Shared by the runner and the library in the server's process.
struct Counters {
  std::atomic<std::uint32_t> attached;     ///< Is the library there?
  std::atomic<std::uint64_t> allocations;  ///< Calls of malloc and its like.
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace bench
