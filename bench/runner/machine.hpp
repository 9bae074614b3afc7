#pragma once

#include <cstddef>
#include <string>

#include "result.hpp"

namespace bench {

Machine this_machine();
Build this_build();

/// The time, ISO 8601, UTC.
std::string now_in_words();

/// Allows this process and its children as many open descriptors as possible, up to `wanted`.
/// @returns How many that are.
std::size_t raise_descriptor_limit(std::size_t wanted);

}  // namespace bench
