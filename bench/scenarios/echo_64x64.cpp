// Small messages in turn: what a message costs that hardly carries anything.
#include "load/echo_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(10, [](const Scale&) {
  return Scenario{.name = "echo-64x64",
                  .title = "Echo, 64 connections, 64 B",
                  .unit = "message",
                  .leading = Leading::cpu,
                  .server = "echo",
                  .settings = {},
                  .load = driven_by<EchoLoad>({.connections = 64, .size = 64})};
});

}  // namespace

}  // namespace bench
