#include "statistics.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>

BOOST_AUTO_TEST_SUITE(bench_statistics)

using bench::Latency;

BOOST_AUTO_TEST_CASE(median_is_the_middle_or_between_the_two_middles) {
  BOOST_TEST(bench::median({3, 1, 2}) == 2);
  BOOST_TEST(bench::median({4, 1, 3, 2}) == 2.5);
  BOOST_TEST(bench::median({7}) == 7);
}

BOOST_AUTO_TEST_CASE(spread_has_the_lowest_and_the_highest) {
  const bench::Spread spread = bench::spread({5, 9, 1});
  BOOST_TEST(spread.median == 5);
  BOOST_TEST(spread.low == 1);
  BOOST_TEST(spread.high == 9);
}

BOOST_AUTO_TEST_CASE(figure_of_no_rounds_is_none) {
  BOOST_TEST(!bench::figure({}).has_value());
  BOOST_TEST(bench::figure({2, 4})->rounds == std::vector<double>({2, 4}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(ratios_are_taken_round_by_round) {
  // Each round is disturbed by another factor, which the ratio does not see; a ratio of medians would.
  const auto ratios = bench::ratios({10, 60, 40}, {10, 30, 80});
  BOOST_REQUIRE(ratios.has_value());
  BOOST_TEST(ratios->median == 1);
  BOOST_TEST(ratios->low == 0.5);
  BOOST_TEST(ratios->high == 2);
}

BOOST_AUTO_TEST_CASE(ratios_to_nothing_are_none) {
  BOOST_TEST(!bench::ratios({1}, {0}).has_value());
  BOOST_TEST(!bench::ratios({1, 2}, {1}).has_value());
  BOOST_TEST(!bench::ratios({}, {}).has_value());
}

BOOST_AUTO_TEST_CASE(percentile_is_right_within_its_bound) {
  Latency latency;
  for (int i = 1; i <= 100'000; ++i) latency.record(std::chrono::microseconds(i));
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const double exact = share * 100'000;
    BOOST_TEST(std::abs(latency.percentile(share) - exact) <= exact * 0.005 + 1, "at " << share);
  }
}

BOOST_AUTO_TEST_CASE(every_time_is_right_within_half_a_percent) {
  for (double time = 1.0; time < 9e6; time *= 1.37) {  // [us]
    Latency latency;
    const auto nanoseconds = static_cast<std::int64_t>(time * 1000);
    latency.record(std::chrono::nanoseconds(nanoseconds));
    const double exact = static_cast<double>(nanoseconds) / 1000;
    BOOST_TEST(std::abs(latency.percentile(0.5) / exact - 1) <= 0.005, exact << " us");
  }
}

BOOST_AUTO_TEST_CASE(times_beyond_the_histogram_become_its_ends) {
  Latency latency;
  latency.record(std::chrono::nanoseconds(10));
  latency.record(std::chrono::seconds(60));
  BOOST_TEST(latency.percentile(0.5) == 1);
  BOOST_TEST(latency.percentile(1) == 1e7);
}

BOOST_AUTO_TEST_CASE(latencies_of_rounds_add_up) {
  Latency all;
  BOOST_TEST(!bench::percentiles(all).has_value());
  for (const int milliseconds : {1, 2, 3}) {
    Latency round;
    round.record(std::chrono::milliseconds(milliseconds));
    all.add(round);
  }
  BOOST_TEST(std::abs(all.percentile(0.5) - 2000) <= 10);
  all.clear();
  BOOST_TEST(all.is_empty());
}

BOOST_AUTO_TEST_SUITE_END()
