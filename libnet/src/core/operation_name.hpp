#pragma once

#include "libnet/detail/operation.hpp"

namespace libnet::core {

/// What errors call an operation; see Error::operation.
const char* name_of(detail::Operation::Kind kind) noexcept;

}  // namespace libnet::core
