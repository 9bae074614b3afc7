#include "result.hpp"

#include <boost/test/unit_test.hpp>

#include "compare.hpp"
#include "goals.hpp"
#include "json.hpp"
#include "page.hpp"
#include "statistics.hpp"
#include "table.hpp"

namespace {

bench::Row row(const std::string& rival, const std::vector<double>& cpu, const bench::Spread& ratio) {
  bench::Row row{.rival = rival};
  row.cpu_ns = bench::figure(cpu);
  row.ratio = ratio;
  return row;
}

bench::Result sample() {
  bench::Result result;
  result.taken = "2026-11-20T19:00:00Z";
  result.machine = {.cpu = "a </script> \"cpu\"", .cores = 2, .memory_bytes = 25'000'000'000, .kernel = "Linux"};
  result.rivals = {{.name = "bare", .version = "epoll"},
                   {.name = "go", .missing = "not built: needs the package golang-go"}};
  bench::Row libnet = row("libnet-events", {102, 104.5, 101}, {1.02, 1.01, 1.04});
  libnet.latency_us = bench::LatencyRecord{1, 2, 3.5, {{0.5, 1}, {0.999, 3.5}}};
  libnet.allocations = 0;
  result.scenarios = {{.name = "echo-64x64",
                       .title = "Echo",
                       .unit = "message",
                       .leading = "cpu",
                       .baseline = "bare",
                       .rows = {row("bare", {100, 102, 99}, {1, 1, 1}), libnet}}};
  return result;
}

bench::Row& libnet_of(bench::Result& result) { return result.scenarios.front().rows.back(); }

/// Does the refusal of this text contain that?
bool is_refused(const std::string& text, const std::string& why) try {
  bench::from_json(text, "old.json");
  return false;
} catch (const std::runtime_error& error) {
  const std::string what = error.what();
  BOOST_TEST_MESSAGE(what);
  return what.starts_with("old.json is no benchmark result") && what.find(why) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_result)

BOOST_AUTO_TEST_CASE(result_is_the_same_after_json) {
  const std::string text = bench::to_json(sample());
  const bench::Result back = bench::from_json(text, "sample");
  BOOST_TEST(bench::to_json(back) == text);
  const bench::Row& libnet = back.scenarios.front().rows.back();
  BOOST_TEST(libnet.cpu_ns->rounds == std::vector<double>({102, 104.5, 101}), boost::test_tools::per_element());
  BOOST_TEST(libnet.latency_us->curve.back().second == 3.5);
  BOOST_TEST(libnet.allocations.value() == 0);
  BOOST_TEST(!libnet.calls.has_value());
  BOOST_TEST(back.machine.memory_bytes == 25'000'000'000U);
}

BOOST_AUTO_TEST_CASE(what_is_no_result_is_refused_by_name) {
  BOOST_TEST(is_refused("", "incomplete"));
  BOOST_TEST(is_refused("{\"format\": 1", "incomplete"));
  BOOST_TEST(is_refused("[]", "no format"));
  BOOST_TEST(is_refused("{}", "no format"));
  BOOST_TEST(is_refused("{\"format\": 2}", "format is 2"));
  BOOST_TEST(is_refused("{\"format\": 1}", "missing"));
  std::string text = bench::to_json(sample());
  text.replace(text.find("\"machine\""), 9, "\"engine\"");
  BOOST_TEST(is_refused(text, "missing"));
}

BOOST_AUTO_TEST_CASE(result_of_before_instructions_were_counted_is_read) {
  std::string text = bench::to_json(sample());
  const std::string member = "\"instructions\": null,";
  for (std::size_t place = 0; (place = text.find(member)) != std::string::npos;) text.erase(place, member.size());
  BOOST_TEST(bench::to_json(bench::from_json(text, "old")) == bench::to_json(sample()));
}

BOOST_AUTO_TEST_CASE(instructions_are_shown_and_compared_with_the_baseline_s) {
  bench::Result result = sample();
  bench::ScenarioRecord& scenario = result.scenarios.front();
  scenario.leading = "instructions";
  libnet_of(result).instructions = bench::figure({1220.25, 1220.5, 1220.25});
  BOOST_TEST(bench::leading_figure(scenario, scenario.rows.back())->median == 1220.25);
  const std::string report = bench::report(result);
  BOOST_TEST_CONTEXT(report) {
    BOOST_TEST(report.find("instructions / bare") != std::string::npos);
    BOOST_TEST(report.find("1220.2 (1220.2-1220.5)") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(files_that_cannot_be_read_or_written_are_named) {
  BOOST_CHECK_EXCEPTION(bench::read_file("/nowhere/old.json"), std::runtime_error,
                        [](const auto& error) { return std::string(error.what()) == "cannot read /nowhere/old.json"; });
  BOOST_CHECK_EXCEPTION(bench::write_file("/nowhere/new.json", ""), std::runtime_error, [](const auto& error) {
    return std::string(error.what()) == "cannot write /nowhere/new.json";
  });
}

BOOST_AUTO_TEST_CASE(nothing_in_a_result_ends_the_script_of_its_page) {
  const std::string page = bench::to_page(sample());
  BOOST_TEST(page.find("/*RESULT*/null") == std::string::npos);
  BOOST_TEST(page.find("a \\u003c/script>") != std::string::npos);
  BOOST_TEST(page.find("a </script>") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(change_within_the_spreads_is_not_marked) {
  bench::Result now = sample();
  libnet_of(now).ratio = {1.03, 1.035, 1.06};
  const auto changes = bench::compare(sample(), now);
  BOOST_REQUIRE(changes.size() == 1);  // without the baseline
  BOOST_TEST(changes.front().rival == "libnet-events");
  BOOST_TEST(changes.front().difference() == 0.01, boost::test_tools::tolerance(1e-9));
  BOOST_TEST(!changes.front().is_beyond_spread());
  BOOST_TEST(bench::changes_text(changes).find("+0.010") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(change_beyond_the_spreads_is_marked_in_both_directions) {
  for (const bench::Spread& ratio : {bench::Spread{1.06, 1.05, 1.07}, bench::Spread{0.97, 0.96, 0.98}}) {
    bench::Result now = sample();
    libnet_of(now).ratio = ratio;
    BOOST_TEST(bench::compare(sample(), now).front().is_beyond_spread());
  }
}

BOOST_AUTO_TEST_CASE(change_of_single_rounds_is_not_marked) {
  bench::Result now = sample();
  libnet_of(now).ratio = {2, 2, 2};
  now.settings.rounds = 1;
  BOOST_TEST(!bench::compare(sample(), now).front().is_beyond_spread());
}

BOOST_AUTO_TEST_CASE(scenarios_of_another_size_are_not_compared) {
  bench::Result now = sample();
  now.scenarios.front().title = "Echo, fewer connections";
  BOOST_TEST(bench::compare(sample(), now).empty());
}

BOOST_AUTO_TEST_CASE(rows_that_failed_or_were_not_there_are_not_compared) {
  bench::Result now = sample();
  libnet_of(now).failure = "it broke";
  BOOST_TEST(bench::compare(sample(), now).empty());
  BOOST_TEST(bench::compare(now, sample()).empty());
  now = sample();
  now.scenarios.front().name = "another";
  BOOST_TEST(bench::compare(sample(), now).empty());
}

BOOST_AUTO_TEST_CASE(goals_have_their_figure_and_verdict) {
  bench::Result result = sample();
  auto goals = bench::check_goals(result);
  BOOST_REQUIRE(goals.size() == 2);  // the ratio, and no allocations
  BOOST_TEST(goals[0].figure == 1.02);
  BOOST_TEST(goals[0].met);
  BOOST_TEST(goals[1].met);
  libnet_of(result).ratio->median = 1.04;
  libnet_of(result).allocations = 0.01;
  goals = bench::check_goals(result);
  BOOST_TEST(!goals[0].met);
  BOOST_TEST(!goals[1].met);
}

BOOST_AUTO_TEST_CASE(small_writes_are_compared_with_one_write_of_the_same_rival) {
  bench::Result result = sample();
  result.scenarios.front().name = "one-write";
  result.scenarios.push_back(result.scenarios.front());
  result.scenarios.back().name = "small-writes";
  result.scenarios.back().rows.back().cpu_ns = bench::figure({204, 209, 202});
  const auto goals = bench::check_goals(result);
  BOOST_REQUIRE(goals.size() == 1);
  BOOST_TEST(goals.front().figure == 2);
  BOOST_TEST(!goals.front().met);
}

BOOST_AUTO_TEST_CASE(more_connections_are_ahead_and_fewer_are_not) {
  bench::Result result = sample();
  bench::ScenarioRecord& scenario = result.scenarios.front();
  scenario.name = "accept";
  scenario.leading = "rate";
  scenario.rows.push_back({.rival = "go", .rate = bench::figure({50})});
  scenario.rows.push_back({.rival = "node", .rate = bench::figure({40})});
  scenario.rows[1].ratio.reset();
  for (const double rate : {60.0, 45.0}) {
    scenario.rows[1].rate = bench::figure({rate});
    const auto goals = bench::check_goals(result);
    BOOST_REQUIRE(goals.size() == 1);
    BOOST_TEST(goals.front().figure == rate / 50);  // go is the best of them
    BOOST_TEST(goals.front().met == (rate > 50));
  }
}

BOOST_AUTO_TEST_CASE(report_has_failures_and_missing_rivals) {
  bench::Result result = sample();
  libnet_of(result).failure = "wrong bytes";
  const std::string text = bench::report(result);
  BOOST_TEST(text.find("FAILED libnet-events: wrong bytes") != std::string::npos);
  BOOST_TEST(text.find("go: not built: needs the package golang-go") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
