#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "core/event_source.hpp"
#include "core/host_lookup.hpp"
#include "core/kept_options.hpp"
#include "core/stop_request.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/server.hpp"
#include "reactor/loop.hpp"
#include "transport/network.hpp"

namespace libnet::core {

class Acceptor;
class Connection;

/// One listen() with its connections, until all of them are gone. A server may listen again before that: then the next
/// session has begun.
class ListenSession {
 public:
  explicit ListenSession(std::shared_ptr<Acceptor*> acceptor) : acceptor_(std::move(acceptor)) {}

  /// The server; null if it is gone.
  Acceptor* acceptor() const noexcept { return *acceptor_; }
  void connection_gone(Connection& connection);
  /// Emits 'handler_error'; false if nobody listens.
  bool report_handler_error(const Socket& socket, const std::exception_ptr& exception);
  bool finished() const noexcept { return connections == 0 && handlers == 0; }

  bool listened = false;        // false: what close() of a server that did not listen waits for
  std::size_t connections = 0;  // open ones
  std::size_t handlers = 0;     // coroutines of `serve` that have not ended
  OperationList closers;        // wait for the end of this session

 private:
  std::shared_ptr<Acceptor*> acceptor_;
};

/// The state of one server: resolves, listens, accepts when somebody wants it, closes. docs/design/0004 draws it.
class Acceptor final : public EventSource, private transport::Listener::Observer {
 public:
  Acceptor(std::shared_ptr<reactor::Loop> loop, const ServerOptions& options);

  static Acceptor& of(const Server& server) { return *server.acceptor_; }
  Server handle() { return Server(*this); }

  void listen(const detail::ListenRequest& request);
  void start_listen(detail::VoidOperation& operation, const detail::ListenRequest& request);
  void await_listening(std::unique_ptr<detail::Callable> listener);
  void start_accept(detail::AcceptOperation& operation);
  void set_handler(std::shared_ptr<detail::ConnectionHandler> handler);
  void handler_ended(Connection& connection, const std::exception_ptr& failure);
  void close(detail::VoidOperation* operation);
  void start_wait(detail::EventOperation& operation, ServerEvent event);
  void start_count(detail::ResultOperation<std::size_t>& operation);
  ListenerId add_listener(ServerEvent event, std::unique_ptr<detail::Callable> listener,
                          detail::ListenerTable::Place place, bool once);

  bool listening() const noexcept { return listener_ != nullptr; }
  std::optional<SocketAddress> address() const { return listener_ ? listener_->address() : std::nullopt; }
  std::size_t connections() const noexcept { return connection_count_; }
  void set_max_connections(std::optional<std::size_t> limit) noexcept { max_connections_ = limit; }
  const std::optional<std::size_t>& max_connections() const noexcept { return max_connections_; }
  std::vector<Socket> sockets();
  const Error& error() const noexcept { return error_; }
  Error describe(const error_code& code, Operation::Kind kind) const;
  int native_handle() const noexcept { return listener_ ? listener_->native_handle() : -1; }

 private:
  friend class ListenSession;

  /// Looks again for descriptors after accepting failed.
  class RetryTimer final : public reactor::Timer {
   public:
    explicit RetryTimer(Acceptor& acceptor) : acceptor_(acceptor) {}
    void on_timer() override { acceptor_.mark(due_accept); }

   private:
    Acceptor& acceptor_;
  };

  enum Due : std::uint8_t { due_listening = 1, due_accept = 2, due_rest = 4 };

  ~Acceptor() override;

  static std::uint8_t index(ServerEvent event) noexcept { return static_cast<std::uint8_t>(event); }

  void step() override;
  void after_step() override;
  bool anything_due() const noexcept override;
  bool at_rest() const noexcept override { return !running() && closing_.empty(); }
  bool counts_as_work() const noexcept override { return running(); }
  void listener_threw(std::exception_ptr exception) override;
  void abandon() noexcept override;
  void cancel(Operation& operation, asio::cancellation_type type, error_code reason) override;
  void on_listener_ready() override;

  /// Between listen() and close() or its failure.
  bool running() const noexcept { return current_ != nullptr; }
  void mark(int due);
  bool take(Due due) noexcept;
  bool deliver_next();
  void deliver_all();
  void deliver_listening();
  void deliver_failure();
  bool deliver_close();
  void come_to_rest();
  void look_up(const detail::ListenRequest& request);
  void resolved(const detail::ListenRequest& request, const Error& error, const std::vector<LookupAddress>& addresses);
  void open(const detail::ListenRequest& request);
  void open_listener(const SocketAddress& address, const detail::ListenRequest& request);
  template <class Where>
  error_code start_listening(const Where& where, const detail::ListenRequest& request);
  void opened(const error_code& code, const SocketAddress* address = nullptr);
  void listen_failed(const Error& error);
  std::shared_ptr<ListenSession> stop_listening();
  void forget_listen_callback();
  void open_any(std::uint16_t port, const detail::ListenRequest& request);
  bool somebody_accepts() const noexcept;
  bool wanted() const noexcept;
  bool full() const noexcept { return max_connections_ && connection_count_ >= *max_connections_; }
  void accept_some();
  bool accept_one();
  void accept_failed(const error_code& code);
  void deliver_connection(transport::Listener::Accepted& accepted);
  void give_connection(const Socket& socket);
  bool blocks(const SocketAddress* remote) const noexcept;
  Socket take_in(std::unique_ptr<transport::Transport> made);
  void report(const Error& error);
  bool report_handler_error(const Socket& socket, const std::exception_ptr& exception);

  const Kept<ServerOptions> options_;
  std::shared_ptr<const SocketOptions> socket_options_;  // shared by the accepted sockets
  std::unique_ptr<transport::Listener> listener_;        // while it listens
  std::shared_ptr<Acceptor*> self_;                      // how sessions find this object, or see that it is gone
  std::shared_ptr<ListenSession> current_;
  std::vector<std::shared_ptr<ListenSession>> closing_;
  OperationList accepts_;  // waiting, in order
  detail::List<Connection> connections_;
  std::size_t connection_count_ = 0;
  std::optional<std::size_t> max_connections_;
  std::shared_ptr<detail::ConnectionHandler> handler_;
  std::unique_ptr<HostLookup> lookup_;
  std::unique_ptr<RetryTimer> retry_;
  std::optional<StopRequest> stop_;
  struct Failure {
    Error error;
    bool received;  // by an operation
  };
  std::deque<Failure> failures_;  // of listen(), to be told
  Error error_;                   // the last one
  std::optional<ListenerId> listen_callback_;
  std::optional<reactor::TimePoint> last_report_;  // of an accept error
  std::uint8_t due_ = 0;
};

}  // namespace libnet::core
