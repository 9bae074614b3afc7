#define BOOST_TEST_MODULE libnet
#include "support/case_report.hpp"
#include "support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>

namespace libnet::test {

namespace {

std::uint64_t choose_seed() {
  if (const char* given = std::getenv("LIBNET_TEST_SEED")) return std::stoull(given);
  return std::random_device{}();
}

struct Announce {
  Announce() {
    std::cout << "LIBNET_TEST_SEED=" << seed() << std::endl;
    start_case_report();
  }
};

}  // namespace

std::uint64_t seed() {
  static const std::uint64_t chosen = choose_seed();
  return chosen;
}

BOOST_TEST_GLOBAL_FIXTURE(Announce);

}  // namespace libnet::test
