// A protocol that writes field after field: are small writes gathered?
#include "load/echo_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(50, [](const Scale&) {
  return Scenario{.name = "small-writes",
                  .title = "Echo, 16 connections, 2 KiB, written in pieces of 64 B",
                  .unit = "message",
                  .leading = Leading::cpu,
                  .server = "pieces",
                  .settings = {"size=64"},
                  .load = driven_by<EchoLoad>({.connections = 16, .size = 2 * 1024})};
});

}  // namespace

}  // namespace bench
