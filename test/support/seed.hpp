#pragma once

#include <cstdint>

namespace libnet::test {

/// The seed of this run's random choices: LIBNET_TEST_SEED if it is set, else a new one. The run prints it.
std::uint64_t seed();

}  // namespace libnet::test
