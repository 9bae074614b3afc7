#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/due_set.hpp"
#include "core/event_source.hpp"
#include "core/host_lookup.hpp"
#include "core/kept_options.hpp"
#include "core/listen_session.hpp"
#include "core/server_shard.hpp"
#include "core/stop_request.hpp"
#include "libnet/detail/requests.hpp"
#include "libnet/server.hpp"
#include "reactor/loop.hpp"
#include "transport/network.hpp"

namespace libnet::core {

class Connection;

/// The state of one server: resolves, listens, closes; its options, limits and sessions, and who wants its connections. What
/// it has on a loop is a ServerShard's. docs/design/0004 draws both.
class Acceptor final : public EventSource {
 public:
  Acceptor(std::shared_ptr<reactor::Loop> loop, const ServerOptions& options);

  static Acceptor& of(const Server& server) { return *server.acceptor_; }
  Server handle() { return Server(*this); }

  void listen(const detail::ListenRequest& request);
  void start_listen(detail::VoidOperation& operation, const detail::ListenRequest& request);
  void await_listening(std::unique_ptr<detail::Callable> listener);
  void start_accept(detail::AcceptOperation& operation);
  void set_handler(std::shared_ptr<detail::ConnectionHandler> handler);
  void handler_ended(Connection& connection, const std::exception_ptr& failure) noexcept;
  void close(detail::VoidOperation* operation);
  void start_wait(detail::EventOperation& operation, ServerEvent event);
  void start_count(detail::ResultOperation<std::size_t>& operation);
  ListenerId add_listener(ServerEvent event, std::unique_ptr<detail::Callable> listener,
                          detail::ListenerTable::Place place, bool once);

  bool listening() const noexcept { return shard_.listening(); }
  std::optional<SocketAddress> address() const { return shard_.address(); }
  /// From accept on, until they have closed.
  std::size_t connections() const noexcept;
  void set_max_connections(std::optional<std::size_t> limit) noexcept { max_connections_ = limit; }
  const std::optional<std::size_t>& max_connections() const noexcept { return max_connections_; }
  /// The open connections that were handed out: nobody may have a handle of the others yet.
  std::vector<Socket> sockets() { return shard_.sockets(); }
  /// What connections have to get through before they are handed out. To be called before `listen`.
  void require(Stages stages, const LobbyLimits& limits = {});
  const Error& error() const noexcept { return error_; }
  Error describe(const error_code& code, Operation::Kind kind) const;
  int native_handle() const noexcept { return shard_.native_handle(); }

  /// @name What a shard asks
  /// @{
  /// The running one.
  const std::shared_ptr<ListenSession>& session() const noexcept { return current_; }
  const ServerOptions& options() const noexcept { return *options_; }
  bool blocks(const std::optional<SocketAddress>& remote) const noexcept {
    return options_->block_list != nullptr && remote && options_->block_list->check(*remote);
  }
  std::shared_ptr<const SocketOptions> socket_options() const noexcept { return {options_, &options_->socket}; }
  /// Somebody wants a connection.
  bool wanted() const noexcept { return somebody_accepts() || serves(); }
  /// Somebody wants each one, also those that come ready after close().
  bool serves() const noexcept { return handler_ != nullptr || listens(index(ServerEvent::connection)); }
  bool full() const noexcept { return max_connections_ && connections() >= *max_connections_; }
  /// Whether who wants the next connection is a coroutine, whose end is the natural end of the connection.
  bool makes_half_open() const noexcept { return handler_ != nullptr || somebody_accepts(); }
  /// @}

  /// @name What shards and sessions tell
  /// @{
  void shard_has_news() { wake(); }
  void session_finished() { wake(); }
  /// Delivers what is due.
  void deliver_all();
  /// Hands a connection out to whom `wanted()` speaks of.
  void give(const Socket& socket) noexcept;
  /// Tells of a connection that is not handed out. Its transport may be null.
  void dropped(const transport::Transport* transport, DropReason reason, const Error& error);
  /// Says so at most once a second.
  void accept_failed(const error_code& code) noexcept;
  bool report_handler_error(const Socket& socket, const std::exception_ptr& exception) noexcept;
  /// @}

 private:
  enum class Due : std::uint8_t { listening, rest };

  ~Acceptor() override;

  static std::uint8_t index(ServerEvent event) noexcept { return static_cast<std::uint8_t>(event); }

  void step() override;
  void after_step() noexcept override;
  /// What is due still is.
  void memory_ran_out() noexcept override {}
  bool anything_due() const noexcept override;
  bool at_rest() const noexcept override { return !running() && closing_.empty(); }
  bool counts_as_work() const noexcept override { return running() || shard_.holds_guests(); }
  void listener_threw(std::exception_ptr exception) noexcept override;
  void abandon() noexcept override;
  error_code on_fork() override { return shard_.after_fork(); }
  void cancel(Operation& operation, asio::cancellation_type type, error_code reason) override;

  /// Between listen() and close() or its failure.
  bool running() const noexcept { return current_ != nullptr; }
  void mark(Due due);
  bool deliver_next();
  void deliver_listening();
  void deliver_failure();
  bool deliver_close();
  void come_to_rest();
  void look_up(const detail::ListenRequest& request);
  void resolved(const detail::ListenRequest& request, const Error& error, const std::vector<LookupAddress>& addresses);
  void open(const detail::ListenRequest& request);
  void open_listener(const SocketAddress& address, const detail::ListenRequest& request);
  void opened(const error_code& code, const SocketAddress* address = nullptr);
  void listen_failed(const Error& error) noexcept;
  void begin_session();
  void forget_session() noexcept;
  std::shared_ptr<ListenSession> stop_listening() noexcept;
  void forget_listen_callback() noexcept;
  void open_any(std::uint16_t port, const detail::ListenRequest& request);
  bool somebody_accepts() const noexcept { return !accepts_.empty(); }
  void report(const Error& error) noexcept;

  const std::shared_ptr<const Kept<ServerOptions>> options_;  // shared with the accepted sockets
  std::shared_ptr<Acceptor*> self_;                           // how sessions find this object, or see that it is gone
  std::shared_ptr<ListenSession> current_;
  std::vector<std::shared_ptr<ListenSession>> closing_;  // has room for the running one
  OperationList accepts_;                                // waiting, in order
  std::optional<std::size_t> max_connections_;
  std::shared_ptr<detail::ConnectionHandler> handler_;
  std::unique_ptr<HostLookup> lookup_;
  std::optional<StopRequest> stop_;
  struct Failure {
    Error error;
    bool received;  // by an operation
  };
  std::vector<Failure> failures_;  // of listen(), to be told; has room for that of the running session
  Error error_;                    // the last one
  std::optional<ListenerId> listen_callback_;
  std::optional<reactor::TimePoint> last_report_;  // of an accept error
  DueSet<Due> due_;
  ServerShard shard_;
};

}  // namespace libnet::core
