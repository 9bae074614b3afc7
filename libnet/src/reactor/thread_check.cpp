#include "reactor/thread_check.hpp"

#include <cstdio>
#include <cstdlib>

namespace libnet::reactor {

void trap_wrong_thread(const char* function) {
  std::fprintf(stderr, "libnet: %s called from a thread that does not run the socket's executor\n", function);
  std::abort();
}

}  // namespace libnet::reactor
