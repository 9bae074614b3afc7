#include "fan_out_load.hpp"

#include <stdexcept>

namespace bench {

namespace {

// For a message to come to those the server knows, before the next is sent to find the others.
constexpr std::chrono::milliseconds joining_time{50};

}  // namespace

void FanOutLoad::connect(std::uint16_t port) {
  for (Receiver& receiver : receivers_) {
    receiver.socket = start_connect(port);
    watch(receiver.socket, &receiver, EPOLLIN | EPOLLOUT | EPOLLET);
  }
  const Clock::time_point limit = Clock::now() + patience();
  do {
    if (Clock::now() > limit) throw std::runtime_error("a message did not come to all connections");
    begin_message();
    const Clock::time_point until = Clock::now() + joining_time;
    while (!is_settled() && Clock::now() < until) turn(until);
  } while (!is_settled());
}

void FanOutLoad::start() {
  if (is_settled()) begin_message();
}

void FanOutLoad::begin_message() {
  ++messages_;
  waiting_ = receivers_.size();
  begun_ = Clock::now();
  send_more();
}

void FanOutLoad::send_more() {
  const std::uint64_t end = messages_ * settings_.size;
  if (sent_ < end) sent_ += send_some(receivers_.front().socket, pattern_.at(sent_), end - sent_);
}

void FanOutLoad::ready(void* watched, std::uint32_t events) {
  Receiver& receiver = *static_cast<Receiver*>(watched);
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) receive_message(receiver);
  if (&receiver == &receivers_.front() && (events & EPOLLOUT) != 0) send_more();
  if (is_active() && is_settled()) begin_message();
}

void FanOutLoad::receive_message(Receiver& receiver) {
  const std::size_t size = receive(receiver.socket);
  if (size == 0) return;
  if (!receiver.joined) join(receiver);
  check(pattern_, receiver.received, size);
  const std::uint64_t before = receiver.received / settings_.size;
  receiver.received += size;
  const std::uint64_t whole = receiver.received / settings_.size;
  if (whole > messages_) throw std::runtime_error("wrong bytes: more came than was sent");
  delivered_ += whole - before;
  if (whole == before || whole < messages_) return;
  latency_.record(Clock::now() - begun_);
  --waiting_;
}

void FanOutLoad::join(Receiver& receiver) {
  receiver.joined = true;
  receiver.received = message_that_begins_with(*buffer()) * settings_.size;
}

std::uint64_t FanOutLoad::message_that_begins_with(char byte) const {
  for (std::uint64_t message = 0; message < messages_; ++message) {
    if (*pattern_.at(message * settings_.size) == byte) return message;
  }
  throw std::runtime_error("wrong bytes: no message begins like that");
}

}  // namespace bench
