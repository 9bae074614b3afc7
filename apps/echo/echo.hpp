#pragma once

#include <libnet/server.hpp>

/// The same echo server twice: each makes `server` send back to every client what that client sends.
void echo_with_events(libnet::Server& server);
void echo_with_coroutines(libnet::Server& server);
