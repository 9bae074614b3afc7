#include "measure.hpp"

#include <ctime>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <string>

#include <fmt/core.h>

#include "instructions.hpp"
#include "load/interruption.hpp"

namespace bench {

namespace {

constexpr std::chrono::milliseconds memory_pause{100};
constexpr int most_memory_readings = 50;

/// A process's own clock: the time that it was on a core.
class CpuClock {
 public:
  explicit CpuClock(pid_t process) {
    if (::clock_getcpuclockid(process, &clock_) != 0) throw std::runtime_error("the server has no CPU clock");
  }

  double nanoseconds() const {
    timespec time{};
    checked(::clock_gettime(clock_, &time), "clock_gettime");
    return 1e9 * static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec);
  }

 private:
  clockid_t clock_{};
};

double private_dirty_bytes(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/smaps_rollup", process));
  for (std::string word; file >> word;) {
    if (double kibibytes = 0; word == "Private_Dirty:" && file >> kibibytes) return kibibytes * 1024;
  }
  throw std::runtime_error("smaps_rollup of the server cannot be read");
}

/// Reads until two readings agree: allocators and collectors may still be at work. Who never agrees gives its last.
double settled_memory(pid_t process) {
  double before = private_dirty_bytes(process);
  for (int reading = 0; reading < most_memory_readings; ++reading) {
    const timespec pause{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(memory_pause).count()};
    ::nanosleep(&pause, nullptr);
    throw_if_interrupted();
    const double now = private_dirty_bytes(process);
    if (now == before) break;
    before = now;
  }
  return before;
}

/// The load ends by itself; what it leaves in the server is weighed.
Sample weigh(Trial& trial) {
  Sample sample;
  trial.drive([&](Load& load) {
    const double before = settled_memory(trial.server().id());
    load.exchange(Clock::time_point::max());
    sample.bytes = (settled_memory(trial.server().id()) - before) / load.units();
  });
  return sample;
}

Sample time(Trial& trial, std::chrono::milliseconds window) {
  Sample sample;
  trial.drive([&](Load& load) {
    const CpuClock clock(trial.server().id());
    load.latency().clear();
    const double units = load.units();
    const Clock::time_point begin = Clock::now();
    const double cpu = clock.nanoseconds();
    load.exchange(begin + window);
    const double used = clock.nanoseconds() - cpu;
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const double done = load.units() - units;
    sample = {.cpu_ns = used / done, .rate = done / seconds, .latency = load.latency()};
  });
  return sample;
}

}  // namespace

Sample measure(const Scenario& scenario, const Rival& rival, const TrialSettings& settings,
               std::chrono::milliseconds window) {
  if (scenario.leading == Leading::instructions) {
    return {.instructions = count_instructions(scenario, rival, settings)};
  }
  Trial trial(scenario, rival, settings);
  trial.connect_and_warm_up();
  Sample sample = scenario.leading == Leading::bytes ? weigh(trial) : time(trial, window);
  trial.end();
  return sample;
}

}  // namespace bench
