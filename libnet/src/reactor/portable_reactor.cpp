#include "reactor/portable_reactor.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <boost/asio/post.hpp>

#include "libnet/detail/recycling.hpp"

namespace libnet::reactor {

namespace {

/// Asio counts a pending wait as work. These take that back, and give it again when the wait has ended. Only from inside
/// the context: reaching zero outside `run()` would stop it.
void discount_wait(asio::io_context& context) noexcept { context.get_executor().on_work_finished(); }
void recount_wait(asio::io_context& context) noexcept { context.get_executor().on_work_started(); }

/// Asio's waits run on the context's own executor, so that each counts as exactly one piece of work; what they found is
/// then carried to the loop's executor (a strand), if that is another.
template <class Action>
void inside_loop(const std::shared_ptr<Loop>& loop, Action action) {
  if (loop->uses_context_executor()) {
    action();
  } else {
    asio::post(loop->executor(), std::move(action));
  }
}

/// What a descriptor is waited for, by number.
enum : std::size_t { reading, writing, failing, conditions };

using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;
constexpr std::array wait_kinds{Descriptor::wait_read, Descriptor::wait_write, Descriptor::wait_error};
constexpr std::array states{&Watch::readable, &Watch::writable, &Watch::broken};  // what becomes true

}  // namespace

class PortableReactor::Registration : public ListNode<Registration>,
                                      public Wanting,
                                      public std::enable_shared_from_this<Registration> {
 public:
  struct Wait {
    bool wanted = false;
    bool waiting = false;
  };

  Registration(Loop& loop, Watch& watched) : watch(&watched), descriptor_(std::in_place, loop.context()) {}

  error_code assign(int descriptor) {
    error_code error;
    descriptor_->assign(descriptor, error);
    return error;
  }

  /// Ends the waits and leaves the descriptor open. Nothing of Asio's is kept: a watch may outlive the context.
  void release() noexcept {
    watch = nullptr;
    if (descriptor_ && descriptor_->is_open()) descriptor_->release();
    descriptor_.reset();
  }

  /// @throws std::bad_alloc: what is wanted still is then.
  void start_wanted_waits(Loop& loop) {
    if (watch == nullptr) return;
    for (std::size_t condition = 0; condition < conditions; ++condition) start(loop, condition);
  }

  Watch* watch;
  std::array<Wait, conditions> waits;

 private:
  void start(Loop& loop, std::size_t condition);

  std::optional<Descriptor> descriptor_;
};

struct PortableReactor::WaitHandler {
  using allocator_type = detail::RecyclingAllocator<void>;
  allocator_type get_allocator() const noexcept { return {}; }

  void operator()(const error_code& error) const {
    if (!loop->alive()) return;
    recount_wait(loop->context());
    inside_loop(loop, [self = *this, error] {
      if (self.loop->alive()) self.done(error);
    });
  }

  void done(const error_code& error) const {
    const Loop::Entry entry(*loop);
    registration->waits[condition].waiting = false;
    Watch* watch = registration->watch;
    if (watch == nullptr) return;
    if (error) watch->cannot_tell(error.value());  // it was not ended from here
    watch->*states[condition] = true;
    loop->announce_turn();
    watch->on_ready();
    loop->run_turn();
  }

  std::shared_ptr<Loop> loop;
  std::shared_ptr<Registration> registration;
  std::size_t condition;
};

void PortableReactor::Registration::start(Loop& loop, std::size_t condition) {
  Wait& wait = waits[condition];
  if (!wait.wanted || wait.waiting) return;
  errno = 0;  // Asio does not look whether the system has taken the wait
  descriptor_->async_wait(wait_kinds[condition], WaitHandler{loop.shared_from_this(), shared_from_this(), condition});
  const int code = errno;
  wait = {.wanted = false, .waiting = true};
  discount_wait(loop.context());
  if (code == 0) return;
  watch->cannot_tell(code);
  error_code unused;
  descriptor_->cancel(unused);
}

PortableReactor::PortableReactor(Loop& loop) : loop_(loop) { timer_.emplace(loop.context()); }

PortableReactor::~PortableReactor() { shutdown(); }

PortableReactor::Registration& PortableReactor::registration_of(Watch& watch) noexcept {
  return *static_cast<Registration*>(watch.registration_.get());
}

error_code PortableReactor::attach(Watch& watch, int descriptor) {
  auto registration = std::make_shared<Registration>(loop_, watch);
  if (const error_code error = registration->assign(descriptor)) return error;
  registrations_.push_back(*registration);
  watch.descriptor_ = descriptor;
  watch.registration_ = std::move(registration);
  return {};
}

void PortableReactor::detach(Watch& watch) noexcept {
  if (!watch.registration_) return;
  Registration& registration = registration_of(watch);
  registration.release();
  if (registration.ListNode<Registration>::linked()) List<Registration>::remove(registration);
  if (registration.ListNode<Wanting>::linked()) List<Wanting>::remove(registration);
  watch.registration_.reset();
  watch.descriptor_ = -1;
}

void PortableReactor::await_readable(Watch& watch) noexcept { await(watch, reading); }
void PortableReactor::await_writable(Watch& watch) noexcept { await(watch, writing); }
void PortableReactor::await_failure(Watch& watch) noexcept { await(watch, failing); }

void PortableReactor::await(Watch& watch, std::size_t condition) noexcept {
  if (!watch.registration_) return;
  Registration& registration = registration_of(watch);
  registration.waits[condition].wanted = true;
  if (registration.ListNode<Wanting>::linked()) return;
  wanting_.push_back(registration);
  loop_.request_turn();
}

/// The wait may be as long as the time limit of an object that has gone: it does not keep the loop.
struct PortableReactor::TimerHandler {
  using allocator_type = detail::RecyclingAllocator<void>;
  allocator_type get_allocator() const noexcept { return {}; }

  void operator()(const error_code& error) const {
    recount_wait(*context);
    const auto loop = weak_loop.lock();
    if (error || !loop || !loop->alive()) return;
    inside_loop(loop, [loop] {
      if (!loop->alive()) return;
      const Loop::Entry entry(*loop);
      loop->run_turn();
    });
  }

  asio::io_context* context;
  std::weak_ptr<Loop> weak_loop;
};

void PortableReactor::wake_at(TimePoint when) { wake_time_ = when; }

void PortableReactor::start_timer_wait() {
  if (wake_time_ == TimePoint::max()) return;
  timer_->expires_at(wake_time_);
  timer_->async_wait(TimerHandler{&loop_.context(), loop_.weak_from_this()});
  wake_time_ = TimePoint::max();
  discount_wait(loop_.context());
}

void PortableReactor::end_turn() {
  while (!wanting_.empty()) {
    static_cast<Registration&>(wanting_.front()).start_wanted_waits(loop_);
    wanting_.pop_front();
  }
  start_timer_wait();
}

void PortableReactor::shutdown() noexcept {
  while (!wanting_.empty()) wanting_.pop_front();
  while (!registrations_.empty()) registrations_.pop_front().release();
  timer_.reset();
}

}  // namespace libnet::reactor
