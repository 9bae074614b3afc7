#include "common-asio/stream.hpp"
#include "common/servers.hpp"

void serve_stream(std::size_t block) { bench::serve_stream_sessions<bench::Socket>(block); }
