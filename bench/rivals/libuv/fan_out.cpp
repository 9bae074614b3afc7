#include <unordered_set>

#include "common/message_cutter.hpp"
#include "common/servers.hpp"
#include "libuv/serve.hpp"

namespace bench::uv {

namespace {

class Member;

/// All open connections. While one of them has not taken what it was sent, nobody is read: what waits is at most what one
/// read brings, a sender.
class Group {
 public:
  void join(Member& member) { members_.insert(&member); }
  void leave(Member& member) { members_.erase(&member); }
  void send(std::span<const char> message);
  void hold_back(Member& sender);
  void drained(Member& member);
  void forget(Member& member);

 private:
  std::unordered_set<Member*> members_;
  std::unordered_set<Member*> full_;
  std::unordered_set<Member*> paused_;
};

class Member : public Connection {
 public:
  Member(Group& group, std::size_t size) : group_(group), cutter_(size) { group_.join(*this); }

  using Connection::start_reading;
  using Connection::stop_reading;
  using Connection::write;

 private:
  void on_data(std::span<const char> bytes) override {
    cutter_.feed(bytes, [this](std::span<const char> message) { group_.send(message); });
    group_.hold_back(*this);
  }

  void on_end() override {
    group_.leave(*this);
    ending_ = true;
    if (!has_waiting()) close();
  }

  void on_drained() override {
    group_.drained(*this);
    if (ending_) close();
  }

  // Not on_close(): a connection that fails while a message goes round would leave under the group's feet.
  void on_closed() override {
    group_.forget(*this);
    delete this;
  }

  Group& group_;
  MessageCutter cutter_;
  bool ending_ = false;
};

void Group::send(std::span<const char> message) {
  Payload payload(message);
  for (Member* member : members_) {
    if (!member->write(payload)) full_.insert(member);
  }
}

void Group::hold_back(Member& sender) {
  if (full_.empty()) return;
  sender.stop_reading();
  paused_.insert(&sender);
}

void Group::drained(Member& member) {
  if (full_.erase(&member) == 0 || !full_.empty()) return;
  for (Member* sender : paused_) sender->start_reading();
  paused_.clear();
}

void Group::forget(Member& member) {
  members_.erase(&member);
  paused_.erase(&member);
  drained(member);
}

}  // namespace

}  // namespace bench::uv

void serve_fan_out(std::size_t size) {
  bench::uv::Group group;
  bench::uv::serve([&group, size] { return new bench::uv::Member(group, size); });
}
