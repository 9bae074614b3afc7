#include "load.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "interruption.hpp"

namespace bench {

namespace {

// An interruption is noticed within it.
constexpr std::chrono::milliseconds longest_wait{250};

int wait_time(Clock::time_point now, Clock::time_point until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now);
  return static_cast<int>(std::clamp(left, std::chrono::milliseconds::zero(), longest_wait).count());
}

}  // namespace

Load::Load() : set_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}

void Load::exchange(Clock::time_point until) {
  if (!active_) progress_ = Clock::now();
  active_ = true;
  start();
  const double before = units();
  while (!is_complete()) {
    const bool is_over = Clock::now() >= until;
    if (is_over && units() != before) return;
    turn(is_over ? Clock::time_point::max() : until);
  }
}

void Load::begin_round() {
  active_ = true;
  progress_ = Clock::now();
  start();
  while (!is_full()) turn(Clock::time_point::max());
}

void Load::settle() {
  active_ = false;
  progress_ = Clock::now();
  while (!is_settled()) turn(Clock::time_point::max());
}

void Load::watch(const Descriptor& descriptor, void* watched, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = watched;
  checked(::epoll_ctl(set_.number(), EPOLL_CTL_ADD, descriptor.number(), &event), "epoll_ctl");
}

void Load::turn(Clock::time_point until) {
  throw_if_interrupted();
  const Clock::time_point now = Clock::now();
  look_for_progress(now);
  std::array<epoll_event, 256> events;
  const int size = static_cast<int>(events.size());
  const int count = ::epoll_wait(set_.number(), events.data(), size, wait_time(now, until));
  if (count < 0 && errno != EINTR) checked(count, "epoll_wait");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    ready(event.data.ptr, event.events);
  }
}

void Load::look_for_progress(Clock::time_point now) {
  if (received_ != seen_) {
    seen_ = received_;
    progress_ = now;
  } else if (now - progress_ > patience_) {
    throw std::runtime_error("no progress for " + std::to_string(patience_.count()) + " ms");
  }
}

std::size_t Load::receive(const Descriptor& socket) {
  const std::size_t size = receive_some(socket, buffer_->data(), buffer_->size());
  received_ += size;
  return size;
}

void Load::check(const Pattern& pattern, std::uint64_t offset, std::size_t size) const {
  if (std::memcmp(buffer(), pattern.at(offset), size) != 0) {
    throw std::runtime_error("wrong bytes: what came is not what must come");
  }
}

std::size_t Load::receive_checked(const Descriptor& socket, const Pattern& pattern, std::uint64_t offset) {
  const std::size_t size = receive(socket);
  check(pattern, offset, size);
  return size;
}

}  // namespace bench
