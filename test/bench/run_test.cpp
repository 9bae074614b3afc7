#include "run.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "counting.hpp"
#include "instructions.hpp"
#include "load/echo_load.hpp"
#include "measure.hpp"

namespace {

using namespace std::chrono_literals;

std::string folder() { return std::filesystem::read_symlink("/proc/self/exe").parent_path().string(); }

bench::Rival faulty(const std::string& fault) {
  return {.name = fault, .program = {folder() + "/bench_faulty_server", fault}};
}

bench::Rival bare() { return {.name = bench::baseline, .program = {folder() + "/bench-bare"}}; }

bench::Scenario echo() {
  return {.name = "echo",
          .title = "Echo",
          .unit = "message",
          .leading = bench::Leading::cpu,
          .server = "echo",
          .settings = {},
          .load = bench::driven_by<bench::EchoLoad>({.connections = 4, .size = 64})};
}

bench::TrialSettings settings() { return {.cores = bench::choose_cores(), .warm_up = 20ms, .patience = 2s}; }

/// How measuring this rival fails; empty if it does not.
std::string failure_of(const bench::Rival& rival, const bench::Scenario& scenario = echo()) try {
  bench::measure(scenario, rival, settings(), 50ms);
  return {};
} catch (const std::runtime_error& error) {
  BOOST_TEST_MESSAGE(error.what());
  return error.what();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

bench::Plan plan(std::vector<bench::Rival> rivals) {
  bench::Plan plan{.scenarios = {echo()}, .rivals = std::move(rivals), .cores = bench::choose_cores()};
  plan.settings.rounds = 3;
  plan.settings.window_ms = 20;
  plan.settings.warm_up_ms = 10;
  return plan;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_run)

BOOST_AUTO_TEST_CASE(server_that_is_right_is_measured) {
  const bench::Sample sample = bench::measure(echo(), bare(), settings(), 50ms);
  BOOST_TEST(sample.cpu_ns.value() > 0);
  BOOST_TEST(sample.rate.value() > 0);
  BOOST_TEST(!sample.bytes.has_value());
  BOOST_TEST(!sample.latency.is_empty());
}

BOOST_AUTO_TEST_CASE(one_wrong_byte_is_caught) { BOOST_TEST(contains(failure_of(faulty("corrupt")), "wrong bytes")); }

BOOST_AUTO_TEST_CASE(wrong_bytes_are_caught_by_every_load) {
  for (const bench::Scenario& scenario : bench::scenarios({.idle_connections = 10, .fan_out_connections = 10})) {
    BOOST_TEST(contains(failure_of(faulty("noise"), scenario), "wrong bytes"), scenario.name);
  }
}

BOOST_AUTO_TEST_CASE(server_that_never_answers_is_reported) {
  BOOST_TEST(contains(failure_of(faulty("silent")), "no progress for 2000 ms"));
}

BOOST_AUTO_TEST_CASE(server_that_crashes_is_reported_with_its_status_and_its_words) {
  const std::string failure = failure_of(faulty("crash"));
  BOOST_TEST(contains(failure, "the server ended with status 3"));
  BOOST_TEST(contains(failure, "it wrote: something broke"));
}

BOOST_AUTO_TEST_CASE(server_that_does_not_say_where_it_listens_is_reported) {
  BOOST_TEST(contains(failure_of(faulty("babble")), "the server said 'hello'"));
  BOOST_TEST(contains(failure_of(faulty("mute")), "did not say that it listens"));
}

BOOST_AUTO_TEST_CASE(program_that_cannot_be_run_is_reported) {
  BOOST_TEST(contains(failure_of({.name = "none", .program = {"/nowhere/none"}}), "cannot run /nowhere/none"));
}

BOOST_AUTO_TEST_CASE(server_that_ignores_the_request_to_end_is_killed) {
  bench::Child child({.command = {folder() + "/bench_faulty_server", "stubborn"}});
  BOOST_REQUIRE(child.read_line(10s).has_value());
  child.end(SIGTERM);
  BOOST_TEST(contains(child.ending(), "signal 9"));
}

BOOST_AUTO_TEST_CASE(missing_rival_says_what_brings_it) {
  const auto missing = bench::inspect({.name = "x", .program = {"/nowhere/bench-x"}, .needs = "x-dev"});
  BOOST_TEST(missing.missing.value() == "not built: needs the package x-dev");
  BOOST_TEST(!missing.version.has_value());
  const auto unknown = bench::inspect({.name = "y", .program = {"no-such-program-y"}, .needs = "y-dev"});
  BOOST_TEST(contains(unknown.missing.value(), "needs the package y-dev"));
  const auto there = bench::inspect(bare());
  BOOST_TEST(!there.missing.has_value());
  BOOST_TEST(!there.version.value().empty());
}

BOOST_AUTO_TEST_CASE(others_go_on_when_one_fails_or_is_missing) {
  const bench::Result result = bench::run(plan({bare(), faulty("corrupt"), {.name = "x", .program = {"/nowhere/x"}}}));
  BOOST_REQUIRE(result.scenarios.size() == 1);
  const auto& rows = result.scenarios.front().rows;
  BOOST_REQUIRE(rows.size() == 2);  // without the one that is missing
  BOOST_TEST(rows[0].cpu_ns->rounds.size() == 3);
  BOOST_TEST(rows[0].ratio->median == 1);
  BOOST_TEST_CONTEXT(rows[1].failure.value()) { BOOST_TEST(contains(rows[1].failure.value(), "wrong bytes")); }
  BOOST_TEST(!rows[1].cpu_ns.has_value());
  BOOST_TEST(result.rivals.back().missing.has_value());
}

BOOST_AUTO_TEST_CASE(allocations_are_counted) {
  const std::string library = folder() + "/liblibnet_bench_counting.so";
  BOOST_TEST(bench::count_allocations(echo(), bare(), settings(), 20ms, library) == 0);
  const auto all = bench::scenarios({});
  const auto accept = std::ranges::find(all, "accept", &bench::Scenario::name);
  BOOST_TEST(bench::count_allocations(*accept, bare(), settings(), 50ms, library) > 0.5);
  BOOST_CHECK_THROW(bench::count_allocations(echo(), bare(), settings(), 20ms, "/nowhere.so"), bench::CannotCount);
}

BOOST_AUTO_TEST_CASE(system_calls_are_counted_where_that_is_possible) try {
  const double calls = bench::count_calls(echo(), bare(), settings(), 50ms);
  BOOST_TEST(calls > 2);  // a recv and a send, and an epoll_wait for some
  BOOST_TEST(calls < 4);
} catch (const bench::CannotCount& reason) {
  BOOST_TEST_MESSAGE(reason.what());
}

BOOST_AUTO_TEST_CASE(instructions_are_the_same_twice) {
  bench::require_instruction_counter();
  const double count = bench::count_instructions(echo(), bare(), settings());
  BOOST_TEST(count > 100);
  BOOST_TEST(bench::count_instructions(echo(), bare(), settings()) == count, boost::test_tools::tolerance(0.001));
}

BOOST_AUTO_TEST_CASE(rival_whose_instructions_say_nothing_is_left_out_with_the_reason) {
  bench::Rival other = faulty("corrupt");
  other.uncountable = "it says so";
  bench::Plan counting = plan({bare(), other});
  counting.scenarios.front().leading = bench::Leading::instructions;
  const bench::Result result = bench::run(counting);
  const auto& rows = result.scenarios.front().rows;
  BOOST_REQUIRE(rows.size() == 1);
  BOOST_TEST(!rows.front().failure.has_value());
  BOOST_TEST(rows.front().ratio->median == 1);
  BOOST_REQUIRE(result.notes.size() == 1);
  BOOST_TEST(result.notes.front() == "instructions of corrupt are not counted: it says so");
}

BOOST_AUTO_TEST_CASE(every_scenario_runs_against_the_baseline) {
  for (const bench::Scenario& scenario : bench::scenarios({.idle_connections = 200, .fan_out_connections = 20})) {
    const bench::Sample sample = bench::measure(scenario, bare(), settings(), 30ms);
    BOOST_TEST(sample.bytes.has_value() == (scenario.leading == bench::Leading::bytes), scenario.name);
    BOOST_TEST(sample.instructions.has_value() == (scenario.leading == bench::Leading::instructions), scenario.name);
    BOOST_TEST(sample.rate.has_value() == sample.cpu_ns.has_value(), scenario.name);
    BOOST_TEST(sample.rate.has_value() != (sample.bytes || sample.instructions), scenario.name);
  }
}

BOOST_AUTO_TEST_SUITE_END()
