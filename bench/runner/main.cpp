#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>

#include <fmt/core.h>
#include <unistd.h>

#include "build.hpp"
#include "common/command_line.hpp"
#include "compare.hpp"
#include "goals.hpp"
#include "instructions.hpp"
#include "json.hpp"
#include "load/interruption.hpp"
#include "machine.hpp"
#include "options.hpp"
#include "page.hpp"
#include "run.hpp"
#include "table.hpp"

namespace bench {

namespace {

constexpr const char* program = "libnet-bench";
constexpr std::size_t own_descriptors = 200;  // those that are no connections
constexpr Scale quick_scale{.idle_connections = 1'000, .fan_out_connections = 200};

std::string program_folder() { return std::filesystem::read_symlink("/proc/self/exe").parent_path().string(); }

template <class Named>
std::vector<std::string> names(const std::vector<Named>& all) {
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const Named& one : all) names.push_back(one.name);
  return names;
}

template <class Named>
bool is_named(const std::vector<std::string>& names, const Named& one) {
  return std::ranges::count(names, one.name) != 0;
}

/// Those that were asked for, in their own order; if none was, all that are timed, or all that count instructions.
std::vector<Scenario> chosen_scenarios(const Options& options, const Scale& scale) {
  std::vector<Scenario> all = scenarios(scale);
  std::erase_if(all, [&](const Scenario& one) {
    if (!options.scenarios.empty()) return !is_named(options.scenarios, one);
    return (one.leading == Leading::instructions) != options.instructions;
  });
  return all;
}

/// Those that were asked for, in their own order, and the baseline; all if none was.
std::vector<Rival> chosen_rivals(const Options& options, std::vector<Rival> all) {
  if (options.rivals.empty()) return all;
  std::erase_if(all, [&](const Rival& one) { return one.name != baseline && !is_named(options.rivals, one); });
  return all;
}

bool counts_instructions(const Plan& plan) {
  return std::ranges::any_of(plan.scenarios, [](const Scenario& one) { return one.leading == Leading::instructions; });
}

Scale scale_of(const Options& options, std::vector<std::string>& notes) {
  Scale scale = options.quick ? quick_scale : Scale{};
  const std::size_t allowed = raise_descriptor_limit(scale.idle_connections + own_descriptors);
  const std::size_t connections = allowed - std::min(allowed, own_descriptors);
  if (connections < scale.idle_connections) {
    notes.push_back(fmt::format("only {} connections: this system allows {} descriptors", connections, allowed));
    scale.idle_connections = std::min(scale.idle_connections, connections);
    scale.fan_out_connections = std::min(scale.fan_out_connections, connections);
  }
  return scale;
}

std::vector<std::string> notes_on(const Plan& plan) {
  std::vector<std::string> notes;
  if (plan.cores.are_shared()) notes.emplace_back("server and load share one core: the figures mean little");
  if (plan.settings.quick) notes.emplace_back("a quick run: shows that everything works, its figures mean little");
  if (std::string(build::type) != "Release") notes.emplace_back("not a release build: the figures mean little");
  return notes;
}

Plan plan_of(const Options& options, const std::vector<Rival>& all_rivals, std::vector<std::string>& notes) {
  const Scale scale = scale_of(options, notes);
  Plan plan{.scenarios = chosen_scenarios(options, scale),
            .rivals = chosen_rivals(options, all_rivals),
            .cores = choose_cores()};
  plan.settings = {.rounds = options.rounds,
                   .window_ms = options.window_ms,
                   .warm_up_ms = std::min(200U, options.window_ms / 2),
                   .server_core = plan.cores.server,
                   .load_core = plan.cores.load,
                   .quick = options.quick};
  if (options.counting) plan.counting_library = program_folder() + "/liblibnet_bench_counting.so";
  const auto more = notes_on(plan);
  notes.insert(notes.end(), more.begin(), more.end());
  return plan;
}

void list(const std::vector<Rival>& all_rivals) {
  std::cout << "Scenarios\n";
  for (const Scenario& one : scenarios({})) std::cout << fmt::format("  {:<16}  {}\n", one.name, one.title);
  std::cout << "\nRivals\n";
  for (const Rival& one : all_rivals) {
    const RivalRecord record = inspect(one);
    std::cout << fmt::format("  {:<22}  {}\n", one.name, record.missing.value_or(record.version.value_or("")));
  }
}

/// Fails before everything is run, not after.
void require_writable(const std::string& path) {
  if (path.empty()) return;
  const bool existed = std::filesystem::exists(path);
  if (::access((existed ? path : std::filesystem::absolute(path).parent_path().string()).c_str(), W_OK) != 0) {
    throw std::runtime_error("cannot write " + path);
  }
}

bool has_failure(const Result& result) {
  return std::ranges::any_of(result.scenarios, [](const ScenarioRecord& scenario) {
    return std::ranges::any_of(scenario.rows, [](const Row& row) { return row.failure.has_value(); });
  });
}

Result take_result(const Options& options, const std::vector<Rival>& all_rivals) {
  std::vector<std::string> notes;
  const Plan plan = plan_of(options, all_rivals, notes);
  if (counts_instructions(plan)) require_instruction_counter();
  Result result = run(plan);
  result.taken = now_in_words();
  result.machine = this_machine();
  result.build = this_build();
  result.notes.insert(result.notes.begin(), notes.begin(), notes.end());
  result.goals = check_goals(result);
  return result;
}

int run_and_report(const Options& options, const std::vector<Rival>& all_rivals) {
  std::optional<Result> then;
  if (!options.compare.empty()) then = from_json(read_file(options.compare), options.compare);
  require_writable(options.output);
  require_writable(options.html);
  const Result result = take_result(options, all_rivals);
  std::cout << report(result);
  if (then) std::cout << '\n' << changes_text(compare(*then, result));
  std::cout << std::flush;
  if (!options.output.empty()) write_file(options.output, to_json(result));
  if (!options.html.empty()) write_file(options.html, to_page(result));
  return has_failure(result) ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main_of(int argument_count, char** arguments) {
  int status = EXIT_SUCCESS;
  const std::vector<Rival> all_rivals = rivals(program_folder(), build::sources);
  const std::vector<std::string> scenario_names = names(scenarios({}));
  const auto options = parse_options(argument_count, arguments, scenario_names, names(all_rivals), status);
  if (!options) return status;
  note_interruptions();
  if (!options->list) return run_and_report(*options, all_rivals);
  list(all_rivals);
  return EXIT_SUCCESS;
}

}  // namespace

}  // namespace bench

int main(int argument_count, char** arguments) try {
  return bench::main_of(argument_count, arguments);
} catch (const bench::Interrupted& interruption) {
  complain(bench::program, "interrupted");
  return 128 + interruption.signal;
} catch (const std::exception& error) {
  complain(bench::program, error.what());
  return EXIT_FAILURE;
}
