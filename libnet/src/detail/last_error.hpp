#pragma once

#include <libnet/error_code.hpp>

#include <cerrno>

namespace libnet::detail {

/// What the system call that failed just now left in errno.
inline error_code last_error() noexcept { return {errno, boost::system::system_category()}; }

}  // namespace libnet::detail
