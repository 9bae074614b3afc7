#include "common/servers.hpp"
#include "connection.hpp"

namespace {

class EchoConnection final : public Connection {
 public:
  using Connection::Connection;

 private:
  void on_received(std::span<const char> bytes) override { send(bytes); }
};

}  // namespace

void serve_echo() {
  Loop loop;
  listen_on_loopback(loop, [&](int descriptor) { new EchoConnection(loop, descriptor); });
  loop.run();
}
