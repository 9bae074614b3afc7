// A deadline that moves with every message: what does moving it cost?
#include "load/echo_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(110, [](const Scale&) {
  return Scenario{.name = "timeouts",
                  .title = "Echo with an idle timeout, 64 connections, 64 B",
                  .unit = "message",
                  .leading = Leading::cpu,
                  .server = "timeouts",
                  .settings = {"idle=30000"},
                  .load = driven_by<EchoLoad>({.connections = 64, .size = 64})};
});

}  // namespace

}  // namespace bench
