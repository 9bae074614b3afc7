#include <boost/beast/core/tcp_stream.hpp>

#include "common-asio/relay.hpp"
#include "common/servers.hpp"

void serve_relay(std::uint16_t upstream) { bench::serve_relay_sessions<boost::beast::tcp_stream>(upstream); }
