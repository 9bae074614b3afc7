#include "core/server_shard.hpp"

#include <chrono>
#include <new>
#include <utility>

#include "core/acceptor.hpp"
#include "core/connection.hpp"
#include "reactor/fairness.hpp"

namespace libnet::core {

namespace {

using namespace std::chrono_literals;

// How soon a server looks again after accepting failed.
constexpr auto retry_interval = 100ms;

/// The connection was gone before it could be taken, or a signal came: the next one may be fine.
bool is_passed_over(const error_code& code) {
  return code == boost::system::errc::connection_aborted || code == boost::system::errc::protocol_error ||
         code == boost::system::errc::interrupted;
}

}  // namespace

ServerShard::ServerShard(std::shared_ptr<reactor::Loop> loop, Acceptor& server)
    : loop_(std::move(loop)), server_(server) {}

ServerShard::~ServerShard() {
  while (!connections_.empty()) detail::List<Connection>::remove(connections_.front());
}

void ServerShard::require(std::shared_ptr<const Stages> stages, const LobbyLimits& limits) {
  lobby_.reset();
  if (stages->empty()) return;
  lobby_ = std::make_unique<Lobby>(loop_, std::move(stages), limits, static_cast<Lobby::Client&>(*this));
}

void ServerShard::look() {
  look_ = true;
  server_.shard_has_news();
}

void ServerShard::on_listener_ready() {
  look();
  if (!may_accept()) listener_->pass_on();  // the lobby is full
}

void ServerShard::on_lobby_news() { server_.shard_has_news(); }

void ServerShard::stop_listening() noexcept {
  listener_.reset();
  retry_.stop();
  look_ = false;
  leftovers_ = holds_guests();
}

void ServerShard::abandon() noexcept {
  stop_listening();
  lobby_.reset();
}

error_code ServerShard::after_fork() {
  const error_code of_guests = lobby_ ? lobby_->after_fork() : error_code();
  return listener_ ? listener_->after_fork() : of_guests;
}

std::vector<Socket> ServerShard::sockets() {
  std::vector<Socket> open;
  open.reserve(server_.connections());
  connections_.for_each([&](Connection& connection) { open.push_back(connection.handle()); });
  return open;
}

// --- steps ---------------------------------------------------------------------------------------------------------

void ServerShard::step() {
  int passed_over = 0;
  for (int taken = 0; taken < reactor::accepts_per_step; ++taken) {
    if (!take_one(passed_over)) return;
    server_.deliver_all();
    if (!loop_->alive()) return;
  }
}

/// False if there is nothing to take for now. A connection for which there is no memory is lost, and the next one follows.
bool ServerShard::take_one(int& passed_over) noexcept try {
  return (lobby_ && take_from_lobby()) || (may_accept() && accept_one(passed_over));
} catch (const std::bad_alloc&) {
  server_.accept_failed(detail::out_of_memory());
  return true;
}

bool ServerShard::lobby_due() const noexcept {
  return lobby_->has_refused() || (lobby_->has_ready() && server_.wanted()) || (leftovers_ && !server_.serves());
}

/// After close() nobody is left to whom what remains could be given, unless there is a listener or a handler.
bool ServerShard::take_from_lobby() {
  if (leftovers_ && !server_.serves()) {
    leftovers_ = false;
    lobby_->refuse_all_but(server_.session().get());
  }
  if (const auto refused = lobby_->take_refused()) {
    refused->place.give_back();
    server_.dropped(refused->transport.get(), refused->reason, refused->error);
    return true;
  }
  if (!server_.wanted()) return false;
  const auto ready = lobby_->take_ready();
  if (!ready) return false;
  hand_out(std::move(ready->transport), std::move(ready->place));
  return true;
}

// --- accepting -----------------------------------------------------------------------------------------------------

/// False if there is nothing to accept for now.
/// @param passed_over  How many errors this step has passed over.
bool ServerShard::accept_one(int& passed_over) {
  look_ = listening() && server_.wanted();
  if (!look_) {
    if (listening()) listener_->pass_on();
    return false;
  }
  transport::Listener::Accepted accepted;
  if (const error_code code = listener_->accept(accepted)) return nothing_accepted(code, passed_over);
  if (!server_.blocks(accepted.remote)) arrived(std::move(accepted.transport));
  return true;
}

/// True if the next accept may find a connection nevertheless. After any other error, and after one that fills a whole
/// step, the server looks again a little later: the connections may wait in the backlog (no descriptors, no memory), and
/// with an edge nobody would tell of them again; or the next call would fail as this one did, for ever.
bool ServerShard::nothing_accepted(const error_code& code, int& passed_over) {
  if (is_passed_over(code) && ++passed_over < reactor::accepts_per_step) return true;
  look_ = false;
  if (code == boost::system::errc::operation_would_block) return false;
  loop_->start(retry_, loop_->precise_now() + retry_interval);
  server_.accept_failed(code);
  return false;
}

void ServerShard::arrived(std::unique_ptr<transport::Transport> transport) {
  if (server_.full()) return server_.dropped(transport.get(), DropReason::max_connections, {});
  Place place(server_.session());
  if (lobby_) {
    lobby_->admit(std::move(transport), std::move(place));
  } else {
    hand_out(std::move(transport), std::move(place));
  }
}

/// Only now a Connection comes into being: it gets the options, and counts until it closes.
void ServerShard::hand_out(std::unique_ptr<transport::Transport> transport, Place place) {
  auto* connection = new Connection(loop_, server_.socket_options());
  const Socket socket = connection->handle();
  connections_.push_back(*connection);
  connection->adopt_accepted(std::move(transport), place.hand_over(), server_.makes_half_open());
  if (server_.options().pause_on_connect) connection->pause();
  server_.give(socket);
}

}  // namespace libnet::core
