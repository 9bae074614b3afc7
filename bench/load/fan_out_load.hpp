#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "load.hpp"

namespace bench {

/// One connection sends a message, all receive it; the next message goes when all have the last.
class FanOutLoad : public Load {
 public:
  struct Settings {
    std::size_t connections = 1000;
    std::size_t size = 1024;  ///< Of a message [bytes]; at most Pattern::reach.
  };

  explicit FanOutLoad(const Settings& settings) : settings_(settings), receivers_(settings.connections) {}

  /// Opens the connections and sends messages until one has come to all: only then all are known to the server.
  void connect(std::uint16_t port) override;
  double units() const override { return static_cast<double>(delivered_); }

 private:
  struct Receiver {
    Descriptor socket;
    bool joined = false;
    std::uint64_t received = 0;  // in the sender's stream, also when it joined late [bytes]
  };

  void start() override;
  void ready(void* watched, std::uint32_t events) override;
  bool is_settled() const override { return waiting_ == 0 && sent_ == messages_ * settings_.size; }

  void begin_message();
  void send_more();
  void receive_message(Receiver& receiver);
  void join(Receiver& receiver);
  std::uint64_t message_that_begins_with(char byte) const;

  Settings settings_;
  Pattern pattern_;
  std::vector<Receiver> receivers_;
  Clock::time_point begun_;      // the message that is under way
  std::uint64_t messages_ = 0;   // begun
  std::uint64_t sent_ = 0;       // [bytes]
  std::size_t waiting_ = 0;      // receivers that do not have the last message
  std::uint64_t delivered_ = 0;  // messages, by all receivers
};

}  // namespace bench
