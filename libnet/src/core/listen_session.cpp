#include "core/listen_session.hpp"

#include "core/acceptor.hpp"
#include "core/connection.hpp"

namespace libnet::core {

void ListenSession::count_out() {
  --connections_;
  tell_if_finished();
}

void ListenSession::connection_gone(Connection& connection) {
  if (!connection.detail::ListNode<Connection>::linked()) return;
  detail::List<Connection>::remove(connection);
  count_out();
}

void ListenSession::handler_ended() {
  --handlers_;
  tell_if_finished();
}

void ListenSession::tell_if_finished() {
  if (finished() && acceptor() != nullptr) acceptor()->session_finished();
}

bool ListenSession::report_handler_error(const Socket& socket, const std::exception_ptr& exception) {
  return acceptor() != nullptr && acceptor()->report_handler_error(socket, exception);
}

}  // namespace libnet::core
