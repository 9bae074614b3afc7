#include "libuv/echo.hpp"

#include "libuv/serve.hpp"
#include "libuv/servers.hpp"

namespace bench::uv {

void echo() {
  serve([] { return new EchoConnection; });
}

}  // namespace bench::uv
