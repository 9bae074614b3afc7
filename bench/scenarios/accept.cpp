// How fast connections come and go.
#include "load/visit_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(80, [](const Scale&) {
  return Scenario{.name = "accept",
                  .title = "Connections, 64 at a time, one 64 B message each",
                  .unit = "connection",
                  .leading = Leading::rate,
                  .server = "echo",
                  .settings = {},
                  .load = driven_by<VisitLoad>({.at_a_time = 64, .size = 64})};
});

}  // namespace

}  // namespace bench
