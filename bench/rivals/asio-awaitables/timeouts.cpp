#include <boost/asio/experimental/awaitable_operators.hpp>

#include "common/servers.hpp"
#include "echo.hpp"

namespace {

using asio::experimental::awaitable_operators::operator||;

/// Ends when the deadline has passed, wherever that was moved meanwhile.
awaitable<> wait_until(const Clock::time_point& deadline, bench::Executor executor) {
  Timer timer(executor);
  while (Clock::now() < deadline) {
    timer.expires_at(deadline);
    co_await timer.async_wait();
  }
}

awaitable<> echo_until_silent(Socket socket, std::chrono::milliseconds idle) {
  Clock::time_point deadline = Clock::now() + idle;
  const auto move_deadline = [&deadline, idle] { deadline = Clock::now() + idle; };
  co_await (echo(socket, move_deadline) || wait_until(deadline, socket.get_executor()));
}

}  // namespace

void serve_timeouts(std::chrono::milliseconds idle) { serve_coroutines(echo_until_silent, idle); }
