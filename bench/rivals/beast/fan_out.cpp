#include <boost/beast/core/tcp_stream.hpp>

#include "common-asio/fan_out.hpp"
#include "common/servers.hpp"

void serve_fan_out(std::size_t size) { bench::serve_fan_out_sessions<boost::beast::tcp_stream>(size); }
