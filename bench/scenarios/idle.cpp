// What a connection holds that says nothing.
#include <fmt/core.h>

#include "load/visit_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(90, [](const Scale& scale) {
  return Scenario{.name = "idle",
                  .title = fmt::format("Idle, {} connections", scale.idle_connections),
                  .unit = "connection",
                  .leading = Leading::bytes,
                  .server = "echo",
                  .settings = {},
                  .load = driven_by<VisitLoad>({.at_a_time = 64, .size = 64, .stay = scale.idle_connections})};
});

}  // namespace

}  // namespace bench
