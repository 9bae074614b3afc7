#include <boost/beast/core/tcp_stream.hpp>

#include "common-asio/session.hpp"
#include "common/servers.hpp"

namespace {

using boost::beast::tcp_stream;

/// The stream itself gives up what takes too long.
class TimedSession final : public bench::EchoSession<tcp_stream> {
 public:
  TimedSession(tcp_stream stream, std::chrono::milliseconds idle) : EchoSession(std::move(stream)), idle_(idle) {}

 private:
  void before_read() override { stream().expires_after(idle_); }

  std::chrono::milliseconds idle_;
};

}  // namespace

void serve_timeouts(std::chrono::milliseconds idle) { bench::serve_sessions<TimedSession, tcp_stream>(idle); }
