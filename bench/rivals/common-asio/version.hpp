#pragma once

#include <boost/version.hpp>

#include <string>

#include "common/rival.hpp"

namespace bench {

/// @param part  Of Boost, such as "Asio callbacks".
inline std::string boost_version(const std::string& part) {
  return part + " of Boost " + std::to_string(BOOST_VERSION / 100000) + "." +
         std::to_string(BOOST_VERSION / 100 % 1000) + ", " + compiler();
}

}  // namespace bench
