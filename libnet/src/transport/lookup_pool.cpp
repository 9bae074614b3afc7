#include "transport/lookup_pool.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <functional>
#include <new>
#include <utility>

#include <pthread.h>

#include "transport/native.hpp"

namespace libnet::transport {

namespace {

using namespace std::chrono_literals;

// While what waits may not start yet: how soon its time may have come, or somebody else may have given up.
constexpr auto look_again = 5ms;

void tell(const LookupAnswer& answer, const Found& found) noexcept try {
  found.code ? answer(Error(found.code)) : answer(found.addresses);
} catch (const std::bad_alloc&) {
  answer(Error(system_error(ENOMEM), "getaddrinfo"));
}

void tell(const auto& jobs, const Found& found) noexcept {
  for (const auto& [question, job] : jobs) {
    for (const LookupAnswer& answer : job.answers) tell(answer, found);
  }
}

/// While it lives, threads that are made here block all signals: those are for the threads of the program.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

bool LookupPool::Job::wanted() const noexcept {
  return std::any_of(answers.begin(), answers.end(), std::mem_fn(&LookupAnswer::wanted));
}

// --- asking --------------------------------------------------------------------------------------------------------

void LookupPool::submit(Question question, LookupAnswer answer) {
  {
    const std::lock_guard lock(mutex_);
    if (join(running_, question, answer) || join(waiting_, question, answer)) return;
    enqueue(std::move(question), std::move(answer));
  }
  wake_.notify_one();
  provide_thread();
}

bool LookupPool::join(Jobs& jobs, const Question& question, LookupAnswer& answer) {
  const auto same = jobs.find(question);
  if (same == jobs.end()) return false;
  same->second.answers.push_back(std::move(answer));
  return true;
}

void LookupPool::enqueue(Question question, LookupAnswer answer) {
  if (waiting_.size() >= sweep_at_) {
    std::erase_if(waiting_, [](const auto& entry) { return !entry.second.wanted(); });
    sweep_at_ = 2 * waiting_.size() + 64;
  }
  put_in_queue(waiting_.try_emplace(std::move(question), std::move(answer)).first);
}

void LookupPool::put_in_queue(Jobs::iterator place) noexcept {
  place->second.question = &place->first;
  queue_.push_back(place->second);
}

/// Sees to it that a thread looks after what waits, unless all are busy. If none can be made, all that waits is told so.
void LookupPool::provide_thread() noexcept {
  const std::lock_guard telling(telling_);
  Jobs refused;
  error_code code;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.empty() || idle_ > 0 || threads_ == most_threads) return;
    code = start_thread();
    if (!code) return;
    while (!queue_.empty()) queue_.pop_front();
    refused.swap(waiting_);
  }
  tell(refused, {code, {}});
}

error_code LookupPool::start_thread() noexcept {
  pthread_attr_t detached;
  if (const int failure = ::pthread_attr_init(&detached)) return system_error(failure);
  ::pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  const SignalsBlocked inherited;
  pthread_t made{};
  const int failure = ::pthread_create(&made, &detached, &LookupPool::run_thread, this);
  ::pthread_attr_destroy(&detached);
  if (failure != 0) return system_error(failure);
  ++threads_;
  ++idle_;
  return {};
}

// --- around fork(2) ------------------------------------------------------------------------------------------------

void LookupPool::before_fork() noexcept {
  telling_.lock();
  mutex_.lock();
}

void LookupPool::after_fork_in_parent() noexcept {
  mutex_.unlock();
  telling_.unlock();
}

void LookupPool::after_fork_in_child() noexcept {
  ::new (&wake_) std::condition_variable;  // those who waited at the old one do not exist here
  threads_ = idle_ = 0;
  while (!running_.empty()) put_in_queue(waiting_.insert(running_.extract(running_.begin())).position);
  after_fork_in_parent();
}

void LookupPool::resume() noexcept { provide_thread(); }

// --- in a thread ---------------------------------------------------------------------------------------------------

void* LookupPool::run_thread(void* pool) noexcept {
  static_cast<LookupPool*>(pool)->work();
  return nullptr;
}

void LookupPool::work() noexcept {
  bool needed = true;
  while (needed) {
    const Question& question = await_question();
    needed = finish(question, ask_(question));
  }
}

const Question& LookupPool::await_question() noexcept {
  const Question* question = nullptr;
  {
    std::unique_lock lock(mutex_);
    for (forget_unwanted(); waiting_.empty() || !may_start(queue_.front()); forget_unwanted()) {
      waiting_.empty() ? wake_.wait(lock) : static_cast<void>(wake_.wait_for(lock, look_again));
    }
    question = queue_.pop_front().question;
    running_.insert(waiting_.extract(*question));
    --idle_;
  }
  provide_thread();
  return *question;
}

/// Returns whether the thread is to go on.
bool LookupPool::finish(const Question& question, const Found& found) noexcept {
  const std::lock_guard telling(telling_);
  Jobs done;
  {
    const std::lock_guard lock(mutex_);
    done.insert(running_.extract(question));
    ++idle_;
  }
  tell(done, found);
  const std::lock_guard lock(mutex_);
  if (idle_ <= most_idle || !waiting_.empty()) return true;
  --idle_;
  --threads_;
  return false;
}

void LookupPool::forget_unwanted() noexcept {
  while (!waiting_.empty() && !queue_.front().wanted()) waiting_.erase(*queue_.front().question);
}

bool LookupPool::may_start(const Job& job) const noexcept {
  return !many_are_wanted() && Clock::now() - job.since >= needed_patience();
}

bool LookupPool::many_are_wanted() const noexcept {
  const auto wanted = [](const auto& entry) { return entry.second.wanted(); };
  return busy() >= most_wanted &&
         static_cast<std::size_t>(std::count_if(running_.begin(), running_.end(), wanted)) >= most_wanted;
}

LookupPool::Clock::duration LookupPool::needed_patience() const noexcept {
  if (busy() < quick_threads) return 0ms;
  return 1ms * (1 << (busy() - quick_threads) / 2);
}

}  // namespace libnet::transport
