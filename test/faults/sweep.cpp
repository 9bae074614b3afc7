#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault.hpp"
#include "trial.hpp"

/// Takes each step of the scenario again and again, each time in a process of its own with another fault, and says what
/// became of it. Fails if anything hung, span, leaked a descriptor, tore a stream or crashed.
namespace libnet::faults {

namespace {

// Longer than any trial takes; then the process is stuck in a way that it cannot notice.
constexpr unsigned longest_trial = 20;  // [s]

enum class Kind : std::uint8_t { nothing, allocation, allocations, call };
constexpr std::array<const char*, 4> kind_names{"no fault", "one allocation", "allocations from there on",
                                                "system call"};

struct Point {
  const NamedStep* step = nullptr;
  ReactorKind reactor = ReactorKind::epoll;
  Kind kind = Kind::nothing;
  std::uint64_t nth = 0;
  Function function = Function::socket;
  int code = 0;
};

const char* name_of(ReactorKind reactor) { return reactor == ReactorKind::epoll ? "epoll" : "portable"; }

std::string to_string(const Point& point) {
  std::string text = std::string(name_of(point.reactor)) + ' ' + point.step->name + ' ';
  if (point.kind == Kind::call) {
    const char* const code = ::strerrorname_np(point.code);
    return text + std::string(name_of(point.function)) + ' ' + std::to_string(point.nth) + ' ' +
           (code != nullptr ? code : std::to_string(point.code));
  }
  return text + (point.kind == Kind::allocations ? "allocations " : "allocation ") + std::to_string(point.nth);
}

void arm(const Point& point) {
  switch (point.kind) {
    case Kind::nothing: return count();
    case Kind::allocation: return fail_allocation(point.nth, Lasts::once);
    case Kind::allocations: return fail_allocation(point.nth, Lasts::for_good);
    case Kind::call: return fail_call(point.function, point.nth, point.code);
  }
}

/// Asio sets its timer with a call whose failure it does not look at; the portable reactor's time is Asio's.
bool is_asios(const Point& point) {
  return point.reactor == ReactorKind::portable && point.kind == Kind::call &&
         point.function == Function::timerfd_settime;
}

struct Options {
  std::size_t jobs = 2;
  std::size_t sample = 0;  // points; 0: all
  std::uint64_t nth = 0;   // 0: all
  bool verbose = false;
  bool here = false;  // the first point that fits, in this process, for a debugger
  std::string_view step;
  std::string_view reactor;
  std::string_view kind;
};

/// The processes that run, each with a place to put its report.
class Runner {
 public:
  explicit Runner(const Options& options) : options_(options), running_(options.jobs) {
    const std::size_t size = options.jobs * sizeof(Trial::Report);
    void* const shared = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) std::abort();
    reports_ = static_cast<Trial::Report*>(shared);
  }

  void start(const Point& point) {
    std::size_t free = 0;
    while (free < running_.size() && running_[free].process != 0) ++free;
    if (free == running_.size()) free = wait_for_one();
    reports_[free] = {};
    const bool here = options_.here && point.kind != Kind::nothing;
    const pid_t process = here ? 0 : ::fork();
    if (process == 0) take(point, reports_[free]);
    running_[free] = {process, point};
  }

  void wait_for_all() {
    while (wait_for_one() != running_.size()) {
    }
  }

  /// What the step did without a fault.
  Trial::Report count_calls(const Point& point) {
    start(point);
    const std::size_t place = wait_for_one();
    if (reports_[place].outcome != Outcome::right) {
      std::printf("%s %s without a fault: %s: %s\n", name_of(point.reactor), point.step->name,
                  name_of(reports_[place].outcome).data(), reports_[place].text.data());
      broken_ = true;
    }
    return reports_[place];
  }

  void print_table() const {
    std::printf("\n%-36s", "");
    for (std::size_t i = 0; i < outcomes; ++i) std::printf("%8s", name_of(static_cast<Outcome>(i)).data());
    std::printf("\n");
    for (const ReactorKind reactor : {ReactorKind::epoll, ReactorKind::portable}) {
      for (std::size_t kind = 1; kind < kind_names.size(); ++kind) {
        std::printf("%-36s", (std::string(name_of(reactor)) + ", " + kind_names[kind]).c_str());
        for (const std::size_t number : table_[reactor == ReactorKind::epoll ? 0 : 1][kind])
          std::printf("%8zu", number);
        std::printf("\n");
      }
    }
  }

  bool good() const { return !broken_; }

  /// For scripts/behaviours: which statements held, over what, at how many points.
  void print_cases() const {
    for (const ReactorKind reactor : {ReactorKind::epoll, ReactorKind::portable}) {
      const auto& counts = table_[reactor == ReactorKind::epoll ? 0 : 1];
      const auto sum = [&](Kind kind) {
        std::size_t points = 0;
        for (const std::size_t number : counts[static_cast<std::size_t>(kind)]) points += number;
        return points;
      };
      std::printf("CASE B306_any_allocation_may_fail_tcp4_%s %zu both\n", name_of(reactor),
                  sum(Kind::allocation) + sum(Kind::allocations));
      std::printf("CASE B307_any_system_call_may_fail_tcp4_%s %zu both\n", name_of(reactor), sum(Kind::call));
    }
  }

 private:
  struct Running {
    pid_t process = 0;
    Point point;
  };

  [[noreturn]] void take(const Point& point, Trial::Report& report) const {
    options_.here ? stop_when_fired() : static_cast<void>(::alarm(longest_trial));
    if (!options_.verbose) {
      const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
      ::dup2(nowhere, STDERR_FILENO);
      ::close(nowhere);
    }
    {
      Trial trial(point.reactor);
      trial.run(point.step->take, point.step->from_nothing, [&] { arm(point); }, report);
    }
    ::_exit(0);
  }

  /// Its place; the number of places if none runs.
  std::size_t wait_for_one() {
    int status = 0;
    const pid_t process = ::waitpid(-1, &status, 0);
    for (std::size_t place = 0; place < running_.size(); ++place) {
      if (process < 0 || running_[place].process != process) continue;
      running_[place].process = 0;
      ended(running_[place].point, reports_[place], status);
      return place;
    }
    return running_.size();
  }

  void ended(const Point& point, Trial::Report& report, int status) {
    if (WIFSIGNALED(status)) {
      report.fired = true;
      report.outcome = WTERMSIG(status) == SIGALRM ? Outcome::hang : Outcome::crash;
      std::snprintf(report.text.data(), report.text.size(), "signal %d", WTERMSIG(status));
    }
    if (point.kind == Kind::nothing || !report.fired) return;
    ++table_[point.reactor == ReactorKind::epoll ? 0 : 1][static_cast<std::size_t>(point.kind)]
            [static_cast<std::size_t>(report.outcome)];
    const bool good = report.outcome == Outcome::right || report.outcome == Outcome::told;
    if (!good) broken_ = true;
    if (!good || options_.verbose) {
      std::printf("%s: %s: %s\n", to_string(point).c_str(), name_of(report.outcome).data(), report.text.data());
      std::fflush(stdout);
    }
  }

  const Options& options_;
  std::vector<Running> running_;
  Trial::Report* reports_ = nullptr;
  std::array<std::array<std::array<std::size_t, outcomes>, kind_names.size()>, 2> table_{};
  bool broken_ = false;
};

bool wanted(const Options& options, const Point& point) {
  const auto fits = [](std::string_view filter, std::string_view value) { return filter.empty() || filter == value; };
  const std::string_view kind = point.kind == Kind::call          ? name_of(point.function)
                                : point.kind == Kind::allocations ? "famine"
                                                                  : "memory";
  return fits(options.step, point.step->name) && fits(options.reactor, name_of(point.reactor)) &&
         (fits(options.kind, kind) || (options.kind == "calls" && point.kind == Kind::call)) &&
         (options.nth == 0 || options.nth == point.nth) && !is_asios(point);
}

/// All points of one step with one reactor.
std::vector<Point> points_of(Runner& runner, const Options& options, Point point) {
  std::vector<Point> points;
  const auto add = [&] {
    if (wanted(options, point)) points.push_back(point);
  };
  const Trial::Report counted = runner.count_calls(point);
  for (const Kind kind : {Kind::allocation, Kind::allocations}) {
    point.kind = kind;
    for (point.nth = 1; point.nth <= counted.allocations; ++point.nth) add();
  }
  point.kind = Kind::call;
  for (std::size_t i = 0; i < functions; ++i) {
    point.function = static_cast<Function>(i);
    for (point.nth = 1; point.nth <= counted.calls[i]; ++point.nth) {
      for (const int code : errors_of(point.function)) {
        point.code = code;
        add();
      }
    }
  }
  return points;
}

std::vector<Point> all_points(Runner& runner, const Options& options) {
  std::vector<Point> points;
  for (const ReactorKind reactor : {ReactorKind::epoll, ReactorKind::portable}) {
    if (!options.reactor.empty() && options.reactor != name_of(reactor)) continue;
    for (const NamedStep& step : steps()) {
      if (!options.step.empty() && options.step != step.name) continue;
      const auto some = points_of(runner, options, {.step = &step, .reactor = reactor});
      points.insert(points.end(), some.begin(), some.end());
    }
  }
  return points;
}

/// As many as are wanted, evenly spread: the same ones each time.
std::vector<Point> sampled(const std::vector<Point>& points, std::size_t sample) {
  if (sample == 0 || points.size() <= sample) return points;
  std::vector<Point> some;
  for (std::size_t i = 0; i < sample; ++i) some.push_back(points[i * points.size() / sample]);
  return some;
}

std::optional<Options> parse(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    const auto value = [&] { return i + 1 < count ? std::string_view(arguments[++i]) : std::string_view(); };
    if (name == "--jobs") {
      options.jobs = static_cast<std::size_t>(std::max(1, std::atoi(value().data())));
    } else if (name == "--sample") {
      options.sample = static_cast<std::size_t>(std::max(1, std::atoi(value().data())));
    } else if (name == "--step") {
      options.step = value();
    } else if (name == "--reactor") {
      options.reactor = value();
    } else if (name == "--kind") {
      options.kind = value();
    } else if (name == "--nth") {
      options.nth = static_cast<std::uint64_t>(std::max(1, std::atoi(value().data())));
    } else if (name == "--here") {
      options.here = true;
    } else if (name == "--verbose") {
      options.verbose = true;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

int sweep(const Options& options) {
  Runner runner(options);
  const std::vector<Point> all = all_points(runner, options);
  const std::vector<Point> points = sampled(all, options.sample);
  std::printf("%zu of %zu points\n", points.size(), all.size());
  for (const Point& point : points) runner.start(point);
  runner.wait_for_all();
  runner.print_table();
  if (runner.good()) runner.print_cases();
  return runner.good() ? 0 : 1;
}

}  // namespace

}  // namespace libnet::faults

int main(int count, char** arguments) {
  const auto options = libnet::faults::parse(count, arguments);
  if (!options) {
    std::puts(
        "fault_sweep [--sample <points>] [--jobs <processes>] [--step <name>] [--reactor epoll|portable]\n"
        "            [--kind memory|famine|calls|<function>] [--nth <number>] [--verbose] [--here]");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  libnet::faults::prepare();
  return libnet::faults::sweep(*options);
}
