#include <boost/beast/core/tcp_stream.hpp>

#include "common-asio/session.hpp"
#include "common/servers.hpp"

void serve_echo() { bench::serve_sessions<bench::EchoSession<boost::beast::tcp_stream>, boost::beast::tcp_stream>(); }
