#pragma once

#include <chrono>
#include <compare>
#include <condition_variable>
#include <cstddef>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "libnet/detail/intrusive_list.hpp"
#include "libnet/errc.hpp"
#include "libnet/lookup.hpp"

namespace libnet::transport {

/// What a lookup asks for. Equal questions that are open at the same time are asked once.
struct Question {
  std::string host;
  int family = 0;
  int hints = 0;

  auto operator<=>(const Question&) const = default;
};

struct Found {
  error_code code;
  std::vector<LookupAddress> addresses;
};

/// Asks questions on threads of its own, by a function that cannot be interrupted and may take for ever.
///
/// Nobody may be held up by a question that nobody waits for any more, but its thread cannot be had back. So there are
/// many threads, of which few work for those who wait, and what waits takes one only while it is wanted:
///
/// * At most `most_wanted` questions that somebody waits for are asked at the same time.
/// * Once `quick_threads` are busy, a further one is taken only for who has waited for a while, which doubles with every
///   second thread. Who gives up within a time can thus never take all threads, and others wait no longer than that time.
/// * There are never more than `most_threads`.
///
/// The threads are detached, so that the end of the program waits for none of them; therefore a pool is never destroyed.
class LookupPool {
 public:
  using Ask = Found (*)(const Question&);

  static constexpr std::size_t most_threads = 128;
  static constexpr std::size_t quick_threads = 96;
  static constexpr std::size_t most_wanted = 32;
  static constexpr std::size_t most_idle = 4;  // more than these end when there is nothing to do

  explicit LookupPool(Ask ask) noexcept : ask_(ask) {}
  LookupPool(const LookupPool&) = delete;
  LookupPool& operator=(const LookupPool&) = delete;

  /// Asks, or joins those who ask the same. If a thread is needed and cannot be made, the answer is the system's error.
  void submit(Question question, LookupAnswer answer);

  /// @name Around fork(2)
  /// A child process has none of the threads. What was open is asked anew there, from `resume()` or the next question on.
  /// @{
  void before_fork() noexcept;
  void after_fork_in_parent() noexcept;
  void after_fork_in_child() noexcept;
  void resume() noexcept;
  /// @}

 private:
  using Clock = std::chrono::steady_clock;
  struct Job;
  using Jobs = std::map<Question, Job>;  // from one to another they are moved without allocating

  struct Job : detail::ListNode<Job> {
    explicit Job(LookupAnswer answer) { answers.push_back(std::move(answer)); }
    ~Job() {
      if (linked()) detail::List<Job>::remove(*this);
    }
    bool wanted() const noexcept;

    const Question* question = nullptr;  // the key of this job
    std::vector<LookupAnswer> answers;
    const Clock::time_point since = Clock::now();
  };

  bool join(Jobs& jobs, const Question& question, LookupAnswer& answer);
  void enqueue(Question question, LookupAnswer answer);
  void put_in_queue(Jobs::iterator place) noexcept;
  void forget_unwanted() noexcept;
  void provide_thread() noexcept;
  error_code start_thread() noexcept;
  static void* run_thread(void* pool) noexcept;
  void work() noexcept;
  const Question& await_question() noexcept;
  bool finish(const Question& question, const Found& found) noexcept;
  bool may_start(const Job& job) const noexcept;
  Clock::duration needed_patience() const noexcept;
  std::size_t busy() const noexcept { return threads_ - idle_; }
  bool many_are_wanted() const noexcept;

  const Ask ask_;
  std::mutex telling_;  // a fork waits until nobody is being told; taken before the other
  std::mutex mutex_;
  std::condition_variable wake_;
  Jobs waiting_;
  detail::List<Job> queue_;  // of what waits: first come, first served
  Jobs running_;             // each is really asked, so that it can be joined
  std::size_t sweep_at_ = 64;
  std::size_t threads_ = 0;
  std::size_t idle_ = 0;  // those that are just being made or have answered among them
};

}  // namespace libnet::transport
