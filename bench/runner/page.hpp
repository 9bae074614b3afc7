#pragma once

#include <string>

#include "result.hpp"

namespace bench {

/// The result as one HTML page that needs nothing else.
std::string to_page(const Result& result);

}  // namespace bench
