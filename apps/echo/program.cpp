#include "program.hpp"

#include <libnet/net.hpp>

#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>

#include "common/command_line.hpp"

namespace asio = boost::asio;
namespace event = libnet::event;

namespace {

// How long clients may finish after the first signal.
constexpr std::chrono::seconds grace_time{2};

}  // namespace

EchoProgram::EchoProgram(const Options& options)
    : options_(options), io_(1), signals_(io_, SIGINT, SIGTERM), grace_(io_) {
  libnet::use_reactor(io_, options_.reactor);
}

int EchoProgram::run() {
  await_signal();
  asio::co_spawn(io_, listen(), [this](const std::exception_ptr& failure) {
    if (!failure || ending_) return;
    complain(failure);
    status_ = EXIT_FAILURE;
    end();
  });
  io_.run();
  return status_;
}

// --- listening -----------------------------------------------------------------------------------------------------

asio::awaitable<void> EchoProgram::listen() {
  co_await listen_on({.host = options_.host, .port = options_.port});
  if (!options_.path.empty()) co_await listen_on({.path = options_.path});
  print_how_to_talk();
}

asio::awaitable<void> EchoProgram::listen_on(libnet::ListenOptions where) {
  libnet::Server server(io_);
  servers_.push_back(server);
  options_.echo(server);
  server.on(event::handler_error,
            [this](const libnet::Socket&, const std::exception_ptr& failure) { complain(failure); });
  co_await server.async_listen(where);
  std::cout << "listening on " << *server.address() << std::endl;
}

void EchoProgram::print_how_to_talk() const {
  const std::string port = std::to_string(servers_.front().address()->port());
  const std::string host = options_.host.empty() ? "localhost" : options_.host;
  const std::string bracketed = libnet::is_ipv6(host) ? "[" + host + "]" : host;
  std::cout << "Talk to it from another terminal; it sends back what you send:\n"
            << "  nc -N " << host << ' ' << port << '\n'
            << "  socat - TCP:" << bracketed << ':' << port << '\n';
  if (!options_.path.empty()) {
    std::cout << "  nc -N -U " << options_.path << '\n'  //
              << "  socat - UNIX-CONNECT:" << options_.path << '\n';
  }
  std::cout << "Ctrl-C ends it." << std::endl;
}

void EchoProgram::complain(const std::exception_ptr& failure) {
  if (ending_) return;
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& error) {
    ::complain("libnet-echo", error.what());
  }
}

// --- ending --------------------------------------------------------------------------------------------------------

void EchoProgram::await_signal() {
  signals_.async_wait([this](const boost::system::error_code& code, int) {
    if (!code) signalled();
  });
}

void EchoProgram::signalled() {
  if (ending_) return cut_connections();
  await_signal();
  end();
}

void EchoProgram::end() {
  ending_ = true;
  servers_left_ = servers_.size();
  for (libnet::Server& server : servers_) end_server(server);
  grace_.expires_after(grace_time);
  grace_.async_wait([this](const boost::system::error_code& code) {
    if (!code) cut_connections();
  });
}

/// When the last server is closed, nothing is left that keeps the loop running.
void EchoProgram::end_server(libnet::Server& server) {
  server.close([this] {
    if (--servers_left_ != 0) return;
    signals_.cancel();
    grace_.cancel();
  });
}

void EchoProgram::cut_connections() {
  for (const libnet::Server& server : servers_) {
    for (libnet::Socket& socket : server.sockets()) socket.destroy();
  }
}
