#include "common-asio/fan_out.hpp"
#include "common/servers.hpp"

void serve_fan_out(std::size_t size) { bench::serve_fan_out_sessions<bench::Socket>(size); }
