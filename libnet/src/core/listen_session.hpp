#pragma once

#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

#include "core/operations.hpp"
#include "libnet/socket.hpp"

namespace libnet::core {

class Acceptor;
class Connection;

/// One listen() with its connections, until all of them are gone. A server may listen again before that: then the next
/// session has begun.
///
/// It counts the connections from accept on, and outlives its server as long as one of them needs it. Who closes a
/// connection lowers the count.
class ListenSession {
 public:
  explicit ListenSession(std::shared_ptr<Acceptor*> acceptor) : acceptor_(std::move(acceptor)) {}

  /// The server; null if it is gone.
  Acceptor* acceptor() const noexcept { return *acceptor_; }
  /// Emits 'handler_error'; false if nobody listens.
  bool report_handler_error(const Socket& socket, const std::exception_ptr& exception);

  std::size_t connections() const noexcept { return connections_; }
  void count_in() noexcept { ++connections_; }
  void count_out();
  /// One that was handed out has closed. Only the first call for a connection counts.
  void connection_gone(Connection& connection);

  void handler_started() noexcept { ++handlers_; }
  void handler_ended();

  bool finished() const noexcept { return connections_ == 0 && handlers_ == 0; }

  bool listened = false;  // false: what close() of a server that did not listen waits for
  OperationList closers;  // wait for the end of this session

 private:
  void tell_if_finished();

  std::shared_ptr<Acceptor*> acceptor_;
  std::size_t connections_ = 0;
  std::size_t handlers_ = 0;  // coroutines of `serve` that have not ended
};

/// The place of one accepted connection among those that its session counts. Given back when it is destroyed, unless it
/// was handed over to a Connection, which does that when it closes.
class Place {
 public:
  explicit Place(std::shared_ptr<ListenSession> session) noexcept : session_(std::move(session)) {
    session_->count_in();
  }
  Place(Place&&) noexcept = default;
  Place& operator=(Place&&) = delete;
  ~Place() { give_back(); }

  void give_back() {
    if (session_) std::exchange(session_, nullptr)->count_out();
  }
  const std::shared_ptr<ListenSession>& session() const noexcept { return session_; }
  std::shared_ptr<ListenSession> hand_over() noexcept { return std::move(session_); }

 private:
  std::shared_ptr<ListenSession> session_;
};

}  // namespace libnet::core
