#pragma once

#include <boost/system/error_code.hpp>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// The code of a failure, the type Asio uses too: a number and the category that gives it a meaning.
using error_code = boost::system::error_code;

}  // namespace libnet

#pragma GCC visibility pop
