#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "core/lobby.hpp"
#include "libnet/detail/intrusive_list.hpp"
#include "libnet/socket.hpp"
#include "reactor/loop.hpp"
#include "transport/network.hpp"

namespace libnet::core {

class Acceptor;
class Connection;

/// A server's share on one loop: what it listens with there, who waits in its lobby there, and the connections that were
/// handed out there. What belongs to the server as a whole (options, limits, who wants connections, sessions, events) is the
/// Acceptor's.
///
/// A server has one share so far, which takes its steps within those of the Acceptor.
class ServerShard final : private transport::Listener::Observer, private Lobby::Client {
 public:
  ServerShard(std::shared_ptr<reactor::Loop> loop, Acceptor& server);
  ServerShard(const ServerShard&) = delete;
  ServerShard& operator=(const ServerShard&) = delete;
  ~ServerShard();

  /// Listens here: at an address, on a BoundSocket, or on a descriptor.
  template <class Where>
  error_code listen(const Where& where, const transport::ListenerOptions& options) {
    const error_code code = transport::Network::of(*loop_).listen(loop_, where, options, listener_);
    if (!code) listener_->observe(this);
    return code;
  }
  bool listening() const noexcept { return listener_ != nullptr; }
  std::optional<SocketAddress> address() const { return listener_ ? listener_->address() : std::nullopt; }
  int native_handle() const noexcept { return listener_ ? listener_->native_handle() : -1; }

  /// What later accepted connections have to get through before they are handed out. No stages: no lobby.
  void require(std::shared_ptr<const Stages> stages, const LobbyLimits& limits);

  /// A connection may wait in the backlog, or somebody wants one who did not before.
  void look();
  /// Closes the listener at once. Who is in the lobby goes on.
  void stop_listening() noexcept;
  /// The io_context ends.
  void abandon() noexcept;
  /// In a child process.
  error_code after_fork();

  /// Something can be done now.
  bool due() const noexcept { return may_accept() || (lobby_ && lobby_due()); }
  /// Takes connections, or tells why they are not handed out. One after the other, each delivered before the next is taken.
  void step();

  /// Connections that nobody has a handle of wait here.
  bool holds_guests() const noexcept { return lobby_ && !lobby_->empty(); }
  /// Those that were handed out and are open.
  std::vector<Socket> sockets();

 private:
  /// Looks again after accepting failed.
  class RetryTimer final : public reactor::Timer {
   public:
    explicit RetryTimer(ServerShard& shard) : shard_(shard) {}
    void on_timer() override { shard_.look(); }

   private:
    ServerShard& shard_;
  };

  void on_listener_ready() override;
  void on_lobby_news() override;

  bool may_accept() const noexcept { return look_ && (!lobby_ || !lobby_->full()); }
  bool lobby_due() const noexcept;
  bool take_from_lobby();
  bool take_one(int& passed_over) noexcept;
  bool accept_one(int& passed_over);
  bool nothing_accepted(const error_code& code, int& passed_over);
  void arrived(std::unique_ptr<transport::Transport> transport);
  void hand_out(std::unique_ptr<transport::Transport> transport, Place place);

  std::shared_ptr<reactor::Loop> loop_;
  Acceptor& server_;
  std::unique_ptr<transport::Listener> listener_;  // while it listens
  std::unique_ptr<Lobby> lobby_;                   // of a server with stages
  detail::List<Connection> connections_;           // handed out
  RetryTimer retry_{*this};
  bool look_ = false;       // the next accept may find a connection
  bool leftovers_ = false;  // since a close() the lobby may hold connections of an earlier session
};

}  // namespace libnet::core
