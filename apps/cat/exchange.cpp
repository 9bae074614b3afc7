#include "exchange.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>

#include <string>
#include <utility>

namespace asio = boost::asio;
namespace event = libnet::event;
using asio::experimental::awaitable_operators::operator&&;

libnet::SystemError time_is_up(const std::string& what, const Options& options) {
  const std::string text = what + std::to_string(options.timeout.count()) + " s";
  return libnet::SystemError(libnet::Error(libnet::Errc::timed_out, {.text = text}));
}

Exchange::Exchange(libnet::Socket socket, StandardInput& input, StandardOutput& output, const Options& options)
    : socket_(std::move(socket)), input_(input), output_(output), options_(options) {}

/// Whatever goes wrong becomes the connection's error, so there is one place where it is told.
asio::awaitable<void> Exchange::run() {
  const auto failing = socket_.scoped(socket_.on(event::error, [this](const libnet::Error&) { input_.cancel(); }));
  const auto idling = socket_.scoped(
      socket_.on(event::timeout, [this] { cut(time_is_up("nothing was transferred for ", options_).error()); }));
  socket_.set_timeout(options_.timeout);
  co_await (send() && receive());
  co_await socket_.async_close(libnet::as_tuple);
  if (const libnet::Error failure = socket_.error()) throw libnet::SystemError(failure);
}

/// Each write has left before more input is read.
asio::awaitable<void> Exchange::send() try {
  while (wants_input()) {
    const std::string_view bytes = co_await input_.read();
    if (bytes.empty()) break;
    const auto [failure, size] = co_await socket_.async_write(bytes, libnet::as_tuple);
    if (failure) co_return;  // the connection's error; receiving goes on with what the peer sent before it
  }
  if (options_.half_close && input_.at_end()) co_await socket_.async_end(libnet::as_tuple);
} catch (const libnet::SystemError& failure) {
  cut(failure.error());
}

/// Each chunk is written before the next one is read.
asio::awaitable<void> Exchange::receive() try {
  while (!cut_) {
    const auto [failure, chunk] = co_await socket_.async_read(libnet::as_tuple);
    if (failure || chunk.empty()) break;
    co_await write(chunk);
  }
  peer_ended_ = true;
  if (!wants_input()) input_.cancel();
} catch (const libnet::SystemError& failure) {
  cut(failure.error());
}

asio::awaitable<void> Exchange::write(std::string_view bytes) {
  while (!bytes.empty() && !cut_) {
    bytes.remove_prefix(co_await output_.write_some(bytes));
    socket_.set_timeout(options_.timeout);  // a slow standard output is not idle
  }
}

/// After the peer's end only what is there already, unless our side has an end of its own.
bool Exchange::wants_input() const { return options_.half_close || !peer_ended_ || input_.ready(); }

void Exchange::cut(const libnet::Error& why) {
  cut_ = true;
  socket_.destroy(why);
  output_.cancel();
}
