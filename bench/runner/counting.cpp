#include "counting.hpp"

#include <csignal>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include "counting/counters.hpp"

namespace bench {

namespace {

constexpr std::chrono::milliseconds quiet_time{20};  // for what the server still does without being asked
constexpr std::chrono::seconds strace_time{5};

/// A few bytes that the server's counting library shares with this process.
class SharedCounters {
 public:
  SharedCounters() : file_(checked(::memfd_create("counters", MFD_CLOEXEC), "memfd_create")) {
    checked(::ftruncate(file_.number(), sizeof(Counters)), "ftruncate");
    void* mapped = ::mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED, file_.number(), 0);
    if (mapped == MAP_FAILED) throw std::runtime_error("mmap failed");
    counters_ = static_cast<Counters*>(mapped);
  }
  SharedCounters(const SharedCounters&) = delete;
  SharedCounters& operator=(const SharedCounters&) = delete;
  ~SharedCounters() { ::munmap(counters_, sizeof(Counters)); }

  int descriptor() const noexcept { return file_.number(); }
  const Counters* operator->() const noexcept { return counters_; }

 private:
  Descriptor file_;
  Counters* counters_ = nullptr;
};

double exchange_for(Load& load, std::chrono::milliseconds time) {
  const double before = load.units();
  load.exchange(Clock::now() + time);
  return load.units() - before;
}

/// strace at a running process, counting.
class Strace {
 public:
  explicit Strace(pid_t process)
      : child_({.command = {"strace", "-c", "-f", "-U", "calls,name", "-o", "/dev/stdout", "-p",
                            std::to_string(process)}}) {
    const Clock::time_point limit = Clock::now() + strace_time;
    while (child_.complaint().find(" attached") == std::string::npos) {
      if (child_.ends_within(std::chrono::milliseconds(1)) || Clock::now() > limit) {
        throw CannotCount("system calls are not counted: strace: " + child_.complaint());
      }
    }
  }

  /// Ends it; the calls it saw.
  double finish() {
    child_.signal(SIGINT);
    while (const auto line = child_.read_line(strace_time)) {
      std::istringstream words(*line);
      double calls = 0;
      std::string name;
      if (words >> calls >> name && name == "total") return calls;
    }
    throw CannotCount("system calls are not counted: strace gave no total: " + child_.complaint());
  }

 private:
  Child child_;
};

void wait_until_quiet(Load& load) {
  load.settle();
  std::this_thread::sleep_for(quiet_time);
}

}  // namespace

double count_allocations(const Scenario& scenario, const Rival& rival, const TrialSettings& settings,
                         std::chrono::milliseconds time, const std::string& library) {
  if (!std::filesystem::exists(library)) throw CannotCount("allocations are not counted: there is no " + library);
  const SharedCounters counters;
  TrialSettings preloaded = settings;
  preloaded.environment = {"LD_PRELOAD=" + library, fmt::format("{}={}", counters_variable, counters.descriptor())};
  preloaded.inherited = counters.descriptor();
  Trial trial(scenario, rival, preloaded);
  trial.connect_and_warm_up();
  if (counters->attached == 0) throw CannotCount(fmt::format("allocations of {} are not counted", rival.name));
  double allocations = 0;
  trial.drive([&](Load& load) {
    const std::uint64_t before = counters->allocations;
    const double units = exchange_for(load, time);
    allocations = static_cast<double>(counters->allocations - before) / units;
  });
  trial.end();
  return allocations;
}

double count_calls(const Scenario& scenario, const Rival& rival, const TrialSettings& settings,
                   std::chrono::milliseconds time) {
  Trial trial(scenario, rival, settings);
  trial.connect_and_warm_up();
  trial.drive(wait_until_quiet);
  Strace strace(trial.server().id());
  double units = 0;
  trial.drive([&](Load& load) {
    const double before = load.units();
    exchange_for(load, time);
    wait_until_quiet(load);
    units = load.units() - before;
  });
  const double calls = strace.finish();
  trial.end();
  return calls / units;
}

}  // namespace bench
