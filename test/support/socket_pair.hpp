#pragma once

#include <utility>

namespace libnet::test {

/// Two connected, non-blocking sockets; whoever takes them closes them.
/// @throws boost::system::system_error if the system refuses.
std::pair<int, int> tcp_pair();
std::pair<int, int> unix_pair();

}  // namespace libnet::test
