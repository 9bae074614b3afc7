#pragma once

#include <functional>

#include "libuv/connection.hpp"

namespace bench::uv {

/// Listens on 127.0.0.1, announces the port, and serves each connection by what `make` makes. Never returns.
void serve(std::function<Connection*()> make);

}  // namespace bench::uv
