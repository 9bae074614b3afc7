#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <deque>
#include <memory>
#include <span>
#include <unordered_set>
#include <vector>

#include "common-asio/listen.hpp"
#include "common/message_cutter.hpp"

namespace bench {

/// Made once for all.
using Message = std::shared_ptr<const std::vector<char>>;

/// What waits to be sent to one member.
class MessageQueue {
 public:
  bool empty() const { return messages_.empty(); }
  bool is_full() const { return size_ > high_water_mark; }
  asio::const_buffer front() const { return asio::buffer(*messages_.front()); }

  void push(const Message& message) {
    messages_.push_back(message);
    size_ += message->size();
  }
  void pop() {
    size_ -= messages_.front()->size();
    messages_.pop_front();
  }

 private:
  std::deque<Message> messages_;
  std::size_t size_ = 0;  // [bytes]
};

/// All open connections, and those of them whose queue is full. While there is such a one, nobody reads.
template <class Member>
class Room {
 public:
  void enter(std::shared_ptr<Member> member) { members_.insert(std::move(member)); }
  /// Called by an operation of the member, which keeps it alive.
  void leave(Member& member) {
    members_.erase(member.shared_from_this());
    has_room(member);
  }

  void deliver(std::span<const char> bytes) {
    const auto message = std::make_shared<const std::vector<char>>(bytes.begin(), bytes.end());
    for (const auto& member : members_) member->deliver(message);
  }

  bool may_read() const { return full_.empty(); }
  void is_full(Member& member) { full_.insert(&member); }
  void has_room(Member& member) {
    if (full_.erase(&member) == 0 || !full_.empty()) return;
    for (const auto& each : members_) each->may_read_again();
  }

 private:
  std::unordered_set<std::shared_ptr<Member>> members_;  // owned: one that waits for others has no operation
  std::unordered_set<Member*> full_;
};

template <class Stream>
class MemberSession : public std::enable_shared_from_this<MemberSession<Stream>> {
 public:
  MemberSession(Stream stream, Room<MemberSession>& room, std::size_t size)
      : stream_(std::move(stream)), room_(room), cutter_(size) {}

  void start() {
    room_.enter(this->shared_from_this());
    read();
  }

  void deliver(const Message& message) {
    const bool idle = queue_.empty();
    queue_.push(message);
    if (queue_.is_full()) room_.is_full(*this);
    if (idle) write();
  }

  void may_read_again() {
    if (waits_) read();
  }

 private:
  void read() {
    waits_ = !room_.may_read();
    if (waits_) return;
    stream_.async_read_some(
        asio::buffer(buffer_),
        [self = this->shared_from_this()](const error_code& code, std::size_t size) { self->on_read(code, size); });
  }

  /// A member that ended its side leaves the room, but gets what is queued.
  void on_read(const error_code& code, std::size_t size) {
    if (code) return room_.leave(*this);
    cutter_.feed(std::span(buffer_).first(size), [this](std::span<const char> message) { room_.deliver(message); });
    read();
  }

  void write() {
    asio::async_write(stream_, queue_.front(), [self = this->shared_from_this()](const error_code& code, std::size_t) {
      self->on_written(code);
    });
  }

  void on_written(const error_code& code) {
    if (code) return room_.leave(*this);
    queue_.pop();
    if (!queue_.is_full()) room_.has_room(*this);
    if (!queue_.empty()) write();
  }

  Stream stream_;
  Room<MemberSession>& room_;
  MessageCutter cutter_;
  MessageQueue queue_;
  bool waits_ = false;  // to read, until all have room
  std::array<char, message_buffer_size> buffer_;
};

template <class Stream>
void serve_fan_out_sessions(std::size_t size) {
  using Member = MemberSession<Stream>;
  Room<Member> room;
  asio::io_context context(1);
  run_server(context, [&](Socket socket) { std::make_shared<Member>(Stream(std::move(socket)), room, size)->start(); });
}

}  // namespace bench
