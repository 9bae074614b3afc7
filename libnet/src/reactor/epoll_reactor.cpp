#include "reactor/epoll_reactor.hpp"

#ifdef LIBNET_HAS_EPOLL

#include <array>
#include <cerrno>
#include <cstddef>
#include <utility>

#include <boost/asio/defer.hpp>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "detail/last_error.hpp"
#include "libnet/error.hpp"

namespace libnet::reactor {

namespace {

constexpr std::size_t events_per_turn = 256;

// After a turn of so many events more have often come meanwhile. Looking costs one system call, the way through Asio two.
constexpr int busy_turn = 4;

constexpr int most_tries = 8;

using detail::last_error;

}  // namespace

EpollReactor::EpollReactor(Loop& loop) : loop_(loop), watched_set_(loop.context(), *this) { open(); }

void EpollReactor::open() {
  for (const auto open : {&EpollReactor::open_set, &EpollReactor::open_timer, &EpollReactor::watch_set}) {
    const int code = (this->*open)();
    if (code == 0) continue;
    shutdown();
    throw SystemError(Error(error_code(code, boost::system::system_category()), "epoll"));
  }
}

EpollReactor::~EpollReactor() { shutdown(); }

int EpollReactor::open_set() {
  set_ = ::epoll_create1(EPOLL_CLOEXEC);
  return set_ < 0 ? errno : 0;
}

/// At once: the first deadline may be that of a server whose process is out of descriptors.
int EpollReactor::open_timer() {
  timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer_ < 0) return errno;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // an edge an expiry: the timer is never read
  return ::epoll_ctl(set_, EPOLL_CTL_ADD, timer_, &event) != 0 ? errno : 0;
}

int EpollReactor::watch_set() { return watched_set_.start(set_); }

error_code EpollReactor::attach(Watch& watch, int descriptor) {
  const error_code code = add(watch, descriptor);
  if (!code) watch.descriptor_ = descriptor;
  return code;
}

error_code EpollReactor::add(Watch& watch, int descriptor) noexcept {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  event.data.ptr = &watch;
  return ::epoll_ctl(set_, EPOLL_CTL_ADD, descriptor, &event) == 0 ? error_code() : last_error();
}

void EpollReactor::detach(Watch& watch) noexcept {
  if (watch.descriptor_ < 0) return;
  if (set_ >= 0) {
    epoll_event unused{};
    // Closing it would do only if nobody has a duplicate; and nothing but a fault of the system's makes this fail.
    for (int tries = 0; tries < most_tries && ::epoll_ctl(set_, EPOLL_CTL_DEL, watch.descriptor_, &unused) != 0;
         ++tries) {
    }
  }
  watch.descriptor_ = -1;
}

// Every descriptor is registered for all edges: nothing is left to ask for.
void EpollReactor::await_readable(Watch&) noexcept {}
void EpollReactor::await_writable(Watch&) noexcept {}
void EpollReactor::await_failure(Watch&) noexcept {}

void EpollReactor::wake_at(TimePoint when) {
  wake_time_ = when;
  const auto since_boot = std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
  itimerspec setting{};
  setting.it_value.tv_sec = seconds.count();
  setting.it_value.tv_nsec = (since_boot - seconds).count();
  if (since_boot.count() <= 0) setting.it_value.tv_nsec = 1;  // zero would disarm
  if (::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &setting, nullptr) == 0) return;
  throw SystemError(Error(last_error(), "timerfd_settime"));
}

struct EpollReactor::CollectHandler {
  using allocator_type = detail::ReservedAllocator<void>;
  allocator_type get_allocator() const noexcept { return reactor->collection_memory_; }

  void operator()() const {
    if (!loop->alive()) return;
    const Loop::Entry entry(*loop);
    reactor->collection_posted_ = false;
    reactor->wake_up();
  }

  std::shared_ptr<Loop> loop;
  EpollReactor* reactor;
};

/// The set has events. Asio holds a lock here, so they are collected later, in a handler.
void EpollReactor::on_descriptor_ready() { post_collection(); }

void EpollReactor::post_collection() {
  if (collection_posted_) return;
  asio::defer(loop_.context().get_executor(), CollectHandler{loop_.shared_from_this(), this});
  collection_posted_ = true;
}

void EpollReactor::wake_up() {
  int events = collect_events();
  loop_.run_turn();
  for (int turns = 1; turns < turns_per_wake_up && events >= busy_turn && loop_.may_go_on(); ++turns) {
    events = collect_events();
    if (events != 0) loop_.run_further_turn();
  }
}

/// How many there were.
int EpollReactor::collect_events() {
  std::array<epoll_event, events_per_turn> events;
  const int count = ::epoll_wait(set_, events.data(), static_cast<int>(events.size()), 0);
  if (count < 0) not_collected(last_error());
  if (count > 0) loop_.announce_turn();
  if (count == static_cast<int>(events.size())) post_collection();  // no edge announces the rest
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    auto* watch = static_cast<Watch*>(event.data.ptr);
    if (watch == nullptr) continue;  // the timer: a turn follows anyway
    if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0) watch->hangup = true;
    if ((event.events & EPOLLERR) != 0) watch->broken = true;
    if ((event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0) watch->readable = true;
    if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) watch->writable = true;
    watch->on_ready();
  }
  return count;
}

/// The next run of the context looks again: no edge announces what is in the set.
void EpollReactor::not_collected(const error_code& code) {
  post_collection();
  if (code != boost::system::errc::interrupted) throw SystemError(Error(code, "epoll_wait"));
}

/// Asio has a set of its own again. Descriptors are closed here and in no set taken out: what they stand for the parent uses.
void EpollReactor::after_fork() {
  shutdown();
  open();
  if (wake_time_ != TimePoint::max()) wake_at(wake_time_);
}

error_code EpollReactor::watch_again(Watch& watch) noexcept {
  return watch.descriptor_ < 0 ? error_code() : add(watch, watch.descriptor_);
}

void EpollReactor::shutdown() noexcept {
  watched_set_.stop();
  for (int* const descriptor : {&set_, &timer_}) {
    if (*descriptor >= 0) ::close(std::exchange(*descriptor, -1));
  }
}

}  // namespace libnet::reactor

#endif
