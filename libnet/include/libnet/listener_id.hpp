#pragma once

#include <cstdint>

namespace libnet {

/// Names one listener of one object, for `off`. Never used twice by the same object.
enum class ListenerId : std::uint64_t {};

}  // namespace libnet
