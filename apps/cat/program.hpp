#pragma once

#include <libnet/server.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <exception>
#include <optional>

#include "options.hpp"
#include "standard_stream.hpp"

/// Netcat as a program: makes the connection, has it served, and knows how that went.
class CatProgram {
 public:
  explicit CatProgram(const Options& options);

  /// Runs until the connection is over, something fails, or a signal comes.
  /// @return  The status to exit with.
  int run();

 private:
  boost::asio::awaitable<void> connect();
  boost::asio::awaitable<void> serve();
  boost::asio::awaitable<void> serve_next();
  boost::asio::awaitable<void> exchange(libnet::Socket socket, const char* greeting);
  libnet::ListenOptions listen_options(const libnet::Lookup& lookup) const;
  void tell(const char* what, const std::optional<libnet::SocketAddress>& whom) const;

  void signalled(int number);
  void ended(const std::exception_ptr& failure);
  void fail(const std::exception_ptr& failure);
  Status status_of(const std::exception& failure) const;

  Options options_;
  boost::asio::io_context io_{1};
  boost::asio::signal_set signals_;
  StandardInput input_;
  StandardOutput output_;
  libnet::Server server_;
  int status_ = 0;
};
