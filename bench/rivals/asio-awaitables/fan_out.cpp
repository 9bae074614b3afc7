#include <boost/asio/experimental/awaitable_operators.hpp>

#include "common-asio/fan_out.hpp"
#include "common/servers.hpp"
#include "coroutines.hpp"

namespace {

using asio::experimental::awaitable_operators::operator&&;

/// Coroutines wait at it until another one wakes them.
class Bell {
 public:
  explicit Bell(const bench::Executor& executor) : timer_(executor, Clock::time_point::max()) {}

  auto async_wait() { return timer_.async_wait(); }
  void ring() { timer_.cancel(); }

 private:
  Timer timer_;
};

/// A member: one coroutine reads and hands on, another sends what is queued.
class Member : public std::enable_shared_from_this<Member> {
 public:
  using Room = bench::Room<Member>;

  Member(Socket socket, Room& room, std::size_t size)
      : socket_(std::move(socket)),
        room_(room),
        cutter_(size),
        queued_(socket_.get_executor()),
        all_have_room_(socket_.get_executor()) {}

  awaitable<> run() {
    room_.enter(shared_from_this());
    co_await (read() && write());
  }

  void deliver(const bench::Message& message) {
    if (queue_.empty()) queued_.ring();
    queue_.push(message);
    if (queue_.is_full()) room_.is_full(*this);
  }

  void may_read_again() { all_have_room_.ring(); }

 private:
  /// A member that ended its side leaves the room, but gets what is queued.
  awaitable<> read() {
    const auto hand_on = [this](std::span<const char> message) { room_.deliver(message); };
    std::array<char, bench::message_buffer_size> buffer;
    for (;;) {
      const auto [ended, size] = co_await socket_.async_read_some(asio::buffer(buffer));
      if (ended) break;
      cutter_.feed(std::span(buffer).first(size), hand_on);
      while (socket_.is_open() && !room_.may_read()) co_await all_have_room_.async_wait();
    }
    leave();
  }

  awaitable<> write() {
    while (is_member_ || !queue_.empty()) {
      if (queue_.empty()) {
        co_await queued_.async_wait();
        continue;
      }
      const auto [failed, written] = co_await asio::async_write(socket_, queue_.front());
      if (failed) break;
      queue_.pop();
      if (!queue_.is_full()) room_.has_room(*this);
    }
    close();
  }

  void leave() {
    if (!is_member_) return;
    is_member_ = false;
    room_.leave(*this);
    queued_.ring();
  }

  void close() {
    bench::error_code ignored;
    socket_.close(ignored);
    all_have_room_.ring();
    leave();
  }

  Socket socket_;
  Room& room_;
  bench::MessageCutter cutter_;
  bench::MessageQueue queue_;
  Bell queued_;
  Bell all_have_room_;
  bool is_member_ = true;
};

awaitable<> fan_out(Socket socket, Member::Room* room, std::size_t size) {
  const auto member = std::make_shared<Member>(std::move(socket), *room, size);
  co_await member->run();
}

}  // namespace

void serve_fan_out(std::size_t size) {
  Member::Room room;
  serve_coroutines(fan_out, &room, size);
}
