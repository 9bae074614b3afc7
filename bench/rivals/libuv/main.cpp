// The rival written with libuv: one file a server.
#include <uv.h>

#include <string>

#include "common/rival.hpp"
#include "libuv/servers.hpp"

int main(int argc, char** argv) {
  return bench::run_rival(argc, argv,
                          {.program = "bench-libuv",
                           .version = std::string("libuv ") + uv_version_string(),
                           .echo = bench::uv::echo,
                           .pieces = bench::uv::pieces,
                           .timeouts = bench::uv::timeouts,
                           .stream = bench::uv::stream,
                           .fan_out = bench::uv::fan_out,
                           .relay = bench::uv::relay});
}
