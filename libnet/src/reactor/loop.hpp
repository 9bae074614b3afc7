#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>

#include "detail/reserved_memory.hpp"
#include "libnet/detail/intrusive_list.hpp"
#include "libnet/errc.hpp"
#include "libnet/reactor.hpp"
#include "reactor/fairness.hpp"
#include "reactor/mailbox.hpp"
#include "reactor/task.hpp"
#include "reactor/timer_queue.hpp"

/// Readiness, the turn of the loop, the clock, and what keeps the loop running: all on a Boost.Asio io_context.
namespace libnet::transport {
class Network;
}

namespace libnet::reactor {

namespace asio = boost::asio;

class ContextService;
class Loop;

/// One watched descriptor. Readiness is remembered until somebody who found it gone clears it.
class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Told from inside the loop, before the turn's ready list runs: schedule a task, do no work here.
  virtual void on_ready() = 0;

  bool readable = false;
  bool writable = false;
  bool hangup = false;  // the peer's end, an error or urgent data was signalled: read on until the end
  bool broken = false;  // an error may be pending

  /// The first error counts.
  void cannot_tell(int code) noexcept {
    if (watch_error == 0) watch_error = static_cast<std::uint8_t>(code);
  }

 protected:
  virtual ~Watch() = default;

 private:
  friend class EpollReactor;
  friend class PortableReactor;
  int descriptor_ = -1;                 // -1: not attached
  std::shared_ptr<void> registration_;  // what the portable reactor keeps

 public:
  /// An errno: readiness cannot be told any more; the watch was told that it is ready. Small members of a derived class that
  /// come first lie beside it.
  std::uint8_t watch_error = 0;
};

/// How descriptors become ready: the part in which the two reactors differ.
class Reactor {
 public:
  virtual ~Reactor() = default;

  /// Starts watching a non-blocking descriptor. The watch must be detached before it is destroyed or the descriptor closed.
  virtual error_code attach(Watch& watch, int descriptor) = 0;
  virtual void detach(Watch& watch) noexcept = 0;

  /// Asks for `on_ready` when the descriptor becomes readable or writable.
  virtual void await_readable(Watch& watch) noexcept = 0;
  virtual void await_writable(Watch& watch) noexcept = 0;
  /// Asks for `on_ready` when `broken` becomes true.
  virtual void await_failure(Watch& watch) noexcept = 0;

  /// Asks for a turn at the given time, in place of any time asked for before.
  /// @throws SystemError, std::bad_alloc: it has to be asked for again.
  virtual void wake_at(TimePoint when) = 0;

  /// Called in the loop at the end of every turn: the place where Asio's waits are started.
  /// @throws std::bad_alloc: what was not started yet is started at the end of the next turn.
  virtual void end_turn() = 0;

  /// In a child process: replaces what is shared with the parent without touching it. Everything is to be watched again.
  /// @throws SystemError
  virtual void after_fork() = 0;
  /// After that: goes on watching.
  virtual error_code watch_again(Watch& watch) noexcept = 0;

  /// Gives up everything that belongs to the io_context.
  virtual void shutdown() noexcept = 0;
};

/// Lives in the list of a loop, so that the end of the io_context can reach it. As a letter it brings the news from
/// another thread that its last handle has gone.
class LoopObject : public ListNode<LoopObject>, public Letter {
 public:
  /// The io_context ends: drop listeners and handlers, run no user code.
  virtual void on_context_shutdown() noexcept = 0;

  /// In a child process: what the object has is the parent's as well, and what the parent is about to do with it is the
  /// parent's alone. Watches its descriptors again.
  virtual error_code on_fork() = 0;

 protected:
  ~LoopObject() = default;
};

/// One loop: an executor, its ready list, its clock. The objects of a plain io_context share one, and so do those of one
/// strand; a strand's loop lives as long as it has objects.
///
/// It may outlive its io_context: then `alive()` is false and every call does nothing.
class Loop : public std::enable_shared_from_this<Loop> {
 public:
  /// The loop that serves `executor`, which must lead to an io_context or a strand of one, through whatever types of
  /// Asio's; else std::invalid_argument.
  static std::shared_ptr<Loop> of(const asio::any_io_executor& executor);

  /// @param strand  What all copies of its strand share, if it has one and that is known.
  Loop(ContextService& service, Waker& waker, asio::io_context& context, asio::any_io_executor executor,
       ReactorKind kind, const void* strand);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  const asio::any_io_executor& executor() const noexcept { return executor_; }
  const void* strand() const noexcept { return strand_; }
  bool alive() const noexcept { return context_ != nullptr; }
  ReactorKind kind() const noexcept { return kind_; }
  Reactor& reactor() noexcept { return *reactor_; }

  /// How other threads reach this loop. May be kept by who outlives the loop.
  Mailbox& mailbox() noexcept { return *mailbox_; }
  const std::shared_ptr<Mailbox>& shared_mailbox() const noexcept { return mailbox_; }

  /// Puts the task into the ready list (once) and makes sure that a turn comes. Not from inside `Task::run_task` of a
  /// task that is still queued; a task may schedule itself: it then runs again in the next round.
  void schedule(Task& task) noexcept;
  void unschedule(Task& task) noexcept;

  /// The time; the same for all who ask within one turn.
  TimePoint now() noexcept;
  /// The time at this very moment, for what must not come too early.
  TimePoint precise_now() const noexcept { return manual_clock_ ? now_ : Clock::now(); }
  /// In place of any deadline before. TimePoint::max() never comes: the timer is not armed then.
  void start(Timer& timer, TimePoint deadline) noexcept;
  void start_after(Timer& timer, Duration delay) noexcept { start(timer, later(now(), delay)); }

  /// Replaces the clock by one that only moves when told; for tests.
  void use_manual_clock();
  void advance(Duration by);

  /// `by` more (or fewer) objects want the loop to go on. Takes effect at the end of a turn.
  void count_work(int by) noexcept { work_ += by; }

  /// An object may be made on a strand by a thread outside it.
  void add(LoopObject& object) noexcept;
  void remove(LoopObject& object) noexcept;  ///< Harmless for one that is not there any more.

  /// While it lives, the calling thread is inside the loop. Each handler of the loop's that Asio calls begins with one.
  ///
  /// Two threads inside one loop share what nothing guards. That ends the program, in every build: std::terminate, with a
  /// message. It costs one atomic exchange a wake-up. Threads that take turns, and strands, are inside one after the other.
  class Entry {
   public:
    explicit Entry(Loop& loop) noexcept : Entry(loop, std::this_thread::get_id()) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { loop_.inside_.store(before_, std::memory_order_relaxed); }

   private:
    Entry(Loop& loop, std::thread::id self) noexcept
        : loop_(loop), before_(loop.inside_.exchange(self, std::memory_order_relaxed)) {
      if (before_ != std::thread::id() && before_ != self) found_second_thread();
    }

    Loop& loop_;
    const std::thread::id before_;  // nobody, or this one if a listener runs the context itself
  };

  /// Runs the first turn of a wake-up: expired timers, then the ready list in a bounded number of rounds. What is left
  /// gets a wake-up of its own. An exception that leaves a task passes through; the rest is delivered by the next turn.
  /// @throws what the end of a turn throws, too: then another turn is due, which tries again.
  void run_turn();
  /// Runs another turn of the same wake-up.
  void run_further_turn();

  /// Whether another completion may be delivered now: who delivers in a loop asks before each. False when the io_context
  /// has ended, or when in this wake-up `known_results_per_wake_up` operations were started by completion handlers and had
  /// their results at once: then the round ends, and what waits gets another wake-up, those first whose step did not come.
  bool may_complete_more() noexcept {
    if (known_results_ < known_results_per_wake_up) return true;
    end_round();
    return false;
  }
  /// A completion handler runs, or has returned.
  void set_completing(bool completing) noexcept { completing_ = completing; }
  /// True while one runs. An exception leaves it so until the next completion or turn.
  bool completing() const noexcept { return completing_; }
  /// An operation has its result. It was known at once if a completion handler is running: that has started it.
  void note_result() noexcept { known_results_ += static_cast<int>(completing_); }
  void note_results(std::size_t count) noexcept { known_results_ += completing_ ? static_cast<int>(count) : 0; }

  /// The caller is going to schedule tasks and then to run a turn: none has to be posted for them.
  void announce_turn() noexcept { turn_announced_ = true; }

  /// Makes sure that a turn comes (again). Without memory for a handler it comes through the mailbox.
  void request_turn() noexcept;

  bool in_turn() const noexcept { return in_turn_.load(std::memory_order_relaxed); }

  /// True if another turn may follow the last one at once, past the context: something counts, the context was not
  /// stopped, and no turn runs or is due already.
  bool may_go_on() const noexcept {
    return alive() && holding_work_ && !in_turn() && !turn_posted_ && !context_->stopped();
  }

  /// The network that the loop's sockets use; null until it is chosen or first needed. The loop only keeps it.
  const std::shared_ptr<transport::Network>& network() const noexcept { return network_; }
  void use_network(std::shared_ptr<transport::Network> network) noexcept { network_ = std::move(network); }

  /// Counts the rounds of the ready list: what is scheduled in one round runs in a later one.
  std::uint64_t round() const noexcept { return round_; }
  /// Counts the turns: what may take only a share of each turn tells by it whether its share is used up.
  std::uint64_t turn() const noexcept { return turn_; }

  /// False if the calling thread must not use the objects of this loop (debug builds ask). Set-up before the loop runs is
  /// allowed, and so is what comes between its runs.
  bool on_right_thread() const noexcept;

  /// True in a handler that the loop's executor runs; false where that cannot be told.
  bool runs_here() const noexcept;

  /// True if the calling thread can be sure that nobody else is inside the loop now, nor will be until it has left: because
  /// it is inside itself, or in a handler of the io_context that the loop has to itself, or the only one of the process.
  /// From any thread, as long as the mailbox is open.
  bool owns_this_thread() const noexcept;

  /// In a child process: nothing that is shared with the parent wakes this loop, or is changed by it.
  void after_fork();

  void shutdown() noexcept;

  asio::io_context& context() noexcept { return *context_; }

  /// True if the loop runs on the context's own executor, so that any handler of the context is inside the loop.
  bool uses_context_executor() const noexcept { return native_; }

 private:
  friend class Timer;
  class TurnScope;

  struct TurnHandler;
  [[noreturn]] static void found_second_thread() noexcept;
  std::unique_lock<std::mutex> lock_objects() noexcept;
  void run_rounds();
  void end_round() noexcept;
  void settle_work() noexcept;
  void run_expired_timers();
  void wake_for_first_timer();
  void end_turn();

  ContextService& service_;
  asio::io_context* context_;
  asio::any_io_executor executor_;
  const void* strand_;
  ReactorKind kind_;
  std::shared_ptr<Mailbox> mailbox_;
  std::unique_ptr<Reactor> reactor_;
  List<Task> ready_;
  List<Task>* current_round_ = nullptr;  // tasks whose step has not come yet
  std::mutex objects_mutex_;             // locked for strands only
  List<LoopObject> objects_;
  std::shared_ptr<transport::Network> network_;
  TimerQueue timers_;
  detail::ReservedMemory turn_memory_;
  TimePoint now_{};
  TimePoint wake_time_ = TimePoint::max();
  std::int64_t work_ = 0;
  std::uint64_t round_ = 0;
  int known_results_ = 0;  // in this wake-up
  std::uint64_t turn_ = 0;
  std::atomic<std::thread::id> inside_{};       // who is inside now
  std::atomic<std::thread::id> last_thread_{};  // of the last turn; in debug builds
  std::atomic<bool> in_turn_{false};            // atomic only for calls from the wrong thread, which are then seen
  bool native_;
  bool completing_ = false;
  bool holding_work_ = false;
  bool turn_posted_ = false;
  bool turn_announced_ = false;
  bool now_known_ = false;
  bool manual_clock_ = false;
};

}  // namespace libnet::reactor
