#pragma once

#include <libnet/reactor.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace libnet {
class Server;
struct SocketOptions;
}  // namespace libnet

struct Choices {
  bool awaits = false;  ///< Coroutines, or else listeners.
  libnet::ReactorKind reactor = libnet::ReactorKind::epoll;
};

void serve_echo(const Choices& choices);
void serve_pieces(const Choices& choices, std::size_t size);
void serve_timeouts(const Choices& choices, std::chrono::milliseconds idle);
void serve_stream(const Choices& choices, std::size_t block);
void serve_fan_out(const Choices& choices, std::size_t size);
void serve_relay(const Choices& choices, std::uint16_t upstream);

/// How a server takes its connections.
using Start = std::function<void(libnet::Server&)>;

/// Runs the server that `by_listeners` or `by_coroutines` starts. `accepted` is what its sockets get beside no_delay.
void run_server(const Choices& choices, const Start& by_listeners, const Start& by_coroutines);
void run_server(const Choices& choices, libnet::SocketOptions accepted, const Start& by_listeners,
                const Start& by_coroutines);
