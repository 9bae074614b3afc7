// Small messages in turn, counted in place of timed: what a server itself adds to the system calls of a message.
#include "load/echo_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(120, [](const Scale&) {
  return Scenario{.name = "echo-instructions",
                  .title = "Instructions of an echo, 64 connections, 64 B",
                  .unit = "message",
                  .leading = Leading::instructions,
                  .server = "echo",
                  .settings = {},
                  .load = driven_by<EchoLoad>({.connections = 64, .size = 64})};
});

}  // namespace

}  // namespace bench
