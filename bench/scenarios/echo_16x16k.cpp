// Larger messages: what copying and partial writes cost.
#include "load/echo_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(20, [](const Scale&) {
  return Scenario{.name = "echo-16x16k",
                  .title = "Echo, 16 connections, 16 KiB",
                  .unit = "message",
                  .leading = Leading::cpu,
                  .server = "echo",
                  .settings = {},
                  .load = driven_by<EchoLoad>({.connections = 16, .size = 16 * 1024})};
});

}  // namespace

}  // namespace bench
