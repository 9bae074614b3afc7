#include "common/servers.hpp"
#include "libuv/serve.hpp"

namespace bench::uv {

namespace {

/// Writes the block with one request after the other. Their ends are reported by turns of the loop, so that a fast reader
/// does not starve the others.
class StreamConnection : public Connection {
 public:
  explicit StreamConnection(std::vector<char>& block)
      : block_(uv_buf_init(block.data(), static_cast<unsigned>(block.size()))) {}

 private:
  void on_accepted() override {
    start_reading();
    send_block();
  }

  void on_data(std::span<const char>) override {}

  void send_block() {
    request_.data = this;
    const auto on_written = [](uv_write_t* request, int status) {
      static_cast<StreamConnection*>(request->data)->block_written(status);
    };
    if (uv_write(&request_, as_stream(), &block_, 1, on_written) != 0) close();
  }

  void block_written(int status) {
    if (is_closing()) return;
    if (status < 0) {
      close();
    } else {
      send_block();
    }
  }

  uv_write_t request_{};
  uv_buf_t block_;
};

}  // namespace

}  // namespace bench::uv

void serve_stream(std::size_t block_size) {
  std::vector<char> block = bench::make_block(block_size);
  bench::uv::serve([&block] { return new bench::uv::StreamConnection(block); });
}
