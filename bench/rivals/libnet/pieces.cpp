#include <libnet/server.hpp>

#include <boost/asio/awaitable.hpp>

#include <string_view>

#include "servers.hpp"

namespace event = libnet::event;

namespace {

std::string_view take_piece(std::string_view& rest, std::size_t size) {
  const std::string_view piece = rest.substr(0, size);
  rest.remove_prefix(piece.size());
  return piece;
}

void echo_pieces_by_listeners(libnet::Socket socket, std::size_t size) {
  socket.on(event::data, [socket, size](libnet::Chunk chunk) mutable {
    bool has_room = true;
    for (std::string_view rest = chunk; !rest.empty();) has_room = socket.write(take_piece(rest, size));
    if (!has_room) socket.pause();
  });
  socket.on(event::drain, [socket]() mutable { socket.resume(); });
}

boost::asio::awaitable<void> echo_pieces(libnet::Socket socket, std::size_t size) {
  while (auto chunk = co_await socket.async_read()) {
    for (std::string_view rest = chunk; !rest.empty();) {
      if (!socket.write(take_piece(rest, size))) co_await socket.async_drain();
    }
  }
}

}  // namespace

void serve_pieces(const Choices& choices, std::size_t size) {
  const auto listen = [size](libnet::Socket socket) { echo_pieces_by_listeners(std::move(socket), size); };
  const auto await = [size](libnet::Socket socket) { return echo_pieces(std::move(socket), size); };
  run_server(
      choices, [&](libnet::Server& server) { server.on(event::connection, listen); },
      [&](libnet::Server& server) { server.serve(await); });
}
