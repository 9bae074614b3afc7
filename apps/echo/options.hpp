#pragma once

#include <libnet/reactor.hpp>

#include <functional>
#include <optional>
#include <string>

namespace libnet {
class Server;
}

/// What the command line says.
struct Options {
  int port = 7777;
  std::string host;  ///< Empty: all addresses.
  std::string path;  ///< Empty: no Unix-domain socket.
  std::function<void(libnet::Server&)> echo;
  libnet::ReactorKind reactor{};
};

/// Reads the command line. Without options to run with, the process is to end with `status`: after --help, or after a
/// complaint on standard error.
std::optional<Options> parse_options(int argument_count, const char* const* arguments, int& status);
