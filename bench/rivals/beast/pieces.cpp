#include <boost/beast/core/tcp_stream.hpp>

#include "common-asio/session.hpp"
#include "common/servers.hpp"

void serve_pieces(std::size_t size) {
  bench::serve_sessions<bench::PiecesSession<boost::beast::tcp_stream>, boost::beast::tcp_stream>(size);
}
