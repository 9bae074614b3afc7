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
  Jobs refused;
  error_code code;
  {
    const std::lock_guard lock(mutex_);
    if (join(running_, question, answer) || join(waiting_, question, answer)) return;
    enqueue(std::move(question), std::move(answer));
    wake_.notify_one();
    code = provide_thread(refused);
  }
  tell_all(refused, {code, {}});
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
  const auto place = waiting_.try_emplace(std::move(question), std::move(answer)).first;
  place->second.question = &place->first;
  queue_.push_back(place->second);
}

/// Sees to it that a thread looks after what waits, unless all are busy. What waits in vain is taken out.
error_code LookupPool::provide_thread(Jobs& refused) noexcept {
  if (waiting_.empty() || idle_ > 0 || threads_ == most_threads) return {};
  const error_code code = start_thread();
  if (!code) return {};
  while (!queue_.empty()) queue_.pop_front();
  refused.swap(waiting_);
  return code;
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

// --- in a thread ---------------------------------------------------------------------------------------------------

void* LookupPool::run_thread(void* pool) noexcept {
  static_cast<LookupPool*>(pool)->work();
  return nullptr;
}

void LookupPool::work() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    Job& job = await_job(lock);
    Jobs done;  // what cannot be asked, then what was
    Found found{provide_thread(done), {}};
    tell_taken(lock, done, found);
    lock.unlock();
    found = ask_(*job.question);
    lock.lock();
    done.insert(running_.extract(*job.question));
    ++idle_;
    tell_taken(lock, done, found);
    if (idle_ > most_idle && waiting_.empty()) break;
  }
  --idle_;
  --threads_;
}

void LookupPool::tell_all(const Jobs& jobs, const Found& found) noexcept {
  for (const auto& [question, job] : jobs) std::ranges::for_each(job.answers, [&](auto& one) { tell(one, found); });
}

/// Tells what was taken out, without the lock, and forgets it.
void LookupPool::tell_taken(std::unique_lock<std::mutex>& lock, Jobs& jobs, const Found& found) noexcept {
  if (jobs.empty()) return;
  ++telling_;
  lock.unlock();
  tell_all(jobs, found);
  jobs.clear();
  lock.lock();
  if (--telling_ == 0) told_.notify_all();
}

LookupPool::Job& LookupPool::await_job(std::unique_lock<std::mutex>& lock) noexcept {
  for (forget_unwanted(); waiting_.empty() || !may_start(queue_.front()); forget_unwanted()) {
    waiting_.empty() ? wake_.wait(lock) : static_cast<void>(wake_.wait_for(lock, look_again));
  }
  Job& job = queue_.pop_front();
  running_.insert(waiting_.extract(*job.question));
  --idle_;
  return job;
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

// --- around a fork -------------------------------------------------------------------------------------------------

/// Who is told holds locks of its own, which would stay locked in the child; and a question whose answer is lost there would
/// never be asked again.
void LookupPool::hold() noexcept {
  std::unique_lock lock(mutex_);
  told_.wait(lock, [this] { return telling_ == 0; });
  lock.release();
}

void LookupPool::release() noexcept { mutex_.unlock(); }

/// Conditions remember threads that wait for them, which are not here.
void LookupPool::release_in_child() noexcept {
  ::new (&wake_) std::condition_variable;
  ::new (&told_) std::condition_variable;
  threads_ = idle_ = 0;
  while (!running_.empty()) {
    const auto place = waiting_.insert(running_.extract(running_.begin())).position;
    queue_.push_back(place->second);
  }
  mutex_.unlock();
}

void LookupPool::resume() noexcept {
  Jobs refused;
  error_code code;
  {
    const std::lock_guard lock(mutex_);
    code = provide_thread(refused);
  }
  tell_all(refused, {code, {}});
}

}  // namespace libnet::transport
