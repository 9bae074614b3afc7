#include "support/behaviour.hpp"
#include "support/writes.hpp"
#include "transport/memory_transport.hpp"

#include <unistd.h>

#include <algorithm>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Server;
using libnet::Socket;
using libnet::SystemError;

// Writes on sockets that are closed, closing, ended or broken.

namespace {

error_code system_error(int code) { return {code, boost::system::system_category()}; }

bool is_gone(const error_code& code) { return code == system_error(EPIPE) || code == system_error(ECONNRESET); }

/// Lets the peer end, and our side with it, up to the moment in which a listener of 'finish' runs.
void at_finish_after_the_peers_end(World& world, const World::Pair& pair, std::function<void()> f) {
  Socket client = pair.client;
  Socket server = pair.server;
  client.once(event::finish, std::move(f));
  server.end();
  world.run();
}

}  // namespace

BEHAVIOUR(B139_write_after_destroy, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  WriteTally tally;
  client.destroy();
  BOOST_TEST(!client.write("x"));
  BOOST_TEST(!client.write("x", tally.next()));
  BOOST_TEST(tally.completions.empty());
  world.settle();
  BOOST_TEST(!client.write("x", tally.next()));
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(Errc::destroyed));
  BOOST_TEST(recorder.log() == Log{"client:close(false)"}, per_element);
  BOOST_TEST(client.bytes_written() == 0U);
}

BEHAVIOUR(B139_write_after_destroy_awaited, all_wires) {
  auto [client, server] = world.pair();
  client.destroy();
  world.await([](Socket socket) -> asio::awaitable<void> {
    try {
      co_await socket.async_write("x");
      BOOST_ERROR("no exception");
    } catch (const SystemError& failure) {
      BOOST_TEST(failure.code() == Errc::destroyed);
      BOOST_TEST(failure.bytes_transferred() == 0U);
    }
  }(client));
  world.run();
}

BEHAVIOUR(B140_destroyed_before_it_connected, all_wires) {
  Server server(world.io());
  server.on(event::connection, [](const Socket&) {});
  world.listen(server);
  Socket client(world.io());
  Recorder recorder;
  recorder.watch(client, "client");
  WriteTally tally;
  world.connect(client, server);
  client.write("first", tally.next());
  client.write(std::string(more_than_fits(world), 'x'), tally.next());
  client.async_write("third", tally.next());
  client.write("", tally.next());
  client.destroy();
  BOOST_TEST(tally.completions.empty());
  client.on(event::close, [&](bool) { BOOST_TEST(tally.completions.size() == 4U); });
  world.run_until([&] { return recorder.log().size() == 1; });
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(Errc::closed_before_connection));
  BOOST_TEST(tally.bytes() == 0U);
  server.close();
  world.run();
  BOOST_TEST(recorder.log() == Log{"client:close(false)"}, per_element);
}

BEHAVIOUR(B141_in_flight_at_destroy, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  WriteTally tally;
  server.pause();
  client.write(std::string(more_than_fits(world), 'x'), tally.next());
  client.async_write("second", tally.next());
  error_code end_code;
  client.end("third", [&](error_code code) {
    end_code = code;
    recorder.note("end callback");
  });
  world.settle();
  BOOST_TEST(tally.completions.empty());
  client.destroy();
  BOOST_TEST(tally.completions.empty());
  server.resume();
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(asio::error::operation_aborted));
  BOOST_TEST(end_code == asio::error::operation_aborted);
  BOOST_TEST(recorder.log() == (Log{"end callback", "client:close(false)"}), per_element);
  BOOST_TEST(tally.completions[0].bytes > 0U);
  BOOST_TEST(tally.completions[0].bytes < more_than_fits(world));
  BOOST_TEST(tally.completions[1].bytes == 0U);
}

BEHAVIOUR(B141_destroy_with_an_error_gives_it_to_the_writes, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  WriteTally tally;
  server.pause();
  client.write(std::string(more_than_fits(world), 'x'), tally.next());
  client.write("second", tally.next());
  world.settle();
  client.destroy(Error(Errc::invalid_argument, "test"));
  server.resume();
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(Errc::invalid_argument));
  BOOST_TEST(recorder.log() == (Log{"client:error(ERR_INVALID_ARGUMENT)", "client:close(true)"}), per_element);
}

BEHAVIOUR(B142_write_after_both_sides_ended, all_wires) {
  auto pair = world.pair();
  Recorder recorder;
  recorder.watch(pair.client, "client");
  bool inside = false;
  at_finish_after_the_peers_end(world, pair, [&, client = pair.client]() mutable {
    inside = true;
    client.on(event::error, [&](const Error& error) {
      BOOST_TEST(!inside);
      BOOST_TEST(error.message() == "this socket has been ended by the other party");
    });
    BOOST_TEST(!client.write("x", [&](error_code code, std::size_t bytes) {
      BOOST_TEST(!inside);
      BOOST_TEST(code == system_error(EPIPE));
      BOOST_TEST(bytes == 0U);
      recorder.note("callback");
    }));
    inside = false;
  });
  BOOST_TEST(
      recorder.log() == (Log{"client:end", "client:finish", "callback", "client:error(EPIPE)", "client:close(true)"}),
      per_element);
}

BEHAVIOUR(B142_write_after_own_end, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  WriteTally tally;
  client.end();
  BOOST_TEST(!client.write("x", tally.next()));
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(Errc::write_after_end));
  BOOST_TEST(recorder.log() == (Log{"client:error(ERR_WRITE_AFTER_END)", "client:close(true)"}), per_element);
}

BEHAVIOUR(B143_write_on_a_closed_socket, all_wires) {
  auto pair = world.pair();
  Recorder recorder;
  recorder.watch(pair.client, "client");
  WriteTally tally;
  pair.client.on(event::close,
                 [&, client = pair.client](bool) mutable { BOOST_TEST(!client.write("in close", tally.next())); });
  pair.server.end();
  world.run();
  BOOST_TEST(!pair.client.write("later", tally.next()));
  world.run();
  world.await([](Socket socket) -> asio::awaitable<void> {
    auto [code, size] = co_await socket.async_write("awaited", libnet::as_tuple);
    BOOST_TEST(code == Errc::closed);
    BOOST_TEST(size == 0U);
  }(pair.client));
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(Errc::closed));
  BOOST_TEST(recorder.log() == (Log{"client:end", "client:finish", "client:close(false)"}), per_element);
}

BEHAVIOUR(B144_peer_gone_with_megabytes_queued, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  WriteTally tally;
  server.pause();
  for (int i = 0; i < 8; ++i) client.write(std::string(1024 * 1024, 'x'), tally.next());
  world.settle();
  server.destroy();
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(is_gone(tally.completions.back().code));
  BOOST_TEST(is_gone(client.error().code()));
  Log log = recorder.log();
  if (world.wire() == Wire::record)
    std::erase(log, "client:end");  // closing sends an end record where that is possible
  BOOST_TEST(log == (Log{"client:error(" + client.error().name() + ")", "client:close(true)"}), per_element);
}

BEHAVIOUR(B145_descriptor_closed_underneath, real_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  std::string message;
  client.on(event::error, [&](const Error& error) { message = error.message(); });
  WriteTally tally;
  const int spare = ::dup(0);  // keeps the number taken, so that nobody else is hurt
  ::close(client.native_handle());
  client.write("x", tally.next());
  world.run_until([&] { return recorder.count("client:close(true)") == 1; });
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(system_error(EBADF)));
  BOOST_TEST(recorder.log() == (Log{"client:error(EBADF)", "client:close(true)"}), per_element);
  BOOST_TEST(message.starts_with("write EBADF"));
  ::close(spare);
  client.write("x", [&](error_code code) {
    BOOST_TEST(code == Errc::closed);
    recorder.note("later");
  });
  server.destroy();
  world.run();
  BOOST_TEST(recorder.log().back() == "later");
}

BEHAVIOUR(B146_request_and_reply_leave_nothing_queued, all_wires) {
  auto [client, server] = world.pair();
  server.on(event::data, [server = server](Chunk chunk) mutable {
    server.write(chunk);
    BOOST_TEST(server.buffered() <= 4U);
  });
  int rounds = 0;
  client.on(event::data, [&, client = client](Chunk) mutable {
    if (++rounds == 1000) {
      client.end();
      return;
    }
    client.write("ping");
    BOOST_TEST(client.buffered() <= 4U);
  });
  client.write("ping");
  world.run();
  BOOST_TEST(rounds == 1000);
}

BEHAVIOUR(B255_a_failed_write_fails_all_at_once_while_input_is_unread, all_wires) {
  // Half-open and awaited: nobody consumes what the peer said before it was gone.
  auto [client, server] = world.pair({.allow_half_open = true, .linger_time = 5s});
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  WriteTally tally;
  world.use_manual_clock();
  server.write("last words");
  world.settle();
  server.destroy();
  world.settle();
  BOOST_TEST(recorder.log().empty());
  // The first write may still be taken by the kernel, whose peer answers with a reset.
  for (int i = 0; i < 20 && tally.completions.empty(); ++i) {
    client.write("x", tally.next());
    client.write(std::string(more_than_fits(world), 'y'), tally.next());
    client.write("z", tally.next());
    world.settle();
  }
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(is_gone(tally.completions.back().code));
  BOOST_TEST(recorder.log().empty());
  world.await([](Socket socket) -> asio::awaitable<void> {
    const Chunk chunk = co_await socket.async_read();
    BOOST_TEST(chunk.to_string() == "last words");
  }(client));
  world.run();
  BOOST_TEST(recorder.log().size() == 2U);
  BOOST_TEST(recorder.log().back() == "client:close(true)");
}

BEHAVIOUR(B255_error_waits_for_the_reader_for_linger_time_at_most, 8) {
  auto [client, server] = world.pair({.linger_time = 5s});
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  world.use_manual_clock();
  server.write("unread");
  world.settle();
  WriteTally tally;
  auto& shape = world.memory_ends().client->shape();
  shape.fail_write(1, system_error(EPIPE));
  client.write("x", tally.next());
  client.write("y", tally.next());
  world.settle();
  BOOST_TEST(shape.write_faults() == 1U);
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all(system_error(EPIPE)));
  world.advance(4s);
  BOOST_TEST(recorder.log().empty());
  world.advance(2s);
  world.run();
  BOOST_TEST(recorder.log() == (Log{"client:error(EPIPE)", "client:close(true)"}), per_element);
}

BEHAVIOUR(C3_the_nth_write_fails, 8 | 16) {
  for (std::size_t nth = 1; nth <= 12; ++nth) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(client, "client");
    std::string received;
    server.on(event::data, [&](Chunk chunk) { received += chunk; });
    server.on(event::error, [](const Error&) {});
    WriteTally tally;
    bool all_before_close = false;
    client.on(event::close, [&](bool) { all_before_close = tally.each_once_in_order(); });
    auto& shape = world.memory_ends().client->shape();
    shape.limit_writes(9'000);
    shape.fail_write(nth, system_error(ENOBUFS));
    std::string sent;
    for (unsigned i = 0; i < 30; ++i) {
      const std::string data = random_bytes(100 + i * 700, i);
      sent += data;
      client.write(data, tally.next());
    }
    world.run();
    BOOST_TEST(shape.write_faults() == 1U);
    BOOST_TEST(all_before_close);
    BOOST_TEST(recorder.log() == (Log{"client:error(ENOBUFS)", "client:close(true)"}), per_element);
    bool failed = false;  // the successes come first, the rest has the one error
    for (const auto& completion : tally.completions) {
      failed = failed || completion.code;
      BOOST_TEST((completion.code == (failed ? system_error(ENOBUFS) : error_code())));
    }
    BOOST_TEST(failed);
    BOOST_TEST(sent.starts_with(received));
    if (world.wire() == Wire::memory) BOOST_TEST(tally.bytes() == received.size());
  }
}

BEHAVIOUR(C3_a_write_that_was_sent_succeeds_though_the_next_one_fails, 8) {
  auto [client, server] = world.pair();
  server.on(event::data, [](Chunk) {});
  client.on(event::error, [](const Error&) {});
  WriteTally tally;
  auto& shape = world.memory_ends().client->shape();
  shape.fail_write(2, system_error(EPIPE));
  client.write(std::string(40'000, 'x'), tally.next());
  client.write("y", tally.next());
  world.run();
  BOOST_TEST(shape.write_faults() == 1U);
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.completions[0].code == error_code());
  BOOST_TEST(tally.completions[0].bytes == 40'000U);
  BOOST_TEST(tally.completions[1].code == system_error(EPIPE));
}

BEHAVIOUR(C3_a_large_write_that_fails_at_once_after_the_peers_end, 8) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(client, "client");
  server.on(event::data, [](Chunk) {});
  server.end();
  world.run_until([&] { return recorder.count("client:end") == 1; });
  WriteTally tally;
  auto& shape = world.memory_ends().client->shape();
  shape.fail_write(1, system_error(EPIPE));
  const std::string data(40'000, 'x');
  client.write(data, tally.next());
  client.write(data, tally.next());
  BOOST_TEST(tally.completions.empty());
  world.run();
  BOOST_TEST(shape.write_faults() == 1U);
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.completions[0].code == system_error(EPIPE));
  BOOST_TEST(recorder.log() == (Log{"client:end", "client:error(EPIPE)", "client:close(true)"}), per_element);
}
