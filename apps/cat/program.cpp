#include "program.hpp"

#include <libnet/net.hpp>

#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>
#include <utility>

#include "common/command_line.hpp"
#include "exchange.hpp"

namespace asio = boost::asio;

namespace {

// What the peer sent before the connection broke is still written, however slow standard output is.
constexpr std::chrono::hours linger_time{24};

/// Finds addresses of one family only.
libnet::Lookup lookup_of(int family) {
  return [family](std::string_view host, libnet::LookupOptions options, libnet::LookupAnswer answer) {
    options.family = family;
    libnet::system_lookup(host, options, std::move(answer));
  };
}

std::string_view any_address(int family) { return family == 4 ? "0.0.0.0" : family == 6 ? "::" : ""; }

}  // namespace

CatProgram::CatProgram(const Options& options)
    : options_(options),
      signals_(io_, SIGINT, SIGTERM),
      input_(io_.get_executor()),
      output_(io_.get_executor()),
      server_(io_, {.socket = {.linger_time = linger_time}}) {}

int CatProgram::run() {
  signals_.async_wait([this](const boost::system::error_code& code, int number) {
    if (!code) signalled(number);
  });
  asio::co_spawn(io_, options_.listen ? serve() : connect(),
                 [this](const std::exception_ptr& failure) { ended(failure); });
  io_.run();
  return status_;
}

// --- the connection ------------------------------------------------------------------------------------------------

asio::awaitable<void> CatProgram::connect() {
  libnet::Socket socket(io_, {.linger_time = linger_time});
  libnet::ConnectOptions where{.host = options_.host,
                               .family = options_.family,
                               .local_address = options_.source_address,
                               .local_port = options_.source_port,
                               .timeout = options_.timeout};
  if (options_.path.empty()) where.port = options_.port;
  where.path = options_.path;
  const auto [failure] = co_await socket.async_connect(where, libnet::as_tuple);
  if (failure == libnet::Errc::timed_out) throw time_is_up("could not connect within ", options_);
  if (failure) throw libnet::SystemError(socket.error());
  co_await exchange(std::move(socket), "connected to");
}

asio::awaitable<void> CatProgram::serve() {
  const libnet::Lookup lookup = lookup_of(options_.family);
  co_await server_.async_listen(listen_options(lookup));
  if (options_.verbose || (options_.path.empty() && options_.port == 0)) tell("listening on", server_.address());
  co_await serve_next();
  while (options_.keep_listening) co_await serve_next();
}

libnet::ListenOptions CatProgram::listen_options(const libnet::Lookup& lookup) const {
  if (!options_.path.empty()) return {.path = options_.path};
  return {.host = options_.host.empty() ? any_address(options_.family) : options_.host,
          .port = options_.port,
          .ipv6_only = options_.family == 6,
          .lookup = &lookup};
}

asio::awaitable<void> CatProgram::serve_next() {
  libnet::Socket socket = co_await server_.async_accept();
  if (!options_.keep_listening) server_.close();
  try {
    co_await exchange(std::move(socket), "connection from");
  } catch (const libnet::SystemError& failure) {
    if (!options_.keep_listening || input_.failed() || output_.failed()) throw;
    complain("cat", failure.what());
  }
}

asio::awaitable<void> CatProgram::exchange(libnet::Socket socket, const char* greeting) {
  if (options_.verbose) tell(greeting, socket.remote_address());
  Exchange exchange(std::move(socket), input_, output_, options_);
  co_await exchange.run();
}

/// The ends of a Unix-domain connection have no address of their own.
void CatProgram::tell(const char* what, const std::optional<libnet::SocketAddress>& whom) const {
  std::cerr << std::string(what) + ' ' + (whom ? whom->to_string() : options_.path) + '\n' << std::flush;
}

// --- ending --------------------------------------------------------------------------------------------------------

void CatProgram::signalled(int number) {
  status_ = static_cast<int>(Status::signalled) + number;
  server_.close();
  io_.stop();
}

void CatProgram::ended(const std::exception_ptr& failure) {
  signals_.cancel();
  server_.close();
  if (failure) fail(failure);
}

void CatProgram::fail(const std::exception_ptr& failure) try {
  std::rethrow_exception(failure);
} catch (const std::exception& error) {
  const Status status = status_of(error);
  status_ = static_cast<int>(status);
  if (status != Status::output_closed) complain("cat", error.what());
}

Status CatProgram::status_of(const std::exception& failure) const {
  if (output_.reader_gone()) return Status::output_closed;
  const auto* error = dynamic_cast<const libnet::SystemError*>(&failure);
  const bool timed_out = error != nullptr && error->code() == boost::system::errc::timed_out;
  return timed_out ? Status::timed_out : Status::failed;
}
