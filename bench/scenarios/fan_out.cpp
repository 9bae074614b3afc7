// One message to many: is the payload shared?
#include <fmt/core.h>

#include "load/fan_out_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(70, [](const Scale& scale) {
  return Scenario{.name = "fan-out",
                  .title = fmt::format("Fan-out, 1 KiB to {} connections", scale.fan_out_connections),
                  .unit = "delivery",
                  .leading = Leading::cpu,
                  .server = "fan_out",
                  .settings = {"size=1024"},
                  .load = driven_by<FanOutLoad>({.connections = scale.fan_out_connections, .size = 1024})};
});

}  // namespace

}  // namespace bench
