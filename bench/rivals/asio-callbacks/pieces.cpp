#include "common-asio/servers.hpp"
#include "common-asio/session.hpp"

void serve_pieces(std::size_t size) { bench::serve_sessions<bench::PiecesSession<bench::Socket>, bench::Socket>(size); }
