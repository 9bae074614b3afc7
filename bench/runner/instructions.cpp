#include "instructions.hpp"

#include <csignal>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

#include <fmt/core.h>

#include "load/interruption.hpp"

namespace bench {

namespace {

constexpr unsigned fewer_rounds = 30;
constexpr unsigned more_rounds = 130;
constexpr int slowness = 6;  // how much more patience a server needs that valgrind runs
constexpr std::chrono::microseconds look_again{100};
constexpr std::chrono::seconds answer_time{10};

/// What a process does, in the letter of /proc: S if it waits for an event, T if it is stopped.
char state_of(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(") ");
  return name_end == std::string::npos ? '?' : line[name_end + 2];
}

void wait_for_state(const Child& server, char wanted, std::chrono::milliseconds patience) {
  const Clock::time_point limit = Clock::now() + patience;
  while (state_of(server.id()) != wanted) {
    throw_if_interrupted();
    if (Clock::now() > limit) throw std::runtime_error(fmt::format("the server did not come to state {}", wanted));
    std::this_thread::sleep_for(look_again);
  }
}

/// How many events a wake-up finds depends on timing, and what a message costs depends on that. So the server stands
/// still, at rest in its wait for events, while a round is sent: one wake-up finds the whole round.
class CountedTrial {
 public:
  CountedTrial(const Scenario& scenario, const Rival& rival, const TrialSettings& settings)
      : patience_(settings.patience), trial_(scenario, rival, settings) {}

  double instructions(unsigned rounds) {
    round([&] { trial_.connect(); });
    for (unsigned done = 1; done < rounds; ++done) round([] {});
    trial_.drive([&](const Load&) { await_rest(); });  // an answer may have left before its message is done with
    trial_.end(patience_);
    return collected();
  }

  double units() {
    double units = 0;
    trial_.drive([&](const Load& load) { units = load.units(); });
    return units;
  }

 private:
  template <class Before>
  void round(const Before& before) {
    trial_.drive([&](const Load&) { stop(); });
    before();
    trial_.drive([&](Load& load) {
      load.begin_round();
      trial_.server().signal(SIGCONT);
      load.settle();
    });
  }

  void await_rest() const { wait_for_state(trial_.server(), 'S', patience_); }

  void stop() const {
    await_rest();
    trial_.server().signal(SIGSTOP);
    wait_for_state(trial_.server(), 'T', patience_);
  }

  /// callgrind's last words are `Collected : COUNT`.
  double collected() const {
    const std::string said = trial_.server().complaint();
    const std::size_t place = said.rfind("Collected :");
    double count = 0;
    if (place == std::string::npos || !(std::istringstream(said.substr(said.find(':', place) + 1)) >> count)) {
      throw std::runtime_error("valgrind gave no count; it wrote: " + said);
    }
    return count;
  }

  std::chrono::milliseconds patience_;
  Trial trial_;
};

}  // namespace

void require_instruction_counter() {
  Child valgrind({.command = {"valgrind", "--version"}});
  if (valgrind.read_line(answer_time)) return;
  throw std::runtime_error(
      fmt::format("instructions are counted by valgrind, which does not run here; needs the package {} ({})",
                  instructions_need, valgrind.complaint()));
}

double count_instructions(const Scenario& scenario, const Rival& rival, const TrialSettings& settings) {
  TrialSettings counted = settings;
  counted.under = {"valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"};
  counted.patience *= slowness;
  CountedTrial shorter(scenario, rival, counted);
  const double before = shorter.instructions(fewer_rounds);
  CountedTrial longer(scenario, rival, counted);
  const double after = longer.instructions(more_rounds);
  return (after - before) / (longer.units() - shorter.units());
}

}  // namespace bench
