#include "reactor/epoll_reactor.hpp"

#ifdef __linux__

#include <array>
#include <cerrno>
#include <system_error>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "detail/last_error.hpp"
#include "libnet/detail/recycling.hpp"

namespace libnet::reactor {

namespace {

constexpr std::size_t events_per_turn = 256;

// After a turn of so many events more have often come meanwhile. Looking costs one system call, the way through Asio three.
constexpr int busy_turn = 4;

// Other handlers of the context wait meanwhile.
constexpr int turns_per_wake = 4;

using detail::last_error;

int checked(int result, const char* what) {
  if (result < 0) throw boost::system::system_error(last_error(), what);
  return result;
}

}  // namespace

EpollReactor::EpollReactor(Loop& loop) : loop_(loop) {
  set_.emplace(loop.context(), checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1"));
  open_timer();
}

EpollReactor::~EpollReactor() { shutdown(); }

/// At once: the first deadline may be that of a server whose process is out of descriptors.
void EpollReactor::open_timer() {
  timer_ = checked(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;  // an edge an expiry: the timer is never read
  if (::epoll_ctl(set_->native_handle(), EPOLL_CTL_ADD, timer_, &event) == 0) return;
  const error_code error = last_error();
  shutdown();
  throw boost::system::system_error(error, "epoll_ctl");
}

error_code EpollReactor::attach(Watch& watch, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  event.data.ptr = &watch;
  if (::epoll_ctl(set_->native_handle(), EPOLL_CTL_ADD, descriptor, &event) != 0) return last_error();
  watch.descriptor_ = descriptor;
  loop_.request_turn();  // at its end the set is watched
  return {};
}

void EpollReactor::detach(Watch& watch) noexcept {
  if (watch.descriptor_ < 0) return;
  if (set_) {
    epoll_event unused{};
    ::epoll_ctl(set_->native_handle(), EPOLL_CTL_DEL, watch.descriptor_, &unused);
  }
  watch.descriptor_ = -1;
}

// Every descriptor is registered for all edges: nothing is left to ask for.
void EpollReactor::await_readable(Watch&) {}
void EpollReactor::await_writable(Watch&) {}

void EpollReactor::wake_at(TimePoint when) {
  const auto since_boot = std::chrono::duration_cast<std::chrono::nanoseconds>(when.time_since_epoch());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since_boot);
  itimerspec setting{};
  setting.it_value.tv_sec = seconds.count();
  setting.it_value.tv_nsec = (since_boot - seconds).count();
  if (since_boot.count() <= 0) setting.it_value.tv_nsec = 1;  // zero would disarm
  ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &setting, nullptr);
}

/// The wait counts as pending until the last turn of a wake-up has ended, so that it is started only once. Inside a
/// listener that runs the context itself, the end of the turn that runs already starts it.
struct EpollReactor::Rearm {
  ~Rearm() {
    reactor.waiting_ = false;
    if (reactor.loop_.alive() && !reactor.loop_.in_turn()) reactor.end_turn();
  }
  EpollReactor& reactor;
};

struct EpollReactor::WakeHandler {
  using allocator_type = detail::RecyclingAllocator<void>;
  allocator_type get_allocator() const noexcept { return {}; }

  void operator()(const error_code& error) const {
    if (!loop->alive()) return;
    loop->recount_wait();
    const Rearm at_end{*reactor};
    if (!error) reactor->on_wake();
  }

  std::shared_ptr<Loop> loop;
  EpollReactor* reactor;
};

void EpollReactor::end_turn() {
  if (waiting_ || !set_) return;
  waiting_ = true;
  set_->async_wait(asio::posix::descriptor_base::wait_read, WakeHandler{loop_.shared_from_this(), this});
  loop_.discount_wait();
}

void EpollReactor::on_wake() {
  int events = collect_events();
  loop_.run_turn();
  for (int turns = 1; turns < turns_per_wake && events >= busy_turn && loop_.may_go_on(); ++turns) {
    events = collect_events();
    if (events != 0) loop_.run_turn();
  }
}

/// How many there were.
int EpollReactor::collect_events() {
  std::array<epoll_event, events_per_turn> events;
  const int count = ::epoll_wait(set_->native_handle(), events.data(), static_cast<int>(events.size()), 0);
  if (count > 0) loop_.announce_turn();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    auto* watch = static_cast<Watch*>(event.data.ptr);
    if (watch == nullptr) continue;  // the timer: a turn follows anyway
    if ((event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0) watch->hangup = true;
    if ((event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI)) != 0) watch->readable = true;
    if ((event.events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0) watch->writable = true;
    watch->on_ready();
  }
  return count;
}

void EpollReactor::shutdown() noexcept {
  set_.reset();
  if (timer_ >= 0) ::close(timer_);
  timer_ = -1;
}

}  // namespace libnet::reactor

#endif
