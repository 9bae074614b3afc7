#include "common-asio/session.hpp"
#include "common/servers.hpp"

void serve_pieces(std::size_t size) { bench::serve_sessions<bench::PiecesSession<bench::Socket>, bench::Socket>(size); }
