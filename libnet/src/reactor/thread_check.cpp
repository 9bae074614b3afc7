#include "reactor/thread_check.hpp"

#include <cstdio>
#include <cstdlib>
#include <exception>

namespace libnet::reactor {

void trap_wrong_thread(const char* function) {
  std::fprintf(stderr, "libnet: %s called from a thread that does not run the socket's executor\n", function);
  std::abort();
}

void end_for_second_thread() noexcept {
  std::fputs(
      "libnet: two threads are inside one loop at once: let one thread run its io_context, or use sockets of strands\n",
      stderr);
  std::terminate();
}

}  // namespace libnet::reactor
