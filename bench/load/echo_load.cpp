#include "echo_load.hpp"

#include <algorithm>

namespace bench {

EchoLoad::EchoLoad(const Settings& settings) : settings_(settings), connections_(settings.connections) {}

void EchoLoad::connect(std::uint16_t port) {
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    Connection& connection = connections_[i];
    connection.socket = start_connect(port);
    connection.begin = 17 * i;  // no two streams alike
    connection.sent_at.resize(settings_.in_flight);
    watch(connection.socket, &connection, EPOLLIN | EPOLLOUT | EPOLLET);
  }
}

void EchoLoad::start() {
  for (Connection& connection : connections_) send_more(connection);
}

void EchoLoad::ready(void* watched, std::uint32_t events) {
  Connection& connection = *static_cast<Connection*>(watched);
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) receive_answers(connection);
  send_more(connection);
}

bool EchoLoad::is_settled() const {
  return std::all_of(connections_.begin(), connections_.end(),
                     [](const Connection& connection) { return connection.received == connection.sent; });
}

bool EchoLoad::is_full() const {
  const std::uint64_t most = settings_.in_flight * settings_.size;
  return std::all_of(connections_.begin(), connections_.end(),
                     [&](const Connection& connection) { return connection.sent == connection.received + most; });
}

void EchoLoad::receive_answers(Connection& connection) {
  std::size_t size = 0;
  do {
    size = receive_checked(connection.socket, pattern_, connection.begin + connection.received);
    const std::uint64_t before = connection.received;
    connection.received += size;
    if (connection.received > connection.sent) throw std::runtime_error("wrong bytes: more came back than was sent");
    count_answers(connection, before);
  } while (size == Pattern::reach);
}

void EchoLoad::count_answers(Connection& connection, std::uint64_t before) {
  const Clock::time_point now = Clock::now();
  const std::uint64_t end = connection.received / settings_.size;
  for (std::uint64_t message = before / settings_.size; message < end; ++message) {
    latency_.record(now - connection.sent_at[message % settings_.in_flight]);
    ++answered_;
  }
}

void EchoLoad::send_more(Connection& connection) {
  for (;;) {
    const std::uint64_t into_message = connection.sent % settings_.size;
    const std::uint64_t message = connection.sent / settings_.size;
    if (into_message == 0) {
      if (!is_active() || message == connection.received / settings_.size + settings_.in_flight) return;
      connection.sent_at[message % settings_.in_flight] = Clock::now();
    }
    const char* bytes = pattern_.at(connection.begin + connection.sent);
    const std::size_t missing = settings_.size - into_message;
    const std::size_t sent = send_some(connection.socket, bytes, missing);
    connection.sent += sent;
    if (sent < missing) return;  // goes on when there is room
  }
}

}  // namespace bench
