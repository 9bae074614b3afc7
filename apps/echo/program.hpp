#pragma once

#include <libnet/server.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <exception>
#include <vector>

#include "options.hpp"

/// The echo server as a program: listens, tells how to talk to it, and ends when a signal asks for it.
class EchoProgram {
 public:
  explicit EchoProgram(const Options& options);

  /// Runs until a signal ends it or it cannot listen.
  /// @return  The status to exit with.
  int run();

 private:
  boost::asio::awaitable<void> listen();
  boost::asio::awaitable<void> listen_on(libnet::ListenOptions where);
  void print_how_to_talk() const;
  void complain(const std::exception_ptr& failure);

  void await_signal();
  void signalled();
  void end();
  void end_server(libnet::Server& server);
  void cut_connections();

  Options options_;
  boost::asio::io_context io_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer grace_;
  std::vector<libnet::Server> servers_;
  std::size_t servers_left_ = 0;
  bool ending_ = false;
  int status_ = 0;
};
