// The rival written with libuv: one file a server.
#include <uv.h>

#include <string>

#include "common/servers.hpp"

int main(int argument_count, char** arguments) {
  return bench::run_rival(argument_count, arguments, "bench-libuv", std::string("libuv ") + uv_version_string());
}
