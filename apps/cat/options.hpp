#pragma once

#include <chrono>
#include <optional>
#include <string>

/// What the command line says.
struct Options {
  bool listen = false;
  bool keep_listening = false;
  bool half_close = false;  ///< The end of standard input ends our side of the connection.
  bool verbose = false;
  std::string path;  ///< A Unix-domain socket; empty: host and port.
  std::string host;  ///< The peer's, or where to listen; empty: all addresses.
  int port = 0;
  int family = 0;  ///< 4, 6, or 0 for both.
  std::string source_address;
  std::optional<int> source_port;
  std::chrono::seconds timeout{0};  ///< 0: none.
};

/// What the process ends with; --help explains it.
enum class Status : int { all_transferred = 0, failed = 1, timed_out = 3, signalled = 128, output_closed = 141 };

/// Reads the command line.
/// @return  Nothing: go on with `options`. Else the status to end with.
std::optional<int> parse_options(int argument_count, const char* const* arguments, Options& options);
