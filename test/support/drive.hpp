#pragma once

#include <chrono>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

namespace libnet::test {

/// Runs the context until `done()` holds. False if that did not come about in time.
template <class Condition>
[[nodiscard]] bool drive_until(boost::asio::io_context& context, Condition done,
                               std::chrono::steady_clock::duration limit = std::chrono::seconds(20)) {
  const auto guard = boost::asio::make_work_guard(context);
  const auto deadline = std::chrono::steady_clock::now() + limit;
  context.restart();
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    context.run_one_until(deadline);
  }
  return true;
}

/// Runs what is ready now, until nothing is.
inline void drive_ready(boost::asio::io_context& context) {
  const auto guard = boost::asio::make_work_guard(context);
  context.restart();
  while (context.poll() > 0) {
  }
}

}  // namespace libnet::test
