#pragma once

#include <span>

#include "libuv/connection.hpp"

namespace bench::uv {

/// Sends back what it receives; reads no further while the peer has not taken it.
class EchoConnection : public Connection {
 protected:
  void on_data(std::span<const char> bytes) override {
    if (!write(bytes)) stop_reading();
  }
  void on_drained() override { start_reading(); }
};

}  // namespace bench::uv
