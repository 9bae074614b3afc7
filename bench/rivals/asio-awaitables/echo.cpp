#include "echo.hpp"

#include "common/servers.hpp"

namespace {

awaitable<> echo_for_ever(Socket socket) {
  const auto nothing = [] {};
  co_await echo(socket, nothing);
}

}  // namespace

void serve_echo() { serve_coroutines(echo_for_ever); }
