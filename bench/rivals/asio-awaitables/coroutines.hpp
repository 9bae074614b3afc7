#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>

#include "common-asio/listen.hpp"

namespace asio = boost::asio;

template <class T = void>
using awaitable = asio::awaitable<T, bench::Executor>;

// Errors come as values: the end of a connection is nothing exceptional.
using Token = asio::as_tuple_t<asio::use_awaitable_t<bench::Executor>>;
using Socket = Token::as_default_on_t<bench::Socket>;
using Clock = std::chrono::steady_clock;
using Timer = Token::as_default_on_t<asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, bench::Executor>>;

/// Runs `handler(Socket, settings...)`, a coroutine, for each connection.
template <class Handler, class... Settings>
void serve_coroutines(Handler handler, const Settings&... settings) {
  asio::io_context context(1);
  bench::run_server(context, [&context, handler, settings...](bench::Socket socket) {
    asio::co_spawn(context, handler(Socket(std::move(socket)), settings...), asio::detached);
  });
}
