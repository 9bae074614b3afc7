#include <algorithm>

#include "common/servers.hpp"
#include "libuv/echo.hpp"
#include "libuv/serve.hpp"

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

}  // namespace bench::uv

void serve_pieces(std::size_t size) {
  bench::uv::serve([size] { return new bench::uv::PiecesConnection(size); });
}
