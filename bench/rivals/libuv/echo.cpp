#include "libuv/echo.hpp"
#include "common/servers.hpp"
#include "libuv/serve.hpp"

void serve_echo() {
  bench::uv::serve([] { return new bench::uv::EchoConnection; });
}
