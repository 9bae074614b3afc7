#include <algorithm>

#include "libuv/echo.hpp"
#include "libuv/serve.hpp"
#include "libuv/servers.hpp"

namespace bench::uv {

namespace {

class PiecesConnection : public EchoConnection {
 public:
  explicit PiecesConnection(std::size_t size) : size_(size) {}

 private:
  void on_data(std::span<const char> bytes) override {
    while (!bytes.empty()) {
      const std::size_t size = std::min(size_, bytes.size());
      EchoConnection::on_data(bytes.first(size));
      bytes = bytes.subspan(size);
    }
  }

  std::size_t size_;  // [bytes]
};

}  // namespace

void pieces(std::size_t size) {
  serve([size] { return new PiecesConnection(size); });
}

}  // namespace bench::uv
