// The part of docs/guide/ending-and-errors.md that is about the log.
#include <libnet/net.hpp>

#include <boost/asio/io_context.hpp>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <string>

#include "claims.hpp"

int main() {
  std::ostringstream lines;
  // [logger]
  auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(lines);
  spdlog::register_logger(std::make_shared<spdlog::logger>("libnet", sink));
  // [logger]

  boost::asio::io_context context(1);
  int port = 0;
  {
    libnet::Server server(context);
    server.listen({.host = "127.0.0.1"});
    port = server.address()->port();
  }
  run_to_the_end(context);  // nobody listens there any more
  context.restart();

  // [unhandled]
  auto socket = libnet::connect(context, {.host = "127.0.0.1", .port = port});
  // No listener of 'error', no callback, nobody waits: one line in the log, 'close', and the program goes on.
  // [unhandled]
  run_to_the_end(context);
  claim(socket.destroyed() && socket.error().name() == "ECONNREFUSED");
  const std::string text = lines.str();
  claim(text.find("unhandled error: connect ECONNREFUSED 127.0.0.1:" + std::to_string(port)) != std::string::npos);
  claim(text.find('\n') == text.size() - 1);
}
