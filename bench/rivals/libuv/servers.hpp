#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace bench::uv {

void echo();
void pieces(std::size_t size);
void timeouts(std::chrono::milliseconds idle);
void stream(std::size_t block_size);
void fan_out(std::size_t size);
void relay(std::uint16_t upstream);

}  // namespace bench::uv
