#include "cores.hpp"

#include <vector>

#include "load/sockets.hpp"

namespace bench {

namespace {

cpu_set_t allowed_cores() {
  cpu_set_t cores;
  checked(::sched_getaffinity(0, sizeof cores, &cores), "sched_getaffinity");
  return cores;
}

}  // namespace

Cores choose_cores() {
  const cpu_set_t allowed = allowed_cores();
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &allowed)) cores.push_back(core);
  }
  return {.server = cores.front(), .load = cores.size() > 1 ? cores[1] : cores.front()};
}

Pinned::Pinned(int core) : before_(allowed_cores()) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(core, &only);
  checked(::sched_setaffinity(0, sizeof only, &only), "sched_setaffinity");
}

Pinned::~Pinned() { ::sched_setaffinity(0, sizeof before_, &before_); }

}  // namespace bench
