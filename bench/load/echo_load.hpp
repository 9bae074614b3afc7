#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "load.hpp"

namespace bench {

/// Connections that stay, each with some messages under way. Each message is sent by one call, and what comes back in
/// any pieces is compared. A message that came back sends the next.
class EchoLoad : public Load {
 public:
  struct Settings {
    std::size_t connections = 64;
    std::size_t size = 64;      ///< Of a message [bytes].
    std::size_t in_flight = 1;  ///< Messages of a connection.
  };

  explicit EchoLoad(const Settings& settings);

  void connect(std::uint16_t port) override;
  double units() const override { return static_cast<double>(answered_); }

 private:
  struct Connection {
    Descriptor socket;
    std::uint64_t begin = 0;                 // of its stream in the pattern
    std::uint64_t sent = 0;                  // [bytes]
    std::uint64_t received = 0;              // [bytes]
    std::vector<Clock::time_point> sent_at;  // of the messages under way, by their number modulo in_flight
  };

  void start() override;
  void ready(void* watched, std::uint32_t events) override;
  bool is_settled() const override;
  bool is_full() const override;

  void receive_answers(Connection& connection);
  void count_answers(Connection& connection, std::uint64_t before);
  void send_more(Connection& connection);

  Settings settings_;
  Pattern pattern_;
  std::vector<Connection> connections_;
  std::uint64_t answered_ = 0;  // [messages]
};

}  // namespace bench
