#include "reactor/epoll_reactor.hpp"

#ifdef LIBNET_HAS_EPOLL

#include <array>
#include <cerrno>
#include <cstddef>
#include <new>
#include <utility>

#include <boost/asio/defer.hpp>
#include <boost/asio/detail/reactor_op.hpp>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "detail/last_error.hpp"
#include "libnet/detail/recycling.hpp"

namespace libnet::reactor {

namespace {

constexpr std::size_t events_per_turn = 256;

// After a turn of so many events more have often come meanwhile. Looking costs one system call, the way through Asio two.
constexpr int busy_turn = 4;

// Other handlers of the context wait meanwhile.
constexpr int turns_per_wake = 4;

using detail::last_error;

}  // namespace

/// Asio watches our set through this operation, which stays for ever: each time the set has news it is asked to perform,
/// rings, and says that it is not done. Asio's signals are made the same way. A wait that completes would do as well,
/// but Asio makes a system call for each one that it starts.
class EpollReactor::Bell final : public asio::detail::reactor_op {
 public:
  explicit Bell(EpollReactor& reactor) noexcept : reactor_op({}, &Bell::perform, &Bell::free), reactor_(reactor) {}

 private:
  static status perform(reactor_op* base) {
    static_cast<Bell*>(base)->reactor_.ring();
    return not_done;
  }
  static void free(void*, asio::detail::operation* base, const error_code&, std::size_t) {
    delete static_cast<Bell*>(base);
  }

  EpollReactor& reactor_;
};

EpollReactor::EpollReactor(Loop& loop) : loop_(loop), asio_(asio::use_service<asio::detail::reactor>(loop.context())) {
  for (const auto open : {&EpollReactor::open_set, &EpollReactor::open_timer, &EpollReactor::watch_set}) {
    const int code = (this->*open)();
    if (code == 0) continue;
    shutdown();
    throw boost::system::system_error(code, boost::system::system_category(), "epoll");
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

int EpollReactor::watch_set() try {
  asio_.init_task();
  return asio_.register_internal_descriptor(asio::detail::reactor::read_op, set_, registration_, new Bell(*this));
} catch (const std::bad_alloc&) {
  return ENOMEM;
}

error_code EpollReactor::attach(Watch& watch, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI | EPOLLET;
  event.data.ptr = &watch;
  if (::epoll_ctl(set_, EPOLL_CTL_ADD, descriptor, &event) != 0) return last_error();
  watch.descriptor_ = descriptor;
  return {};
}

void EpollReactor::detach(Watch& watch) noexcept {
  if (watch.descriptor_ < 0) return;
  if (set_ >= 0) {
    epoll_event unused{};
    ::epoll_ctl(set_, EPOLL_CTL_DEL, watch.descriptor_, &unused);
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

struct EpollReactor::WakeHandler {
  using allocator_type = detail::RecyclingAllocator<void>;
  allocator_type get_allocator() const noexcept { return {}; }

  void operator()() const {
    if (!loop->alive()) return;
    reactor->rung_ = false;
    reactor->on_wake();
  }

  std::shared_ptr<Loop> loop;
  EpollReactor* reactor;
};

/// Asio holds a lock while it asks an operation to perform: what the news are is looked at in a handler.
void EpollReactor::ring() {
  if (rung_) return;
  asio::defer(loop_.context().get_executor(), WakeHandler{loop_.shared_from_this(), this});
  rung_ = true;
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
  const int count = ::epoll_wait(set_, events.data(), static_cast<int>(events.size()), 0);
  if (count > 0) loop_.announce_turn();
  if (count == static_cast<int>(events.size())) ring();  // of the rest no edge tells
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
  if (registration_ != nullptr) asio_.deregister_internal_descriptor(set_, registration_);
  if (registration_ != nullptr) asio_.cleanup_descriptor_data(registration_);
  for (int* const descriptor : {&set_, &timer_}) {
    if (*descriptor >= 0) ::close(std::exchange(*descriptor, -1));
  }
}

}  // namespace libnet::reactor

#endif
