#include "common-asio/servers.hpp"
#include "common-asio/session.hpp"

void serve_echo() { bench::serve_sessions<bench::EchoSession<bench::Socket>, bench::Socket>(); }
