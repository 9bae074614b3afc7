#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "load.hpp"

namespace bench {

inline constexpr double gibibyte = 1024.0 * 1024.0 * 1024.0;

/// Connections that read what the server sends as fast as they can.
class StreamLoad : public Load {
 public:
  struct Settings {
    std::size_t connections = 4;
    std::size_t block = 65536;  ///< What the server sends again and again [bytes].
  };

  explicit StreamLoad(const Settings& settings) : pattern_(settings.block), sinks_(settings.connections) {}

  void connect(std::uint16_t port) override;
  double units() const override { return static_cast<double>(arrived_) / gibibyte; }

 private:
  struct Sink {
    Descriptor socket;
    std::uint64_t received = 0;  // [bytes]
  };

  void start() override {}
  void ready(void* watched, std::uint32_t events) override;
  bool is_settled() const override { return true; }  // the server waits as soon as nobody reads

  Pattern pattern_;
  std::vector<Sink> sinks_;
  std::uint64_t arrived_ = 0;  // [bytes]
};

}  // namespace bench
