#include "options.hpp"

#include <boost/test/unit_test.hpp>

#include <optional>

#include "common/command_line.hpp"

namespace {

struct Parsed {
  std::optional<bench::Options> options;
  int status = 0;
};

Parsed parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "libnet-bench");
  Parsed parsed;
  parsed.options = bench::parse_options(static_cast<int>(arguments.size()), arguments.data(), {"echo", "idle"},
                                        {"bare", "go"}, parsed.status);
  return parsed;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_options)

BOOST_AUTO_TEST_CASE(nothing_said_is_everything_in_seven_rounds) {
  const auto options = parse({}).options.value();
  BOOST_TEST(options.rounds == 7);
  BOOST_TEST(options.scenarios.empty());
  BOOST_TEST(options.counting);
  BOOST_TEST(!options.quick);
}

BOOST_AUTO_TEST_CASE(names_may_be_repeated) {
  const auto options = parse({"--scenario", "idle", "--rival", "go", "--scenario", "echo"}).options.value();
  BOOST_TEST(options.scenarios == std::vector<std::string>({"idle", "echo"}), boost::test_tools::per_element());
  BOOST_TEST(options.rivals == std::vector<std::string>({"go"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(quick_run_has_one_round_unless_told_otherwise) {
  BOOST_TEST(parse({"--quick"}).options->rounds == 1);
  const auto options = parse({"--quick", "--rounds", "3", "--no-counting"}).options.value();
  BOOST_TEST(options.rounds == 3);
  BOOST_TEST(options.window_ms < 1000);
  BOOST_TEST(!options.counting);
}

BOOST_AUTO_TEST_CASE(instructions_are_counted_in_few_rounds_and_not_timed) {
  const auto options = parse({"--instructions"}).options.value();
  BOOST_TEST(options.instructions);
  BOOST_TEST(options.rounds == 2);
  BOOST_TEST(parse({"--instructions", "--rounds", "5"}).options->rounds == 5);
  BOOST_TEST(!parse({}).options->instructions);
  for (const auto& timed : {std::vector<const char*>{"--scenario", "idle"}, {"--window", "100"}, {"--quick"}}) {
    std::vector<const char*> both{"--instructions"};
    both.insert(both.end(), timed.begin(), timed.end());
    BOOST_TEST(parse(both).status == usage_status);
  }
}

BOOST_AUTO_TEST_CASE(what_is_unknown_or_out_of_range_is_refused) {
  for (const auto& wrong : {std::vector<const char*>{"--scenario", "nope"},
                            {"--rival", "nope"},
                            {"--rounds", "0"},
                            {"--window", "1"},
                            {"--frob"}}) {
    const Parsed parsed = parse(wrong);
    BOOST_TEST(!parsed.options.has_value());
    BOOST_TEST(parsed.status == usage_status);
  }
}

BOOST_AUTO_TEST_SUITE_END()
