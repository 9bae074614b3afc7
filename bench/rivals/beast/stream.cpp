#include <boost/beast/core/tcp_stream.hpp>

#include "common-asio/stream.hpp"
#include "common/servers.hpp"

void serve_stream(std::size_t block) { bench::serve_stream_sessions<boost::beast::tcp_stream>(block); }
