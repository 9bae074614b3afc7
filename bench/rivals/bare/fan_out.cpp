#include <boost/intrusive/list.hpp>

#include "common/message_cutter.hpp"
#include "common/servers.hpp"
#include "connection.hpp"

namespace {

namespace intrusive = boost::intrusive;
using Hook = intrusive::list_base_hook<intrusive::link_mode<intrusive::auto_unlink>>;

constexpr std::size_t high_water_mark = 64 * 1024;  // [bytes] kept for a member that stop all input

class Member;

/// All open connections. While one of them lags behind, nobody's messages are taken.
class Room {
 public:
  void enter(Member& member) { members_.push_back(member); }
  void deliver(std::span<const char> message);
  void count_lagging(int change);
  bool lags() const { return lagging_ != 0; }

 private:
  intrusive::list<Member, intrusive::base_hook<Hook>, intrusive::constant_time_size<false>> members_;
  int lagging_ = 0;
};

class Member final : public Connection, public Hook {
 public:
  Member(Loop& loop, int descriptor, Room& room, std::size_t size)
      : Connection(loop, descriptor), room_(room), cutter_(size) {
    room_.enter(*this);
    update_interest();
  }

  void deliver(std::span<const char> message) {
    if (peer_ended()) return;
    send(message);
    notice_lag();
  }

  using Connection::update_interest;

 private:
  void on_received(std::span<const char> bytes) override {
    cutter_.feed(bytes, [this](std::span<const char> message) { room_.deliver(message); });
  }
  void on_flushed() override { notice_lag(); }
  void on_closed() override {
    unlink();
    notice_lag();
  }
  bool wants_input() const override { return !room_.lags(); }

  void notice_lag() {
    const bool lags = !retired() && kept() > high_water_mark;
    if (lags == lags_) return;
    lags_ = lags;
    room_.count_lagging(lags ? 1 : -1);
  }

  Room& room_;
  bench::MessageCutter cutter_;
  bool lags_ = false;
};

void Room::deliver(std::span<const char> message) {
  for (auto next = members_.begin(); next != members_.end();) {
    Member& member = *next++;  // a failing one leaves the room
    member.deliver(message);
  }
}

void Room::count_lagging(int change) {
  lagging_ += change;
  // A member that may not send is found out when it does; all may again at once.
  if (lagging_ != 0) return;
  for (Member& member : members_) member.update_interest();
}

}  // namespace

void serve_fan_out(std::size_t size) {
  Loop loop;
  Room room;
  listen_on_loopback(loop, [&](int descriptor) { new Member(loop, descriptor, room, size); });
  loop.run();
}
