#pragma once

#include <dlfcn.h>
#include <netdb.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

/// A name server that does not answer: getaddrinfo hangs for names that end in ".stuck", until the gate opens. Defines the
/// program's getaddrinfo; to be included by one source of a program.
namespace libnet::test {

class Gate {
 public:
  void wait(std::string_view name) {
    std::unique_lock lock(mutex_);
    asked_.emplace_back(name);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
    --waiting_;
    changed_.notify_all();
  }
  void await(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ == count; });
  }
  void set_open(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  int waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }
  /// How often this name was asked for.
  int asked_for(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(std::count(asked_.begin(), asked_.end(), name));
  }
  /// Which signals reach a thread of the library; noted at every call, also for other names.
  void note_signals() {
    sigset_t blocked;
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    const std::lock_guard lock(mutex_);
    for (int signal = 1; signal <= SIGRTMAX; ++signal) {
      const bool is_for_programs = signal != SIGKILL && signal != SIGSTOP && (signal < 32 || signal >= SIGRTMIN);
      if (is_for_programs && sigismember(&blocked, signal) == 0) heard_.push_back(signal);
    }
  }
  std::vector<int> heard_signals() const {
    const std::lock_guard lock(mutex_);
    return heard_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
  std::vector<std::string> asked_;
  std::vector<int> heard_;
};

inline Gate& gate() {
  static Gate* const never_destroyed = new Gate;  // threads of the library may wait at it to the end
  return *never_destroyed;
}

/// Shuts the gate for one case; then lets all go, and waits until they have.
class GateShut {
 public:
  GateShut() { gate().set_open(false); }
  GateShut(const GateShut&) = delete;
  GateShut& operator=(const GateShut&) = delete;
  ~GateShut() { open(); }

  static void open() {
    gate().set_open(true);
    gate().await(0);
  }
};

/// A name that no lookup asks for yet: one that is just coming to its end would be joined.
inline std::string new_name() {
  static int names = 0;
  return std::to_string(++names) + ".stuck";
}

}  // namespace libnet::test

extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** result) {
  const std::string_view name(host);
  libnet::test::gate().note_signals();
  if (name.ends_with(".stuck")) {
    libnet::test::gate().wait(name);
    return EAI_AGAIN;
  }
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  return real(host, service, hints, result);
}
