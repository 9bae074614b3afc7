#include <cerrno>
#include <string>
#include <utility>

#include "core/acceptor.hpp"
#include "core/connection.hpp"
#include "core/log.hpp"
#include "core/running_handler.hpp"

namespace libnet::core {

namespace {

using namespace std::chrono_literals;

// Connections taken in one step; the sockets that are open get their turn between.
constexpr int accepts_per_step = 32;

// How often a server that ran out of descriptors looks again, and how often it says so at most.
constexpr auto retry_interval = 100ms;
constexpr auto report_interval = 1s;

/// The connection that failed is gone; the next one may be fine.
bool concerns_one_connection(int code) {
  switch (code) {
    case ECONNABORTED:
    case EPROTO:
    case EINTR:
    case EPERM:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH: return true;
    default: return false;
  }
}

std::string what(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

}  // namespace

bool Acceptor::somebody_accepts() const noexcept { return !accepts_.empty(); }

bool Acceptor::wanted() const noexcept {
  return somebody_accepts() || handler_ != nullptr || listens(index(ServerEvent::connection));
}

void Acceptor::start_accept(detail::AcceptOperation& operation) {
  if (handler_ || listens(index(ServerEvent::connection))) return finish(operation, Errc::busy);
  if (!running()) return finish(operation, Errc::not_running);
  accepts_.push_back(operation);
  watch_operation(operation, *this, *loop_);
  mark(due_accept);
}

void Acceptor::set_handler(std::shared_ptr<detail::ConnectionHandler> handler) {
  if (wanted()) throw SystemError(Error(Errc::busy, "serve"));
  handler_ = std::move(handler);
  mark(due_accept);
}

ListenerId Acceptor::add_listener(ServerEvent event, std::unique_ptr<detail::Callable> listener,
                                  detail::ListenerTable::Place place, bool once) {
  if (event == ServerEvent::connection) {
    if (handler_ || somebody_accepts()) throw SystemError(Error(Errc::busy, "accept"));
    mark(due_accept);
  }
  return listeners_.add(index(event), std::move(listener), place, once);
}

/// One after the other, each delivered before the next is taken: an accept that is cancelled has no connection yet.
void Acceptor::accept_some() {
  for (int i = 0; i < accepts_per_step; ++i) {
    if (!loop_->alive() || !listening() || !wanted() || !accept_one()) return;
    deliver_all();
  }
  mark(due_accept);
}

bool Acceptor::accept_one() {
  transport::Listener::Accepted accepted;
  const error_code code = listener_->accept(accepted);
  if (!code) {
    deliver_connection(accepted);
    return true;
  }
  if (code == boost::system::errc::resource_unavailable_try_again) return false;
  if (concerns_one_connection(code.value())) return true;
  accept_failed(code);
  return false;
}

/// Out of descriptors or memory: the connections wait in the backlog. Say so at most once a second, and look again soon.
void Acceptor::accept_failed(const error_code& code) {
  if (!retry_) retry_ = std::make_unique<RetryTimer>(*this);
  const reactor::TimePoint now = loop_->precise_now();
  loop_->start(*retry_, now + retry_interval);
  if (last_report_ && now - *last_report_ < report_interval) return;
  last_report_ = now;
  const auto local = address();
  error_ = Error(code, ErrorInfo{.operation = "accept", .local_address = local ? &*local : nullptr});
  report(error_);
}

void Acceptor::deliver_connection(transport::Listener::Accepted& accepted) {
  if (blocks(accepted.remote ? &*accepted.remote : nullptr)) return;
  auto made = std::move(accepted.transport);
  if (full()) return emit(index(ServerEvent::drop), DropInfo{made->local_address(), made->remote_address()});
  give_connection(take_in(std::move(made)));
}

bool Acceptor::blocks(const SocketAddress* remote) const noexcept {
  return options_.block_list != nullptr && remote != nullptr && options_.block_list->check(*remote);
}

/// Makes the socket of an accepted transport.
Socket Acceptor::take_in(std::unique_ptr<transport::Transport> made) {
  auto* connection = new Connection(loop_, socket_options_);
  Socket socket = connection->handle();
  connections_.push_back(*connection);
  ++connection_count_;
  ++current_->connections;
  connection->adopt_accepted(std::move(made), current_, handler_ != nullptr || somebody_accepts());
  if (options_.pause_on_connect) connection->pause();
  return socket;
}

void Acceptor::give_connection(const Socket& socket) {
  if (somebody_accepts()) {
    auto& operation = static_cast<detail::AcceptOperation&>(accepts_.pop_front());
    operation.results = socket;
    return finish(operation, {});
  }
  try {
    if (handler_) {
      ++current_->handlers;
      RunningHandler::start(handler_, socket);
    } else {
      const std::tuple<Socket> arguments(socket);
      listeners_.emit(index(ServerEvent::connection), &arguments);
    }
  } catch (...) {
    if (handler_) {
      handler_ended(Connection::of(socket), std::current_exception());
    } else {
      Connection::of(socket).listener_threw(std::current_exception());
    }
  }
}

void Acceptor::handler_ended(Connection& connection, const std::exception_ptr& failure) {
  const std::shared_ptr<ListenSession>& session = connection.session();
  if (failure) {
    connection.handler_failed(failure);
    if (!report_handler_error(connection.handle(), failure)) {
      log_error(connection.log_name() + ": serve handler: " + what(failure));
    }
  } else {
    connection.destroy_soon();
  }
  --session->handlers;
  if (session->finished()) wake();
}

}  // namespace libnet::core
