#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

void serve_echo();
void serve_timeouts(std::chrono::milliseconds idle);
void serve_stream(std::size_t block);
void serve_fan_out(std::size_t size);
void serve_relay(std::uint16_t upstream);
