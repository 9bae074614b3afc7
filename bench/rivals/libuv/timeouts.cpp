#include "common/servers.hpp"
#include "libuv/echo.hpp"
#include "libuv/serve.hpp"

namespace bench::uv {

namespace {

class TimeoutConnection : public EchoConnection {
 public:
  explicit TimeoutConnection(std::chrono::milliseconds idle) : idle_(static_cast<std::uint64_t>(idle.count())) {
    check(uv_timer_init(uv_default_loop(), &timer_));
    timer_.data = this;
    restart_timer();
  }

 private:
  void on_data(std::span<const char> bytes) override {
    restart_timer();
    EchoConnection::on_data(bytes);
  }

  void on_close() override { uv_timer_stop(&timer_); }

  void on_closed() override {
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
             [](uv_handle_t* timer) { delete static_cast<TimeoutConnection*>(timer->data); });
  }

  void restart_timer() {
    uv_timer_start(&timer_, [](uv_timer_t* timer) { static_cast<TimeoutConnection*>(timer->data)->close(); }, idle_, 0);
  }

  uv_timer_t timer_{};
  std::uint64_t idle_;  // [ms]
};

}  // namespace

}  // namespace bench::uv

void serve_timeouts(std::chrono::milliseconds idle) {
  bench::uv::serve([idle] { return new bench::uv::TimeoutConnection(idle); });
}
