#pragma once

#include <libnet/socket.hpp>

#include <boost/asio/awaitable.hpp>

#include <string>
#include <string_view>

#include "options.hpp"
#include "standard_stream.hpp"

/// What ends a connection when the time limit is up.
/// @param what  Is followed by that limit.
libnet::SystemError time_is_up(const std::string& what, const Options& options);

/// One connection: standard input goes to the peer, what the peer sends goes to standard output.
class Exchange {
 public:
  Exchange(libnet::Socket socket, StandardInput& input, StandardOutput& output, const Options& options);

  /// Runs until the connection is over. Throws libnet::SystemError with what broke it.
  boost::asio::awaitable<void> run();

 private:
  boost::asio::awaitable<void> send();
  boost::asio::awaitable<void> receive();
  boost::asio::awaitable<void> write(std::string_view bytes);
  bool wants_input() const;
  void cut(const libnet::Error& why);

  libnet::Socket socket_;
  StandardInput& input_;
  StandardOutput& output_;
  const Options& options_;
  bool peer_ended_ = false;
  bool cut_ = false;
};
