#pragma once

#include "libnet/detail/operation.hpp"

namespace libnet::core {

/// What an error calls the operation.
const char* name_of(detail::Operation::Kind kind) noexcept;

}  // namespace libnet::core
