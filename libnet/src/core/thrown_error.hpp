#pragma once

#include <exception>

#include "libnet/error.hpp"

namespace libnet::core {

/// An error with its story; where there is no memory for that, without.
Error described(const error_code& code, const ErrorInfo& info) noexcept;

/// The error that an exception of the program's, or a lack of memory, costs a connection.
/// @param otherwise  The code for an exception that is neither a SystemError nor std::bad_alloc; it keeps the exception.
Error error_of(const std::exception_ptr& thrown, Errc otherwise, const char* operation) noexcept;

}  // namespace libnet::core
