#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

#include "random/resources.hpp"
#include "random/shrink.hpp"

// Random sessions, each the case that its seed stands for. The cases run in a child: what a library does that breaks down
// is a fault like others. A case that fails is shrunk, and printed as a list of calls that `--replay` runs again.
namespace {

using namespace libnet::test::random;

struct Options {
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  std::size_t steps = 0;
  bool strands = false;
  bool keeps_going = false;
  bool shrinks = true;
  std::string replay;
};

constexpr std::string_view usage =
    "random_session [--seed N] [--count M] [--steps K] [--strands] [--keep-going] [--no-shrink]\n"
    "random_session --replay FILE\n"
    "  Runs the sessions of M seeds from N on, until one fails; that one is made as small as it gets, and printed.\n"
    "  --steps K     how many steps; otherwise the seed chooses\n"
    "  --strands     on two strands of a context that two threads run\n"
    "  --keep-going  names all seeds that fail, and shrinks none\n"
    "  --replay FILE runs the case in a file\n";

/// What a child tells its parent, whatever becomes of it.
struct Report {
  std::uint64_t seed;
  std::uint64_t failed;
  char rule[64];
  char what[4000];
};

Report& report() {
  static Report* const shared =
      static_cast<Report*>(::mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  return *shared;
}

void copy(char* to, std::size_t room, const std::string& text) {
  std::strncpy(to, text.c_str(), room - 1);
  to[room - 1] = '\0';
}

void note_fault(const Faults::Fault& fault) {
  copy(report().rule, sizeof(Report::rule), fault.rule);
  copy(report().what, sizeof(Report::what), fault.what);
}

/// Whether the case failed; its first fault is in the report.
bool fails_here(const Case& given) {
  Faults faults;
  run_checked(given, faults);
  if (faults.any()) note_fault(faults.found().front());
  return faults.any();
}

/// Runs something in a child. False if it found no fault and came to its end.
template <class Work>
bool fails_in_a_child(Work work) {
  report() = {};
  copy(report().rule, sizeof(Report::rule), "crash");
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) std::exit(work() ? 1 : 0);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) copy(report().what, sizeof(Report::what), ::strsignal(WTERMSIG(status)));
  return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

bool fails_like(const Case& given, const std::string& rule) {
  const bool failed = fails_in_a_child([&] {
    ::alarm(120);
    return fails_here(given);
  });
  return failed && rule == report().rule;
}

/// All seeds in one child; the report names the one that failed first, or was running.
bool run_seeds(const Options& options) {
  bool failed = false;
  for (std::uint64_t seed = options.seed; seed < options.seed + options.count; ++seed) {
    report().seed = seed;
    if (!fails_here(draw(seed, options.steps, options.strands))) continue;
    failed = true;
    if (!options.keeps_going) return true;
    std::cout << "seed " << seed << ": " << report().rule << ": " << report().what << std::endl;
  }
  return failed;
}

int explain(Case failing, const Options& options) {
  const std::string rule = report().rule;
  std::cout << "FAILED: " << rule << ": " << report().what << std::endl;
  if (options.shrinks) failing = shrink(failing, [&](const Case& candidate) { return fails_like(candidate, rule); });
  int times = 0;
  for (int run = 0; run < 5; ++run) times += fails_like(failing, rule) ? 1 : 0;
  std::cout << "# fails " << times << " of 5 times: " << rule << ": " << report().what << '\n' << failing;
  return 1;
}

int sweep(const Options& options) {
  if (!fails_in_a_child([&] { return run_seeds(options); })) {
    std::cout << options.count << " sessions from seed " << options.seed << " on: ok" << std::endl;
    return 0;
  }
  if (options.keeps_going) return 1;
  const std::uint64_t seed = report().seed;
  std::cout << "seed " << seed << ": ";
  return explain(draw(seed, options.steps, options.strands), options);
}

int replay(const Options& options) {
  std::ifstream file(options.replay);
  if (!file) throw std::runtime_error("cannot read " + options.replay);
  const Case given = parse_case(file);
  if (fails_in_a_child([&] { return fails_here(given); })) return explain(given, options);
  std::cout << "ok" << std::endl;
  return 0;
}

Options parse(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    const auto value = [&] {
      if (++i == count) throw std::invalid_argument(std::string(word) + " needs a value");
      return std::string(words[i]);
    };
    if (word == "--seed")
      options.seed = std::stoull(value());
    else if (word == "--count")
      options.count = std::stoull(value());
    else if (word == "--steps")
      options.steps = std::stoull(value());
    else if (word == "--replay")
      options.replay = value();
    else if (word == "--strands")
      options.strands = true;
    else if (word == "--keep-going")
      options.keeps_going = true;
    else if (word == "--no-shrink")
      options.shrinks = false;
    else
      throw std::invalid_argument("unknown word " + std::string(word));
  }
  return options;
}

}  // namespace

int main(int count, char** words) try {
  const Options options = parse(count, words);
  spdlog::register_logger(std::make_shared<spdlog::logger>("libnet", std::make_shared<spdlog::sinks::null_sink_mt>()));
  return options.replay.empty() ? sweep(options) : replay(options);
} catch (const std::invalid_argument& wrong) {
  std::cerr << wrong.what() << '\n' << usage;
  return 2;
} catch (const std::exception& thrown) {
  std::cerr << thrown.what() << '\n';
  return 2;
}
