#include "common-asio/session.hpp"
#include "common/servers.hpp"

void serve_echo() { bench::serve_sessions<bench::EchoSession<bench::Socket>, bench::Socket>(); }
