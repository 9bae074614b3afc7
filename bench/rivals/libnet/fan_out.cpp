#include <libnet/server.hpp>

#include <boost/asio/awaitable.hpp>

#include <span>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "common/message_cutter.hpp"
#include "servers.hpp"

namespace event = libnet::event;

namespace {

std::span<const char> characters(libnet::Chunk chunk) { return std::string_view(chunk); }

/// Calls `on_full(Socket)` for those whose queue is full now.
template <class OnFull>
void deliver(const libnet::Server& server, std::span<const char> message, OnFull&& on_full) {
  const libnet::Bytes payload(std::string_view(message.data(), message.size()));
  for (libnet::Socket& member : server.sockets()) {
    if (member.writable() && !member.write(payload)) on_full(member);
  }
}

/// The members who listen. While the queue of one is full, nobody's messages are taken.
class Room {
 public:
  Room(libnet::Server server, std::size_t size) : server_(std::move(server)), size_(size) {}

  void enter(libnet::Socket socket) {
    if (!full_.empty()) socket.pause();
    socket.on(event::data, [this, cutter = bench::MessageCutter(size_)](libnet::Chunk chunk) mutable {
      cutter.feed(characters(chunk), [this](std::span<const char> message) { pass_on(message); });
    });
    socket.on(event::drain, [this, id = socket.id()] { has_room(id); });
    socket.on(event::close, [this, id = socket.id()](bool) { has_room(id); });
    socket.on(event::error, [](const libnet::Error&) {});  // a member that goes away is no news here
  }

 private:
  void pass_on(std::span<const char> message) {
    deliver(server_, message, [this](const libnet::Socket& member) { is_full(member.id()); });
  }

  void is_full(std::uint64_t id) {
    const bool first = full_.empty();
    full_.insert(id);
    if (!first) return;
    for (libnet::Socket& member : server_.sockets()) member.pause();
  }

  void has_room(std::uint64_t id) {
    if (full_.erase(id) == 0 || !full_.empty()) return;
    for (libnet::Socket& member : server_.sockets()) member.resume();
  }

  libnet::Server server_;
  std::size_t size_;
  std::unordered_set<std::uint64_t> full_;
};

/// Reads on when every member has room.
boost::asio::awaitable<void> fan_out(libnet::Socket socket, std::size_t size) {
  const libnet::Server server = socket.server().value();
  bench::MessageCutter cutter(size);
  std::vector<libnet::Socket> full;
  const auto pass_on = [&](std::span<const char> message) {
    deliver(server, message, [&](const libnet::Socket& member) { full.push_back(member); });
  };
  while (auto chunk = co_await socket.async_read()) {
    cutter.feed(characters(chunk), pass_on);
    for (libnet::Socket& member : full) co_await member.async_drain(libnet::as_tuple);
    full.clear();
  }
}

}  // namespace

void serve_fan_out(const Choices& choices, std::size_t size) {
  std::optional<Room> room;
  const auto listen = [&](libnet::Server& server) {
    room.emplace(server, size);
    server.on(event::connection, [&](libnet::Socket socket) { room->enter(std::move(socket)); });
  };
  const auto await = [size](libnet::Socket socket) { return fan_out(std::move(socket), size); };
  run_server(choices, listen, [&](libnet::Server& server) { server.serve(await); });
}
