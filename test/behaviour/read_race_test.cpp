#include "support/behaviour.hpp"

#include <boost/asio/steady_timer.hpp>

#include <array>
#include <random>

#include "support/seed.hpp"

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::error_code;
using libnet::Socket;

// Reads that race their time limit, very often.

namespace {

constexpr unsigned raced_wires = static_cast<unsigned>(Wire::tcp4) | static_cast<unsigned>(Wire::unix_path) |
                                 static_cast<unsigned>(Wire::memory) | static_cast<unsigned>(Wire::record);

/// The n-th byte of the stream, so that a byte lost, repeated or moved is noticed.
char byte_at(std::uint64_t position) { return static_cast<char>(position * 0x9E3779B97F4A7C15U >> 56); }

struct Race {
  std::mt19937_64 random;
  std::uint64_t sent = 0;
  std::uint64_t received = 0;
  int reads = 0;
  int most_reads = 100'000;
  int timeouts = 0;
  int successes = 0;
  bool wrong = false;

  void take(std::string_view bytes) {
    for (const char byte : bytes) wrong = wrong || byte != byte_at(received++);
  }
};

/// Writes a few bytes at moments that have nothing to do with those of the reader.
asio::awaitable<void> write_now_and_then(Socket socket, Race& race) {
  asio::steady_timer timer(socket.get_executor());
  while (race.reads < race.most_reads) {
    std::string bytes;
    const std::size_t size = 1 + race.random() % 40;
    while (bytes.size() < size) bytes.push_back(byte_at(race.sent++));
    co_await socket.async_write(std::move(bytes));
    timer.expires_after(std::chrono::microseconds(race.random() % 60));
    co_await timer.async_wait(asio::use_awaitable);
  }
  co_await socket.async_end();
}

asio::awaitable<void> read_with_limits(Socket socket, Race& race) {
  std::array<char, 16> memory{};
  for (; race.reads < race.most_reads; ++race.reads) {
    const std::chrono::microseconds limit(race.random() % 51);
    error_code code;
    if (race.random() % 2 == 0) {
      auto [result, chunk] = co_await socket.async_read(libnet::cancel_after(limit, libnet::as_tuple));
      code = result;
      race.take(chunk);
    } else {
      auto [result, size] =
          co_await socket.async_read_some(asio::buffer(memory), libnet::cancel_after(limit, libnet::as_tuple));
      code = result;
      race.take({memory.data(), size});
    }
    race.timeouts += code == Errc::timed_out ? 1 : 0;
    race.successes += !code ? 1 : 0;
  }
  while (const Chunk chunk = co_await socket.async_read()) race.take(chunk);
}

}  // namespace

BEHAVIOUR(R10_C7_reads_racing_their_time_limit_lose_no_byte_awaited, raced_wires) {
  auto [client, server] = world.pair();
  Race race{.random = std::mt19937_64(seed())};
  if (world.wire() != Wire::tcp4) race.most_reads /= 10;
  world.spawn(write_now_and_then(server, race));
  world.await(read_with_limits(client, race));
  world.run();
  BOOST_TEST(!race.wrong);
  BOOST_TEST(race.received == race.sent);
  BOOST_TEST(race.timeouts + race.successes == race.most_reads);
  BOOST_TEST(race.timeouts > race.most_reads / 100);  // or there was no race
  BOOST_TEST(race.successes > race.most_reads / 100);
}
