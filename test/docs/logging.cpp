// The part of docs/guide/ending-and-errors.md that is about the log.
#include <libnet/net.hpp>

#include <boost/asio/io_context.hpp>

#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

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
  claim(lines.str().empty());  // somebody may still ask
  socket = {};
  const std::string text = lines.str();
  claim(text.find("unhandled error: connect ECONNREFUSED 127.0.0.1:" + std::to_string(port)) != std::string::npos);
  claim(text.find('\n') == text.size() - 1);

  std::vector<std::string> seen;
  // [handler]
  libnet::set_log_handler([&](libnet::LogLevel level, std::string_view line) {
    if (level != libnet::LogLevel::debug) seen.emplace_back(line);
  });
  // [handler]
  libnet::Server careless(context);
  careless.on(libnet::event::listening, [] { throw std::runtime_error("not today"); });
  careless.listen({.host = "127.0.0.1"});
  careless.unref();
  context.restart();
  run_to_the_end(context);
  libnet::set_log_handler({});
  claim(seen.size() == 1 && seen[0].find("not today") != std::string::npos);
}
