// Bulk bytes through the middle.
#include "load/relay_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(100, [](const Scale&) {
  return Scenario{.name = "relay",
                  .title = "Relay, 4 streams",
                  .unit = "GiB",
                  .leading = Leading::cpu,
                  .server = "relay",
                  .settings = {},
                  .load = driven_by<RelayLoad>({.streams = 4})};
});

}  // namespace

}  // namespace bench
