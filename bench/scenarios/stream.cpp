// Bulk output to readers that are as fast as they can be.
#include "load/stream_load.hpp"
#include "scenario.hpp"

namespace bench {

namespace {

const Registered registered(60, [](const Scale&) {
  return Scenario{.name = "stream",
                  .title = "Stream to 4 connections",
                  .unit = "GiB",
                  .leading = Leading::cpu,
                  .server = "stream",
                  .settings = {"block=65536"},
                  .load = driven_by<StreamLoad>({.connections = 4, .block = 65536})};
});

}  // namespace

}  // namespace bench
