#pragma once

#include <exception>
#include <memory>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "libnet/detail/asio/coroutine.hpp"
#include "libnet/server.hpp"

namespace libnet::core {

namespace asio = boost::asio;

/// The coroutine of one connection under `serve`, with what it holds until it has ended.
class RunningHandler {
 public:
  /// Runs the handler's coroutine until it waits for the first time. To be called on the connection's executor.
  static void start(std::shared_ptr<detail::ConnectionHandler> handler, const Socket& socket);

  RunningHandler(RunningHandler&&) noexcept = default;
  RunningHandler& operator=(RunningHandler&&) = delete;
  ~RunningHandler();

 private:
  RunningHandler(std::shared_ptr<detail::ConnectionHandler> handler, const Socket& socket);

  /// asio::co_spawn would do as well, but its frame, of which every connection has one, is 200 bytes larger.
  static detail::EntryCoroutine run(asio::awaitable<void> coroutine, RunningHandler running);
  void ended(std::exception_ptr failure) const;

  std::shared_ptr<detail::ConnectionHandler> handler_;  // a lambda's captures have to outlive its coroutine
  Socket socket_;
  asio::any_io_executor work_;  // the executor's work does not end before the coroutine, as with co_spawn
};

}  // namespace libnet::core
