#include "core/running_handler.hpp"

#include <utility>

#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/prefer.hpp>

#include "core/acceptor.hpp"
#include "core/connection.hpp"

namespace libnet::core {

RunningHandler::RunningHandler(std::shared_ptr<detail::ConnectionHandler> handler, const Socket& socket)
    : handler_(std::move(handler)),
      socket_(socket),
      work_(asio::prefer(socket.get_executor(), asio::execution::outstanding_work.tracked)) {}

RunningHandler::~RunningHandler() {
  if (handler_) Connection::of(socket_).set_served_by(nullptr);
}

void RunningHandler::start(std::shared_ptr<detail::ConnectionHandler> handler, const Socket& socket) {
  Connection& connection = Connection::of(socket);
  Socket given(socket);
  asio::awaitable<void> coroutine = handler->handle(std::move(given));
  detail::launch(run(std::move(coroutine), RunningHandler(std::move(handler), socket)), connection.loop().executor(),
                 [&](detail::ChainId chain) { connection.set_served_by(chain); });
}

detail::EntryCoroutine RunningHandler::run(asio::awaitable<void> coroutine, RunningHandler running) {
  std::exception_ptr failure;
  try {
    co_await std::move(coroutine);
  } catch (...) {
    failure = std::current_exception();
  }
  running.ended(std::move(failure));
}

/// The coroutine is on the connection's executor, unless what it awaited last has resumed it somewhere else.
void RunningHandler::ended(std::exception_ptr failure) const {
  reactor::Loop& loop = Connection::of(socket_).loop();
  if (!loop.alive()) return;
  auto tell = [socket = socket_, reason = std::move(failure)] {
    Connection& connection = Connection::of(socket);
    Acceptor* const acceptor = connection.session()->acceptor();
    if (acceptor != nullptr && acceptor->loop().alive()) acceptor->handler_ended(connection, reason);
  };
  if (loop.runs_here()) return tell();  // where dispatch would do the same, after it has asked for memory
  asio::dispatch(loop.executor(), std::move(tell));
}

}  // namespace libnet::core
