#pragma once

#include <sched.h>

namespace bench {

/// Where the server and the load run.
struct Cores {
  int server = 0;
  int load = 0;

  bool are_shared() const noexcept { return server == load; }
};

/// The first two cores that this process may use; the same twice if there is only one.
Cores choose_cores();

/// This thread runs on one core only, as long as this lives.
class Pinned {
 public:
  explicit Pinned(int core);
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned();

 private:
  cpu_set_t before_;
};

}  // namespace bench
