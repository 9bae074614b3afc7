#include <boost/intrusive/list.hpp>

#include "common/servers.hpp"
#include "connection.hpp"

namespace {

namespace intrusive = boost::intrusive;
using Clock = std::chrono::steady_clock;
using Hook = intrusive::list_base_hook<intrusive::link_mode<intrusive::auto_unlink>>;

class TimedConnection;
using Connections = intrusive::list<TimedConnection, intrusive::base_hook<Hook>, intrusive::constant_time_size<false>>;

class TimedConnection final : public Connection, public Hook {
 public:
  TimedConnection(Loop& loop, int descriptor, Connections& by_activity)
      : Connection(loop, descriptor), by_activity_(by_activity) {
    by_activity_.push_back(*this);
  }

  Clock::time_point last_activity() const { return last_activity_; }

 private:
  void on_received(std::span<const char> bytes) override {
    last_activity_ = Clock::now();
    by_activity_.splice(by_activity_.end(), by_activity_, Connections::s_iterator_to(*this));
    send(bytes);
  }
  void on_closed() override { unlink(); }

  Connections& by_activity_;
  Clock::time_point last_activity_ = Clock::now();
};

/// Closes what has been silent for too long.
/// @return How long the next one has left [ms], at least; -1: there is none.
int close_silent(Connections& by_activity, std::chrono::milliseconds idle) {
  while (!by_activity.empty()) {
    const auto left = by_activity.front().last_activity() + idle - Clock::now();
    if (left > Clock::duration::zero()) {
      return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
    }
    by_activity.front().close();
  }
  return -1;
}

}  // namespace

void serve_timeouts(std::chrono::milliseconds idle) {
  Loop loop;
  Connections by_activity;
  listen_on_loopback(loop, [&](int descriptor) { new TimedConnection(loop, descriptor, by_activity); });
  loop.run([&] { return close_silent(by_activity, idle); });
}
