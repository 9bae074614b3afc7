#include "instructions.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "rivals.hpp"
#include "scenarios/scenario.hpp"

namespace {

// What an echoed message may cost in user space [instructions], 64 connections x 64 B, g++ 12 with -O2. They only go down:
// when a change makes a message cheaper, put the new figure plus ten here.
//
// The count itself is steady: repeated runs give the same figure to a tenth of an instruction. The ten are for CPUs and C
// libraries that copy and clear a few bytes by other instructions: without AVX2 a message costs seven more.
constexpr double listeners_ceiling = 1197;  // 1,189.9 counted
constexpr double awaited_ceiling = 2448;    // 2,440.9 counted

constexpr double least = 100;  // a server that receives and sends executes more: less was no count

bench::Scenario echo() {
  const auto all = bench::scenarios({});
  return *std::ranges::find(all, bench::Leading::instructions, &bench::Scenario::leading);
}

bench::Rival rival(const std::string& name) {
  const auto all = bench::rivals(LIBNET_OPTIMISED_PROGRAMS, {});
  return *std::ranges::find(all, name, &bench::Rival::name);
}

double instructions_of(const std::string& name) {
  bench::require_instruction_counter();
  const double count = bench::count_instructions(echo(), rival(name), {.cores = bench::choose_cores()});
  BOOST_TEST_MESSAGE(name << ": " << count << " instructions a message");
  return count;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bench_instruction_ceilings)

BOOST_AUTO_TEST_CASE(message_echoed_by_listeners_stays_below_its_ceiling) {
  const double count = instructions_of("libnet-events");
  BOOST_TEST(count > least);
  BOOST_TEST(count <= listeners_ceiling);
}

BOOST_AUTO_TEST_CASE(message_echoed_by_a_coroutine_stays_below_its_ceiling) {
  const double count = instructions_of("libnet-await");
  BOOST_TEST(count > least);
  BOOST_TEST(count <= awaited_ceiling);
}

BOOST_AUTO_TEST_SUITE_END()
