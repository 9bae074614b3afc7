#include <netinet/in.h>

#include "common/servers.hpp"
#include "libuv/serve.hpp"

namespace bench::uv {

namespace {

/// One of the two connections of a relay. When one closes, so does the other.
class Side : public Connection {
 public:
  void join(Side& other) {
    other_ = &other;
    other.other_ = this;
  }

 protected:
  void start_both() {
    start_reading();
    other_->start_reading();
  }

 private:
  void on_data(std::span<const char> bytes) override {
    if (!other_->write(bytes)) stop_reading();
  }

  void on_drained() override { other_->start_reading(); }

  /// Passes the end on behind all that waits; both ends passed on close the relay.
  void on_end() override {
    auto* request = new uv_shutdown_t{};
    const auto on_shut_down = [](uv_shutdown_t* shutdown, int status) {
      auto* side = static_cast<Side*>(shutdown->handle->data);
      delete shutdown;
      side->shut_down(status);
    };
    if (uv_shutdown(request, other_->as_stream(), on_shut_down) == 0) return;
    delete request;
    close();
  }

  void shut_down(int status) {
    if (is_closing()) return;
    is_shut_down_ = true;
    if (status < 0 || other_->is_shut_down_) close();
  }

  void on_close() override {
    if (other_ != nullptr) other_->close();
  }

  void on_closed() override {
    if (other_ != nullptr) other_->other_ = nullptr;
    delete this;
  }

  Side* other_ = nullptr;
  bool is_shut_down_ = false;
};

class UpstreamSide : public Side {
 public:
  void connect(const sockaddr_in& address) {
    request_.data = this;
    const auto on_connect = [](uv_connect_t* request, int status) {
      static_cast<UpstreamSide*>(request->data)->connected(status);
    };
    const int result = uv_tcp_connect(&request_, handle(), reinterpret_cast<const sockaddr*>(&address), on_connect);
    if (result != 0) close();
  }

 private:
  void connected(int status) {
    if (is_closing()) return;
    if (status < 0 || uv_tcp_nodelay(handle(), 1) < 0) {
      close();
    } else {
      start_both();
    }
  }

  uv_connect_t request_{};
};

class ClientSide : public Side {
 public:
  explicit ClientSide(const sockaddr_in& upstream) : upstream_(upstream) {}

 private:
  void on_accepted() override {
    auto* upstream = new UpstreamSide;
    join(*upstream);
    upstream->connect(upstream_);
  }

  const sockaddr_in& upstream_;
};

}  // namespace

}  // namespace bench::uv

void serve_relay(std::uint16_t upstream) {
  sockaddr_in address{};
  bench::uv::check(uv_ip4_addr("127.0.0.1", upstream, &address));
  bench::uv::serve([&address] { return new bench::uv::ClientSide(address); });
}
