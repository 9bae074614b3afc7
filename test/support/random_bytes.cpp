#include <algorithm>
#include <cstring>
#include <random>

#include "support/behaviour.hpp"

namespace libnet::test {

std::string random_bytes(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (std::size_t place = 0; place < size; place += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(&bytes[place], &word, std::min(sizeof word, size - place));
  }
  return bytes;
}

}  // namespace libnet::test
