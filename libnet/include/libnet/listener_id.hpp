#pragma once

#include <cstdint>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// Names one listener of one object, for `off`. Never used twice by the same object.
enum class ListenerId : std::uint64_t {};

}  // namespace libnet

#pragma GCC visibility pop
