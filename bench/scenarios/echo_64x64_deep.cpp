// Small messages on each other's heels: one read brings several.
#include "load/echo_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(30, [](const Scale&) {
  return Scenario{.name = "echo-64x64-deep",
                  .title = "Echo, 64 connections, 64 B, 32 in flight",
                  .unit = "message",
                  .leading = Leading::cpu,
                  .server = "echo",
                  .settings = {},
                  .load = driven_by<EchoLoad>({.connections = 64, .size = 64, .in_flight = 32})};
});

}  // namespace

}  // namespace bench
