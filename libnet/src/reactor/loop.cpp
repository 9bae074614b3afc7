#include "reactor/loop.hpp"

#include <boost/asio/post.hpp>

#include "detail/only_thread.hpp"
#include "libnet/error.hpp"
#include "reactor/context_service.hpp"
#include "reactor/destination.hpp"
#include "reactor/epoll_reactor.hpp"
#include "reactor/portable_reactor.hpp"
#include "reactor/thread_check.hpp"

namespace libnet::reactor {

namespace {

std::unique_ptr<Reactor> make_reactor(Loop& loop) {
#ifdef LIBNET_HAS_EPOLL
  if (loop.kind() == ReactorKind::epoll) return std::make_unique<EpollReactor>(loop);
#endif
  return std::make_unique<PortableReactor>(loop);
}

}  // namespace

Loop::Loop(ContextService& service, Waker& waker, asio::io_context& context, asio::any_io_executor executor,
           ReactorKind kind, const void* strand)
    : service_(service),
      context_(&context),
      executor_(std::move(executor)),
      strand_(strand),
      kind_(kind),
      mailbox_(std::make_shared<Mailbox>(*this, waker)),
      reactor_(make_reactor(*this)),
      native_(executor_ == asio::any_io_executor(context.get_executor())) {}

Loop::~Loop() {
  if (alive() && !native_) service_.forget(*this);
  shutdown();
}

/// The objects of a plain context are made by its thread.
std::unique_lock<std::mutex> Loop::lock_objects() noexcept {
  return native_ ? std::unique_lock<std::mutex>() : std::unique_lock(objects_mutex_);
}

void Loop::add(LoopObject& object) noexcept {
  const auto lock = lock_objects();
  objects_.push_back(object);
}

/// Whether it is in the list is asked under the lock: its neighbours may come and go in other threads.
void Loop::remove(LoopObject& object) noexcept {
  const auto lock = lock_objects();
  if (object.linked()) objects_.remove(object);
}

struct Loop::TurnHandler {
  using allocator_type = detail::ReservedAllocator<void>;
  allocator_type get_allocator() const noexcept { return loop->turn_memory_; }

  void operator()() const {
    if (!loop->alive()) return;
    const Entry entry(*loop);
    loop->turn_posted_ = false;
    loop->run_turn();
  }

  std::shared_ptr<Loop> loop;
};

void Loop::schedule(Task& task) noexcept {
  if (!alive() || task.queued()) return;
  ready_.push_back(task);
  request_turn();
}

void Loop::unschedule(Task& task) noexcept {
  if (task.queued()) List<Task>::remove(task);
}

void Loop::request_turn() noexcept {
  if (in_turn() || turn_announced_ || turn_posted_ || !alive()) return;
  turn_posted_ = true;
  try {
    if (native_) {
      asio::post(context_->get_executor(), TurnHandler{shared_from_this()});
    } else {
      asio::post(executor_, TurnHandler{shared_from_this()});
    }
  } catch (...) {  // a strand has room for nobody's handlers but its own
    turn_posted_ = false;
    mailbox_->ring();
  }
}

/// One turn. Its end comes also when a completion handler throws.
class Loop::TurnScope {
 public:
  explicit TurnScope(Loop& loop) : keep_(loop.shared_from_this()), loop_(loop) {
    loop_.in_turn_.store(true, std::memory_order_relaxed);
    loop_.now_known_ = false;
    loop_.completing_ = false;
#ifndef NDEBUG
    loop_.last_thread_.store(std::this_thread::get_id(), std::memory_order_relaxed);
#endif
  }
  TurnScope(const TurnScope&) = delete;
  TurnScope& operator=(const TurnScope&) = delete;
  ~TurnScope() {
    if (!ended_) end_beside_an_exception();
  }
  void end() {
    ended_ = true;
    loop_.end_turn();
  }

 private:
  /// What the end throws gives way to what is being thrown: the next turn, which is due then, tries again.
  void end_beside_an_exception() noexcept try { end(); } catch (...) {
    return;
  }

  std::shared_ptr<Loop> keep_;
  Loop& loop_;
  bool ended_ = false;
};

void Loop::end_turn() try {
  struct Left {
    ~Left() {
      loop.in_turn_.store(false, std::memory_order_relaxed);
      loop.now_known_ = false;
      if (loop.alive() && !loop.ready_.empty()) loop.request_turn();
    }
    Loop& loop;
  } const left{*this};
  if (!alive()) return;
  settle_work();  // before Asio's waits, which the portable reactor discounts: one that fails at once never counted
  wake_for_first_timer();
  reactor_->end_turn();
} catch (...) {
  request_turn();
  throw;
}

void Loop::run_turn() {
  if (!in_turn()) known_results_ = 0;
  run_further_turn();
}

void Loop::run_further_turn() {
  turn_announced_ = false;
  if (in_turn()) {  // a listener runs the context itself: the turn that runs already goes on afterwards, at a later time
    now_known_ = false;
    return;
  }
  TurnScope scope(*this);
  ++turn_;
  run_expired_timers();
  run_rounds();
  scope.end();
}

void Loop::run_rounds() {
  for (int round = 0; round < rounds_per_turn && !ready_.empty() && may_complete_more(); ++round) {
    ++round_;
    List<Task> current;
    current.prepend(ready_);
    struct Round {
      ~Round() {
        loop.ready_.prepend(rest);
        loop.current_round_ = nullptr;
      }
      Loop& loop;
      List<Task>& rest;
    } const scope{*this, current};
    current_round_ = &current;
    while (!current.empty()) current.pop_front().run_task();
  }
}

/// Whose step has not come in this round is the first in the next wake-up, before those who have used this one up.
void Loop::end_round() noexcept {
  if (current_round_ != nullptr) ready_.prepend(*current_round_);
}

void Loop::settle_work() noexcept {
  const bool wanted = work_ > 0;
  if (wanted == holding_work_) return;
  holding_work_ = wanted;
  if (wanted) {
    context_->get_executor().on_work_started();
  } else {
    context_->get_executor().on_work_finished();
  }
}

TimePoint Loop::now() noexcept {
  if (manual_clock_) return now_;
  if (!in_turn()) return Clock::now();
  if (!now_known_) {
    now_ = Clock::now();
    now_known_ = true;
  }
  return now_;
}

void Loop::use_manual_clock() {
  now_ = Clock::now();
  manual_clock_ = true;
}

void Loop::advance(Duration by) {
  now_ += by;
  request_turn();
}

void Loop::run_expired_timers() {
  if (timers_.empty()) return;
  const TimePoint time = now();
  while (!timers_.empty() && timers_.first_deadline() <= time) {
    Timer& timer = timers_.first();
    timer.stop();
    timer.on_timer();
  }
}

void Loop::start(Timer& timer, TimePoint deadline) noexcept {
  timer.stop();
  if (!alive() || deadline == TimePoint::max()) return;
  timers_.add(timer, deadline);
  timer.loop_ = this;
  request_turn();
}

void Timer::stop() noexcept {
  if (loop_ == nullptr) return;
  loop_->timers_.remove(*this);
  loop_ = nullptr;
}

/// A wake-up that comes too early costs less than setting it anew for each timer that moved to a later time. One that
/// came while this turn ran is pending as well: the reactor has not told it yet.
void Loop::wake_for_first_timer() {
  if (timers_.empty() || manual_clock_) return;
  const TimePoint first = timers_.first_deadline();
  const bool pending = wake_time_ != TimePoint::max() && wake_time_ > now();
  if (pending && wake_time_ <= first) return;
  wake_time_ = TimePoint::max();
  reactor_->wake_at(first);
  wake_time_ = first;
}

bool Loop::on_right_thread() const noexcept {
  const std::thread::id last = last_thread_.load(std::memory_order_relaxed);
  if (!alive() || last == std::thread::id() || last == std::this_thread::get_id()) return true;
  return !in_turn() && (context_->stopped() || reactor::runs_here(executor_, true));
}

bool Loop::runs_here() const noexcept { return reactor::runs_here(executor_, false); }

/// Between two handlers another thread may begin to run the context at any moment, also if this one ran it last.
bool Loop::owns_this_thread() const noexcept {
  if (inside_.load(std::memory_order_relaxed) == std::this_thread::get_id()) return true;
  return (native_ && detail::only_thread()) || reactor::runs_here(executor_, false);
}

void Loop::after_fork() {
  if (!alive()) return;
  reactor_->after_fork();
  error_code failure;
  objects_.for_each([&failure](LoopObject& object) {
    const error_code code = object.on_fork();
    if (!failure) failure = code;
  });
  if (failure) throw SystemError(Error(failure, "epoll"));
}

void Loop::found_second_thread() noexcept { end_for_second_thread(); }

/// The mailbox is closed last: who finds it closed may act at once, in any thread, on an object that has been dealt with.
void Loop::shutdown() noexcept {
  if (!alive()) return;
  reactor_->shutdown();
  context_ = nullptr;
  known_results_ = known_results_per_wake_up;
  while (!timers_.empty()) timers_.first().stop();
  while (!ready_.empty()) ready_.pop_front();
  while (!objects_.empty()) {
    LoopObject& object = objects_.front();
    List<LoopObject>::remove(object);
    object.on_context_shutdown();
  }
  mailbox_->close();
  if (!native_) executor_ = {};  // Asio's strands must not outlive their context
}

}  // namespace libnet::reactor
