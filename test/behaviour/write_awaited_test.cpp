#include "support/behaviour.hpp"
#include "support/writes.hpp"

#include <unistd.h>
#include <boost/asio/use_awaitable.hpp>

#include <optional>

using namespace libnet::test;
using libnet::Bytes;
using libnet::Chunk;
using libnet::Errc;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SystemError;

// What write_test.cpp and write_failure_test.cpp say of callbacks, for writes that are awaited.

namespace {

error_code system_error(int code) { return {code, boost::system::system_category()}; }

asio::awaitable<std::string> read_all(Socket socket) {
  std::string all;
  while (const Chunk chunk = co_await socket.async_read()) all += chunk;
  co_return all;
}

/// Reads to the end, and compares.
asio::awaitable<void> expect_to_read(Socket socket, std::string expected) {
  const std::string all = co_await read_all(socket);
  BOOST_TEST((all == expected));
  co_await socket.async_close();
}

asio::awaitable<void> next_turn(Socket socket) { co_await asio::post(socket.get_executor(), asio::use_awaitable); }

}  // namespace

BEHAVIOUR(B126_B127_B128_B131_written_before_the_connection_is_up_awaited, all_wires) {
  Server server(world.io());
  world.listen(server);
  world.spawn([](Server from) -> asio::awaitable<void> {
    const Socket accepted = co_await from.async_accept();
    co_await expect_to_read(accepted, "first second third fourth");
    from.close();
  }(server));
  world.await([](World& here, const Server& to) -> asio::awaitable<void> {
    Socket socket(here.io());
    here.connect(socket, to);
    WriteTally tally;
    std::size_t queued = 0;
    for (const std::string text : {"first ", "second ", "third "}) {
      socket.async_write(std::string(text), tally.next());
      queued += text.size();
      BOOST_TEST(socket.buffered() == queued);
      BOOST_TEST(socket.bytes_written() == queued);
    }
    co_await socket.async_wait(event::connect);
    BOOST_TEST(socket.bytes_written() == queued);
    co_await socket.async_write("fourth");
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all({}));
    BOOST_TEST(socket.bytes_written() == queued + 6);
    co_await socket.async_end();
    BOOST_TEST(socket.buffered() == 0u);
  }(world, server));
  world.run();
}

BEHAVIOUR(B129_bytes_written_of_ten_million_awaited, all_wires) {
  const std::string data = random_bytes(10'000'000);
  auto [client, server] = world.pair();
  world.spawn(expect_to_read(server, data + data));
  world.await([](Socket socket, const std::string& bytes) -> asio::awaitable<void> {
    BOOST_TEST(co_await socket.async_write(bytes) == bytes.size());
    BOOST_TEST(socket.bytes_written() == 10'000'000u);
    co_await socket.async_end(bytes);
    BOOST_TEST(socket.bytes_written() == 20'000'000u);
  }(client, data));
  world.run();
}

BEHAVIOUR(B136_memory_of_an_awaited_write_awaited, all_wires) {
  const std::string data = random_bytes(2'000'000);
  auto [client, server] = world.pair();
  world.spawn(expect_to_read(server, data + data + data + data));
  world.await([](Socket socket, const std::string& bytes) -> asio::awaitable<void> {
    std::string borrowed = bytes;
    co_await socket.async_write(std::string_view(borrowed));
    borrowed.assign(borrowed.size(), 'x');  // it is ours again
    std::string given = bytes;
    co_await socket.async_write(std::move(given));
    std::optional<Bytes> shared(bytes);
    WriteTally tally;
    socket.async_write(*shared, tally.next());
    shared.reset();
    std::vector<std::byte> vector(bytes.size());
    std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(), vector.begin());
    co_await socket.async_write(std::move(vector));
    BOOST_TEST(tally.all({}));
    co_await socket.async_end();
  }(client, data));
  world.run();
}

BEHAVIOUR(B138_B240_corked_writes_wait_awaited, all_wires) {
  auto [client, server] = world.pair();
  world.spawn(expect_to_read(server, "pingpong"));
  world.await([](Socket socket) -> asio::awaitable<void> {
    WriteTally tally;
    {
      const auto outer = socket.corked();
      const auto inner = socket.corked();
      socket.async_write("pi", tally.next());
      socket.async_write("ng", tally.next());
      co_await next_turn(socket);
      co_await next_turn(socket);
      BOOST_TEST(socket.buffered() == 4u);
      BOOST_TEST(tally.completions.empty());
    }
    co_await socket.async_write("po");
    BOOST_TEST(tally.each_once_in_order());
    socket.cork();
    socket.async_write("ng", tally.next());
    co_await next_turn(socket);
    BOOST_TEST(socket.buffered() == 2u);
    co_await socket.async_end();  // releases what was held
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all({}));
  }(client));
  world.run();
}

BEHAVIOUR(B240_destroying_inside_a_corked_scope_awaited, all_wires) {
  auto [client, server] = world.pair();
  world.spawn(expect_to_read(server, ""));
  world.await([](Socket socket) -> asio::awaitable<void> {
    WriteTally tally;
    {
      const auto corked = socket.corked();
      socket.async_write("never sent", tally.next());
      socket.destroy();
    }
    co_await socket.async_wait(event::close);
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all(asio::error::operation_aborted));
  }(client));
  world.run();
}

BEHAVIOUR(B140_destroyed_before_it_connected_awaited, all_wires) {
  Server server(world.io());
  world.listen(server);
  world.await([](World& here, const Server& to) -> asio::awaitable<void> {
    Socket socket(here.io());
    here.connect(socket, to);
    WriteTally tally;
    socket.async_write("first", tally.next());
    socket.async_write(std::string(more_than_fits(here), 'x'), tally.next());
    socket.destroy();
    BOOST_TEST(tally.completions.empty());
    co_await socket.async_wait(event::close);
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all(Errc::closed_before_connection));
  }(world, server));
}

BEHAVIOUR(B141_in_flight_at_destroy_awaited, all_wires) {
  auto [client, server] = world.pair();
  server.pause();
  WriteTally tally;
  world.spawn(write_and_note(client, std::string(more_than_fits(world), 'x'), &tally));
  world.spawn(write_and_note(client, "second", &tally));
  error_code end_code;
  bool had_error = true;
  world.spawn([](Socket socket, error_code& result) -> asio::awaitable<void> {
    const auto [code] = co_await socket.async_end("third", libnet::as_tuple);
    result = code;
  }(client, end_code));
  world.spawn([](Socket socket, bool& result) -> asio::awaitable<void> {
    result = co_await socket.async_wait(event::close);
  }(client, had_error));
  world.settle();
  BOOST_TEST(tally.completions.empty());
  client.destroy();
  server.resume();
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(asio::error::operation_aborted));
  BOOST_TEST((end_code == asio::error::operation_aborted));
  BOOST_TEST(!had_error);
}

BEHAVIOUR(B142_write_after_both_sides_ended_awaited, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  // Between 'finish' and 'close', where a coroutine may come too late.
  client.once(event::finish, [&, socket = client]() mutable {
    socket.async_write("x", [&, socket](const error_code& code, std::size_t size) {
      BOOST_TEST((code == system_error(EPIPE)));
      BOOST_TEST(size == 0u);
      BOOST_TEST(socket.error().message() == "this socket has been ended by the other party");
      recorder.note("client:completed");
    });
    BOOST_TEST(recorder.count("client:completed") == 0u);
  });
  server.end();
  world.run();
  const std::vector<std::string> expected{"end", "finish", "completed", "error(EPIPE)", "close(true)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B144_peer_gone_with_megabytes_queued_awaited, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  server.pause();
  WriteTally tally;
  for (int i = 0; i < 8; ++i) world.spawn(write_and_note(client, std::string(1024 * 1024, 'x'), &tally));
  world.settle();
  server.destroy();
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  const error_code last = tally.completions.back().code;
  BOOST_TEST((last == system_error(EPIPE) || last == system_error(ECONNRESET)));
  BOOST_TEST((client.error().code() == last));
  BOOST_TEST(recorder.count("client:close(true)") == 1u);
  BOOST_TEST(recorder.count("client:error(" + client.error().name() + ")") == 1u);
}

BEHAVIOUR(B145_descriptor_closed_underneath_awaited, real_wires) {
  auto [client, server] = world.pair();
  const int spare = ::dup(0);  // keeps the number taken, so that nobody else is hurt
  ::close(client.native_handle());
  world.await([](Socket socket) -> asio::awaitable<void> {
    try {
      co_await socket.async_write("x");
      BOOST_ERROR("written");
    } catch (const SystemError& failure) {
      BOOST_TEST((failure.code() == system_error(EBADF)));
      BOOST_TEST(std::string(failure.what()).starts_with("write EBADF"));
    }
    co_await socket.async_wait(event::close);
    const auto [code, size] = co_await socket.async_write("x", libnet::as_tuple);
    BOOST_TEST((code == Errc::closed));
  }(client));
  ::close(spare);
}

BEHAVIOUR(B146_request_and_reply_leave_nothing_queued_awaited, all_wires) {
  auto [client, server] = world.pair();
  world.spawn([](Socket socket) -> asio::awaitable<void> {
    while (const Chunk chunk = co_await socket.async_read()) {
      co_await socket.async_write(chunk);
      BOOST_TEST(socket.buffered() <= 4u);
    }
  }(server));
  world.await([](Socket socket) -> asio::awaitable<void> {
    for (int round = 0; round < 1000; ++round) {
      co_await socket.async_write("ping");
      BOOST_TEST(socket.buffered() <= 4u);
      const Chunk chunk = co_await socket.async_read();
      BOOST_TEST(chunk.to_string() == "ping");
    }
    co_await socket.async_end();
  }(client));
  world.run();
}
