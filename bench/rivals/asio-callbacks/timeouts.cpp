#include <boost/asio/basic_waitable_timer.hpp>

#include "common-asio/session.hpp"
#include "common/servers.hpp"

namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, bench::Executor>;

/// A message moves the deadline alone; the timer is set anew when it finds that it has gone off too early.
class TimedSession final : public bench::EchoSession<bench::Socket> {
 public:
  TimedSession(bench::Socket socket, std::chrono::milliseconds idle)
      : EchoSession(std::move(socket)), idle_(idle), timer_(stream().get_executor()) {}

  void start() {
    read();
    wait();
  }

 private:
  void before_read() override { deadline_ = Clock::now() + idle_; }

  void wait() {
    timer_.expires_at(deadline_);
    timer_.async_wait([this, weak = weak_from_this()](const bench::error_code& code) {
      const auto self = weak.lock();  // the timer must not keep what has ended
      if (!code && self) look();
    });
  }

  void look() {
    if (Clock::now() < deadline_) return wait();
    stream().close();
  }

  std::chrono::milliseconds idle_;
  Clock::time_point deadline_;
  Timer timer_;
};

}  // namespace

void serve_timeouts(std::chrono::milliseconds idle) {
  asio::io_context context(1);
  bench::run_server(context,
                    [&](bench::Socket socket) { std::make_shared<TimedSession>(std::move(socket), idle)->start(); });
}
