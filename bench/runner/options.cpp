#include "options.hpp"

#include <algorithm>

#include <fmt/core.h>
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "common/command_line.hpp"

namespace bench {

namespace {

constexpr const char* description =
    "Drives the same small servers, written with libnet and with others, and prints how they compare within this run.";

constexpr const char* examples = R"(Examples:
  libnet-bench --quick                               a look at everything, in under a minute
  libnet-bench --scenario echo-64x64 --rival libuv   libnet is left out, the baseline never is
  libnet-bench --instructions                        exact counts, which an idle machine is not needed for
  libnet-bench --output new.json --html new.html --compare old.json)";

constexpr unsigned quick_rounds = 1;
constexpr unsigned quick_window_ms = 50;
constexpr unsigned instruction_rounds = 2;  // the count is exact; the second shows it

/// Names of which each must be known.
CLI::Option* add_names(CLI::App& app, const std::string& option, std::vector<std::string>& chosen,
                       const std::vector<std::string>& known, const std::string& what, const std::string& help) {
  return app.add_option(option, chosen, help)
      ->type_name("NAME")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->check([&known, what](const std::string& name) {
        if (std::ranges::count(known, name) != 0) return std::string();
        return fmt::format("there is no {} '{}'; there are: {}", what, name, fmt::join(known, ", "));
      });
}

}  // namespace

std::optional<Options> parse_options(int argument_count, const char* const* arguments,
                                     const std::vector<std::string>& scenarios, const std::vector<std::string>& rivals,
                                     int& status) {
  Options options;
  CLI::App app(description, "libnet-bench");
  app.footer(examples);
  app.add_flag("--list", options.list, "List the scenarios and the rivals, and what is missing");
  auto* scenario = add_names(app, "--scenario", options.scenarios, scenarios, "scenario",
                             "Only this one; may be repeated [all timed]");
  add_names(app, "--rival", options.rivals, rivals, "rival", "Only this one and the baseline; may be repeated [all]");
  auto* rounds = app.add_option("--rounds", options.rounds, "How often each is measured, in turn")
                     ->capture_default_str()
                     ->check(CLI::Range(1, 1000));
  auto* window = app.add_option("--window", options.window_ms, "How long each is measured in a round [ms]")
                     ->capture_default_str()
                     ->check(CLI::Range(10, 600'000));
  auto* quick = app.add_flag("--quick", options.quick,
                             "One round, short windows, fewer connections: says little, but runs everything");
  auto* instructions =
      app.add_flag("--instructions", options.instructions,
                   "In place of timing, count user-space instructions for each message; needs valgrind");
  for (CLI::Option* timed : {scenario, window, quick}) instructions->excludes(timed);
  app.add_option("--output", options.output, "Write the result as JSON")->type_name("FILE.json");
  app.add_option("--html", options.html, "Write the result as a page")->type_name("FILE.html");
  app.add_option("--compare", options.compare, "Print what changed since this result")->type_name("OLD.json");
  app.add_flag("!--no-counting", options.counting, "Count no heap allocations and no system calls");
  if (const auto ended = read_command_line(app, "libnet-bench", argument_count, arguments)) {
    status = *ended;
    return std::nullopt;
  }
  if (options.quick && rounds->empty()) options.rounds = quick_rounds;
  if (options.quick && window->empty()) options.window_ms = quick_window_ms;
  if (options.instructions && rounds->empty()) options.rounds = instruction_rounds;
  return options;
}

}  // namespace bench
