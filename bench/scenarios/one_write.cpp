// What small-writes is compared with: the same bytes, written at once.
#include "load/echo_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(40, [](const Scale&) {
  return Scenario{.name = "one-write",
                  .title = "Echo, 16 connections, 2 KiB, one write",
                  .unit = "message",
                  .leading = Leading::cpu,
                  .server = "echo",
                  .settings = {},
                  .load = driven_by<EchoLoad>({.connections = 16, .size = 2 * 1024})};
});

}  // namespace

}  // namespace bench
