#pragma once

#include "support/behaviour.hpp"

#include <libnet/net.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace libnet::test {

/// More bytes than this wire takes without a reader.
inline std::size_t more_than_fits(const World& world) { return (world.in_memory() ? 1U : 8U) * 1024 * 1024; }

/// Counts writes and their completions: who completed, when, with what.
struct WriteTally {
  struct Completion {
    std::size_t write;
    error_code code;
    std::size_t bytes;
  };

  std::size_t started = 0;
  std::vector<Completion> completions;

  /// The callback (or completion handler) of the next write.
  auto next() {
    return
        [this, write = started++](error_code code, std::size_t bytes) { completions.push_back({write, code, bytes}); };
  }

  /// Every write completed exactly once, in the order of the calls.
  bool each_once_in_order() const {
    if (completions.size() != started) return false;
    for (std::size_t i = 0; i < started; ++i) {
      if (completions[i].write != i) return false;
    }
    return true;
  }
  bool all(const error_code& code) const {
    for (const Completion& completion : completions) {
      if (completion.code != code) return false;
    }
    return true;
  }
  std::size_t bytes() const {
    std::size_t sum = 0;
    for (const Completion& completion : completions) sum += completion.bytes;
    return sum;
  }
};

/// Awaits one write and notes its completion.
inline boost::asio::awaitable<void> write_and_note(Socket socket, std::string data, WriteTally* tally) {
  auto note = tally->next();
  auto [code, bytes] = co_await socket.async_write(data, as_tuple);
  note(code, bytes);
}

/// Reads at most one chunk a handler of the loop, so that the sender's queue fills; collects what came.
inline void read_slowly(Socket socket, std::string* into) {
  socket.on(event::data, [socket, into](Chunk chunk) mutable {
    *into += chunk;
    socket.pause();
    boost::asio::post(socket.get_executor(), [socket]() mutable { socket.resume(); });
  });
}

}  // namespace libnet::test
