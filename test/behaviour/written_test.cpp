#include "support/behaviour.hpp"
#include "support/writes.hpp"
#include "transport/memory_transport.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <stdexcept>
#include <vector>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::OverflowPolicy;
using libnet::Server;
using libnet::Socket;

// What was written has been written: it gets its chance, keeps its order, and stays counted, however the connection ends.

namespace {

constexpr int many_times = 100;

error_code system_error(int code) { return {code, boost::system::system_category()}; }

/// Collects what a socket receives; its errors are of no interest.
void collect(Socket& socket, std::string& into) {
  socket.on(event::data, [&into](Chunk chunk) { into += chunk; });
  socket.on(event::error, [](const Error&) {});
}

}  // namespace

// --- the one chance ------------------------------------------------------------------------------------------------

BEHAVIOUR(B280_what_was_written_arrives_before_destroy, all_wires) {
  for (int i = 0; i < many_times; ++i) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(client, "client");
    std::string received;
    collect(server, received);
    WriteTally tally;
    client.write("good", tally.next());
    client.async_write("bye", tally.next());
    client.destroy();
    BOOST_TEST(tally.completions.empty());
    world.run();
    BOOST_TEST(received == "goodbye");
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all({}));
    BOOST_TEST(recorder.log() == Log{"client:close(false)"}, per_element);
  }
}

BEHAVIOUR(B280_what_was_written_arrives_before_destroy_awaited, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  collect(server, received);
  world.await([](Socket socket) -> asio::awaitable<void> {
    for (int i = 0; i < many_times; ++i) socket.write("bye");
    socket.destroy(Error(Errc::invalid_argument, "test"));
    co_return;
  }(client));
  world.run();
  BOOST_TEST(received.size() == 3U * many_times);
}

BEHAVIOUR(B280_and_before_reset, ip_wires) {
  for (int i = 0; i < many_times; ++i) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(server, "server");
    WriteTally tally;
    client.write("bye", tally.next());
    client.reset();
    world.run();
    BOOST_TEST(recorder.received("server") == "bye");
    BOOST_TEST(recorder.count("server:error(ECONNRESET)") == 1U);
    BOOST_TEST(tally.all({}));
    BOOST_TEST(tally.each_once_in_order());
  }
}

BEHAVIOUR(B280_and_before_the_exception_of_a_listener_takes_effect, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  collect(client, received);
  server.on(event::error, [](const Error&) {});
  server.on(event::data, [server = server](Chunk) mutable {
    server.write("sorry");
    throw std::runtime_error("test");
  });
  client.write("x");
  world.run();
  BOOST_TEST(received == "sorry");
}

BEHAVIOUR(B280_and_before_the_exception_of_a_callback_takes_effect, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  collect(server, received);
  client.on(event::error, [](const Error&) {});
  client.write("x", [client = client]() mutable {
    client.write("sorry");
    throw std::runtime_error("test");
  });
  world.run();
  BOOST_TEST(received == "xsorry");
}

BEHAVIOUR(B280_and_before_the_exception_of_a_handler_takes_effect_awaited, all_wires) {
  Server server(world.io());
  server.on(event::handler_error, [server](const Socket&, const std::exception_ptr&) mutable { server.close(); });
  server.serve([](Socket socket) -> asio::awaitable<void> {
    co_await socket.async_read();
    socket.write("sorry");
    throw std::runtime_error("test");
  });
  world.listen(server);
  Socket client(world.io());
  std::string received;
  collect(client, received);
  world.connect(client, server);
  client.write("x");
  world.run();
  BOOST_TEST(received == "sorry");
}

BEHAVIOUR(B280_what_the_kernel_does_not_take_gets_the_error, all_wires) {
  for (const bool with_error : {false, true}) {
    auto [client, server] = world.pair();
    client.on(event::error, [](const Error&) {});
    server.pause();
    WriteTally tally;
    const std::string large(more_than_fits(world), 'x');
    client.write("whole", tally.next());
    client.async_write(large, tally.next());
    client.write("never", tally.next());
    with_error ? client.destroy(Error(Errc::invalid_argument, "test")) : client.destroy();
    std::string received;
    collect(server, received);
    server.resume();
    world.run();
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.completions[0].code == error_code());
    const error_code expected = with_error ? Errc::invalid_argument : error_code(asio::error::operation_aborted);
    BOOST_TEST(tally.completions[1].code == expected);
    BOOST_TEST(tally.completions[1].bytes > 0U);
    BOOST_TEST(tally.completions[1].bytes < large.size());
    BOOST_TEST(tally.completions[2].code == expected);
    BOOST_TEST(tally.completions[2].bytes == 0U);
    BOOST_TEST(received.starts_with("wholexxx"));
  }
}

BEHAVIOUR(B280_more_pieces_than_one_call_takes, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  collect(server, received);
  std::deque<std::string> kept;
  WriteTally tally;
  for (int i = 0; i < 1000; ++i) client.async_write(kept.emplace_back("0123456789"), tally.next());
  client.destroy();
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.bytes() <= received.size());
  if (world.wire() != Wire::record) {  // which may have to wait for its peer
    BOOST_TEST(received.size() == 10'000U);
    BOOST_TEST(tally.all({}));
  }
}

BEHAVIOUR(B280_nobody_is_asked_again_who_is_known_to_be_full, 8) {
  auto [client, server] = world.pair();
  auto& shape = world.memory_ends().client->shape();
  shape.hold_writable();
  client.write("x");
  world.settle();
  shape.fail_write(2, system_error(EIO));
  client.write("y");
  client.destroy();
  world.run();
  BOOST_TEST(shape.write_faults() == 0U);
}

BEHAVIOUR(B280_corked_bytes_are_dropped, all_wires) {
  for (const bool by_reset : {false, true}) {
    if (by_reset && world.is_unix()) continue;
    auto [client, server] = world.pair();
    std::string received;
    collect(server, received);
    WriteTally tally;
    client.write("sent ");
    world.settle();
    client.cork();
    client.write("held back", tally.next());
    by_reset ? client.reset() : client.destroy();
    world.run();
    BOOST_TEST(received == "sent ");
    BOOST_TEST(tally.all(asio::error::operation_aborted));
    BOOST_TEST(tally.each_once_in_order());
  }
}

BEHAVIOUR(B280_bytes_from_before_the_connection_are_dropped, all_wires) {
  for (const bool says_bye : {false, true}) {
    Server server(world.io());
    std::string received;
    server.on(event::connection, [&, server](Socket socket) mutable {
      collect(socket, received);
      server.close();
    });
    world.listen(server);
    Socket client(world.io());
    WriteTally tally;
    world.connect(client, server);
    client.write("early ", tally.next());
    client.on(event::connect, [&, client]() mutable {
      if (says_bye) client.write("bye", tally.next());  // which is behind it, so both are sent
      client.destroy();
    });
    world.run();
    BOOST_TEST(received == (says_bye ? "early bye" : ""));
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all(says_bye ? error_code() : error_code(asio::error::operation_aborted)));
  }
}

BEHAVIOUR(B280_a_reset_that_waited_for_the_connection_drops_what_was_written, ip_wires) {
  Server server(world.io());
  Recorder recorder;
  server.on(event::connection, [&, server](Socket socket) mutable {
    recorder.watch(socket, "server");
    server.close();
  });
  world.listen(server);
  Socket client(world.io());
  world.connect(client, server);
  client.write("early");
  client.reset();
  world.run();
  BOOST_TEST(recorder.received("server").empty());
}

BEHAVIOUR(B280_an_overflow_that_destroys_drops_everything, all_wires) {
  auto [client, server] =
      world.pair({.high_water_mark = 1000, .max_buffered = 1000, .on_overflow = OverflowPolicy::destroy});
  client.on(event::error, [](const Error&) {});
  const std::size_t size = more_than_fits(world);
  std::string received;
  server.pause();
  client.write(std::string(size, 'x'));
  BOOST_TEST(!client.write("one too many"));
  collect(server, received);
  server.resume();
  client.destroy();
  world.run();
  BOOST_TEST(received.size() < size);
}

// --- the order of the callbacks ------------------------------------------------------------------------------------

BEHAVIOUR(B281_B280_a_write_after_the_end_completes_behind_those_before_it, all_wires) {
  for (const bool by_end : {false, true}) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(client, "client");
    std::string received;
    collect(server, received);
    client.write("a", [&](error_code code) { recorder.note("f " + libnet::error_name(code)); });
    client.end();
    const auto late = [&](error_code code) { recorder.note("g " + libnet::error_name(code)); };
    by_end ? client.end("b", late), void() : void(client.write("b", late));
    world.run();
    const Log expected{"f ", by_end ? "g ERR_WRITE_AFTER_END" : "g ERR_WRITE_AFTER_END",
                       "client:error(ERR_WRITE_AFTER_END)", "client:close(true)"};
    BOOST_TEST(recorder.log() == expected, per_element);
    BOOST_TEST(received == "a");
  }
}

BEHAVIOUR(B281_a_write_after_the_end_completes_behind_those_before_it_awaited, all_wires) {
  auto [client, server] = world.pair();
  client.on(event::error, [](const Error&) {});
  std::string received;
  collect(server, received);
  Log log;
  const auto write = [&](Socket socket, std::string data) -> asio::awaitable<void> {
    const auto [code, bytes] = co_await socket.async_write(data, libnet::as_tuple);
    log.push_back(data + " " + libnet::error_name(code));
  };
  world.spawn(write(client, "a"));
  world.spawn([](Socket socket) -> asio::awaitable<void> {
    socket.end();
    co_return;
  }(client));
  world.spawn(write(client, "b"));
  world.run();
  BOOST_TEST(log == (Log{"a ", "b ERR_WRITE_AFTER_END"}), per_element);
  BOOST_TEST(received == "a");
}

BEHAVIOUR(B281_B280_a_write_after_both_ends_completes_behind_those_before_it, all_wires) {
  auto [client, server] = world.pair({}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(client, "client");
  std::string received;
  collect(server, received);
  client.on(event::end, [&, client = client]() mutable {
    client.write("answer", [&](error_code code) { recorder.note("f " + libnet::error_name(code)); });
    client.end();
    client.write("late", [&](error_code code) { recorder.note("g " + libnet::error_name(code)); });
  });
  server.end();
  world.run_until([&] { return recorder.count("client:close(true)") == 1 && !received.empty(); });
  BOOST_TEST(recorder.log() == (Log{"client:end", "f ", "g EPIPE", "client:error(EPIPE)", "client:close(true)"}),
             per_element);
  BOOST_TEST(received == "answer");
}

BEHAVIOUR(B281_what_cannot_be_sent_any_more_fails_in_its_place, all_wires) {
  auto [client, server] = world.pair();
  client.on(event::error, [](const Error&) {});
  server.on(event::error, [](const Error&) {});
  server.pause();
  WriteTally tally;
  client.write("whole", tally.next());
  client.write(std::string(more_than_fits(world), 'x'), tally.next());
  client.end();
  client.write("late", tally.next());
  server.resume();
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.completions[0].code == error_code());
  BOOST_TEST(tally.completions[1].code == Errc::write_after_end);
  BOOST_TEST(tally.completions[2].code == Errc::write_after_end);
}

BEHAVIOUR(B281_a_failure_of_one_write_alone_comes_at_once, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 1, .max_buffered = 1});
  server.pause();
  Log log;
  client.write(std::string(more_than_fits(world), 'x'), [&] { log.emplace_back("first"); });
  client.write("refused", [&](error_code code) { log.push_back(libnet::error_name(code)); });
  world.settle();
  BOOST_TEST(log == Log{"ERR_OVERFLOW"}, per_element);
  server.resume();
  client.end();
  world.run();
  BOOST_TEST(log == (Log{"ERR_OVERFLOW", "first"}), per_element);
}

// --- the mark ------------------------------------------------------------------------------------------------------

BEHAVIOUR(B282_a_megabyte_that_the_kernel_takes_needs_no_drain, tcp_wires) {
  constexpr std::size_t megabyte = 1'000'000;
  for (const bool behind_a_small_one : {false, true}) {
    Server server(world.io());
    std::size_t received = 0;
    server.on(event::connection, [&, server](Socket socket) mutable {
      socket.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
      server.close();
    });
    world.listen(server);
    Socket client(world.io());
    Recorder recorder;
    recorder.watch(client, "client");
    WriteTally tally;
    client.on(event::connect, [&, client]() mutable {
      if (behind_a_small_one) BOOST_TEST(client.write("small", tally.next()));
      BOOST_TEST(client.write(std::string(megabyte, 'x'), tally.next()));
      BOOST_TEST(client.buffered() == 0U);
      BOOST_TEST(!client.need_drain());
      BOOST_TEST(tally.completions.empty());
      client.end();
    });
    world.connect(client, server);
    world.run();
    BOOST_TEST(received == megabyte + (behind_a_small_one ? 5 : 0));
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all({}));
    BOOST_TEST(recorder.count("client:drain") == 0U);
  }
}

BEHAVIOUR(B282_the_write_that_reaches_the_mark_is_offered_in_the_call, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 100});
  Recorder recorder;
  recorder.watch(client, "client");
  std::string received;
  collect(server, received);
  for (int i = 0; i < 20; ++i) {
    BOOST_TEST(client.write(std::string(60, 'a')));
    BOOST_TEST(client.buffered() == 60U);
    BOOST_TEST(client.write(std::string(60, 'b')));
    BOOST_TEST(client.buffered() == 0U);
    world.settle();
  }
  client.end();
  world.run();
  BOOST_TEST(received.size() == 20U * 120);
  BOOST_TEST(recorder.count("client:drain") == 0U);
}

BEHAVIOUR(B282_false_means_that_the_queue_is_at_the_mark, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 5'000});
  std::string received;
  read_slowly(server, &received);
  std::size_t refused = 0;
  std::size_t written = 0;
  for (std::size_t size = 1; refused < 20 && written < 100'000'000; size = size * 3 % 9'973) {
    const bool room = client.write(std::string(size, 'x'));
    written += size;
    BOOST_TEST(room == (client.buffered() < 5'000));
    refused += room ? 0U : 1U;
    if (refused != 0 && size % 7 == 0) world.settle();
  }
  BOOST_TEST(refused > 0U);
  client.end();
  world.run();
  BOOST_TEST(received.size() == written);
}

BEHAVIOUR(B282_not_while_corked_or_known_to_be_full, 8) {
  auto [client, server] = world.pair({.high_water_mark = 100});
  auto& shape = world.memory_ends().client->shape();
  client.cork();
  BOOST_TEST(!client.write(std::string(200, 'x')));
  client.uncork();
  world.settle();
  shape.hold_writable();
  BOOST_TEST(!client.write(std::string(200, 'x')));
  shape.fail_write(1, system_error(EIO));  // would be met by any further call; it makes the side ready
  BOOST_TEST(!client.write("above the mark already"));
  BOOST_TEST(shape.write_faults() == 0U);
  client.on(event::error, [](const Error&) {});
  server.on(event::data, [](Chunk) {});
  world.run();
}

BEHAVIOUR(B282_as_many_bytes_as_the_kernel_takes_at_once_awaited, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 1000});
  std::string received;
  collect(server, received);
  world.await([](Socket socket) -> asio::awaitable<void> {
    for (int i = 0; i < 10; ++i) {
      const std::string data(3'000, 'x');
      auto note = socket.async_write(data, asio::deferred);
      BOOST_TEST(socket.write(std::string(900, 'y')));
      BOOST_TEST(co_await std::move(note)(libnet::use_awaitable) == data.size());
      BOOST_TEST(!socket.need_drain());
    }
    co_await socket.async_end();
  }(client));
  world.run();
  BOOST_TEST(received.size() == 39'000U);
}

// --- never connected -----------------------------------------------------------------------------------------------

BEHAVIOUR(B283_B143_a_write_on_a_socket_that_never_connected, all_wires) {
  for (const bool with_callback : {true, false}) {
    Socket socket(world.io());
    Recorder recorder;
    recorder.watch(socket, "socket");
    std::string message;
    socket.on(event::error, [&](const Error& error) { message = error.message(); });
    WriteTally tally;
    BOOST_TEST(!(with_callback ? socket.write("x", tally.next()) : socket.write("x")));
    BOOST_TEST(recorder.log().empty());
    BOOST_TEST(socket.destroyed());
    world.run();
    BOOST_TEST(tally.all(Errc::closed));
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(recorder.log() == (Log{"socket:error(ERR_CLOSED)", "socket:close(true)"}), per_element);
    BOOST_TEST(!message.empty());
    BOOST_TEST(socket.bytes_written() == 0U);
  }
}

BEHAVIOUR(B283_a_write_on_a_socket_that_never_connected_awaited, all_wires) {
  for (const bool some : {false, true}) {
    Socket socket(world.io());
    Recorder recorder;
    recorder.watch(socket, "socket");
    world.await([](Socket fresh, bool writes_some) -> asio::awaitable<void> {
      const auto [code, size] = writes_some ? co_await fresh.async_write_some(asio::buffer("x", 1), libnet::as_tuple)
                                            : co_await fresh.async_write("x", libnet::as_tuple);
      BOOST_TEST(code == Errc::closed);
      BOOST_TEST(size == 0U);
    }(socket, some));
    world.run();
    BOOST_TEST(recorder.log() == (Log{"socket:error(ERR_CLOSED)", "socket:close(true)"}), per_element);
  }
}

BEHAVIOUR(B283_an_end_with_data_on_a_socket_that_never_connected, all_wires) {
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "socket");
  error_code code;
  socket.end("x", [&](error_code result) { code = result; });
  world.run();
  BOOST_TEST(code == Errc::closed);
  BOOST_TEST(recorder.log() == (Log{"socket:error(ERR_CLOSED)", "socket:close(true)"}), per_element);
}

BEHAVIOUR(B283_it_may_connect_afterwards, all_wires) {
  Server server(world.io());
  std::string received;
  server.on(event::connection, [&, server](Socket socket) mutable {
    collect(socket, received);
    server.close();
  });
  world.listen(server);
  Socket client(world.io());
  client.on(event::error, [](const Error&) {});
  client.once(event::close, [&, client](bool had_error) mutable {
    BOOST_TEST(had_error);
    world.connect(client, server);
    client.end("now");
  });
  client.write("too early");
  world.run();
  BOOST_TEST(received == "now");
  BOOST_TEST(client.bytes_written() == 3U);
}

// --- the count -----------------------------------------------------------------------------------------------------

BEHAVIOUR(B284_what_was_cancelled_or_dropped_stays_counted, all_wires) {
  auto [client, server] = world.pair();
  client.on(event::error, [](const Error&) {});
  server.pause();
  const std::size_t large = more_than_fits(world);
  asio::cancellation_signal signal;
  client.write(std::string(large, 'x'));
  client.async_write("cancelled", asio::bind_cancellation_slot(signal.slot(), [](error_code, std::size_t) {}));
  client.write("behind");
  BOOST_TEST(client.bytes_written() == large + 15);
  signal.emit(asio::cancellation_type::total);
  BOOST_TEST(client.bytes_written() == large + 15);
  world.settle();
  BOOST_TEST(client.bytes_written() == large + 15);
  client.destroy();
  BOOST_TEST(client.bytes_written() == large + 15);
  client.on(event::close, [&, client = client](bool) { BOOST_TEST(client.bytes_written() == large + 15); });
  server.on(event::error, [](const Error&) {});
  server.on(event::data, [](Chunk) {});
  server.resume();
  world.run();
  BOOST_TEST(client.bytes_written() == large + 15);
  BOOST_TEST(client.buffered() == 0U);
}

BEHAVIOUR(B284_what_never_reached_a_connection_stays_counted_awaited, all_wires) {
  const auto options = world.refusing_options();
  world.await([](libnet::ConnectOptions where, asio::io_context& io) -> asio::awaitable<void> {
    Socket socket(io);
    socket.connect(where);
    const auto [code, bytes] = co_await socket.async_write("queued", libnet::as_tuple);
    BOOST_TEST(code.failed());
    BOOST_TEST(bytes == 0U);
    BOOST_TEST(socket.bytes_written() == 6U);
  }(options, world.io()));
}

// --- the peer has ended --------------------------------------------------------------------------------------------

BEHAVIOUR(B285_a_reset_behind_the_peers_end_is_no_error_when_all_is_written, all_wires) {
  for (int i = 0; i < 20; ++i) {
    auto [client, server] = world.pair({}, {.allow_half_open = true});
    Recorder recorder;
    recorder.watch(client, "client");
    WriteTally tally;
    server.pause();
    client.write("never read", tally.next());
    client.on(event::end, [server = server]() mutable { server.destroy(); });  // with unread input: a reset
    server.end();
    world.run();
    BOOST_TEST(recorder.log() == (Log{"client:end", "client:finish", "client:close(false)"}), per_element);
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all({}));
  }
}

BEHAVIOUR(B285_a_write_that_meets_a_closed_peer, tcp_wires) {
  for (int i = 0; i < 20; ++i) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(client, "client");
    WriteTally tally;
    server.destroy();                 // sends its end
    client.write("x", tally.next());  // is answered by a reset
    world.run();
    BOOST_TEST(recorder.log() == (Log{"client:end", "client:finish", "client:close(false)"}), per_element);
    BOOST_TEST(tally.all({}));
  }
}

BEHAVIOUR(B285_an_end_after_the_reset_of_a_half_open_socket_awaited, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  server.pause();
  server.end();
  world.await([](Socket socket, Socket peer) -> asio::awaitable<void> {
    co_await socket.async_write("never read");
    BOOST_TEST((co_await socket.async_read()).empty());
    peer.destroy();
    co_await socket.async_end();
  }(client, server));
  world.run();
  BOOST_TEST(!client.error());
}

BEHAVIOUR(B285_with_bytes_still_queued_it_is_an_error, all_wires) {
  auto [client, server] = world.pair({}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(client, "client");
  WriteTally tally;
  server.pause();
  client.write(std::string(more_than_fits(world), 'x'), tally.next());
  client.on(event::end, [server = server]() mutable { server.destroy(); });
  server.end();
  world.run();
  BOOST_TEST(recorder.count("client:close(true)") == 1U);
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.completions[0].code.failed());
}

// --- what cancelling costs -----------------------------------------------------------------------------------------

namespace {

/// Memory in which every object stands on pages of its own, so that any look at it can be forbidden.
class Pages {
 public:
  Pages() = default;
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  ~Pages() {
    for (void* page : pages_) ::munmap(page, size);
  }

  void* take() {
    void* const page = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) throw std::bad_alloc();
    pages_.push_back(page);
    return page;
  }
  /// All but those of the numbers [first, last].
  void forbid_all_but(std::size_t first, std::size_t last) {
    for (std::size_t i = 0; i < pages_.size(); ++i) {
      ::mprotect(pages_[i], size, first <= i && i <= last ? PROT_READ | PROT_WRITE : PROT_NONE);
    }
  }
  void allow_all() { forbid_all_but(0, pages_.size()); }

 private:
  static constexpr std::size_t size = 16 * 1024;
  std::vector<void*> pages_;
};

template <class T>
struct PageAllocator {
  using value_type = T;

  explicit PageAllocator(Pages& from) noexcept : pages(&from) {}
  template <class U>
  PageAllocator(const PageAllocator<U>& other) noexcept : pages(other.pages) {}

  T* allocate(std::size_t) { return static_cast<T*>(pages->take()); }
  void deallocate(T*, std::size_t) noexcept {}
  friend bool operator==(const PageAllocator&, const PageAllocator&) noexcept { return true; }

  Pages* pages;
};

/// Starts as many operations as there are signals, and cancels one after another in the middle: only its neighbours in
/// the list may be looked at. A look at another one ends the program.
template <class Start>
void expect_only_neighbours_visited(World& world, Start start) {
  constexpr std::size_t count = 64;
  Pages pages;
  std::vector<asio::cancellation_signal> signals(count);
  std::vector<error_code> codes(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto note = [&codes, i](error_code code, auto&&...) { codes[i] = code; };
    start(asio::bind_allocator(PageAllocator<void>(pages), asio::bind_cancellation_slot(signals[i].slot(), note)));
  }
  for (std::size_t i = 10; i < 50; ++i) {  // the one before it is always the tenth
    pages.forbid_all_but(9, i + 1);
    signals[i].emit(asio::cancellation_type::total);
  }
  pages.allow_all();
  world.settle();
  for (std::size_t i = 0; i < count; ++i)
    BOOST_TEST((codes[i] == asio::error::operation_aborted) == (10 <= i && i < 50));
  for (std::size_t i = 0; i < count; ++i) signals[i].emit(asio::cancellation_type::total);
  world.settle();
}

}  // namespace

BEHAVIOUR(B287_a_cancelled_write_visits_its_neighbours_only, 8) {
  auto [client, server] = world.pair();
  server.pause();
  client.write(std::string(more_than_fits(world), 'x'));
  const std::string data(10, 'y');
  expect_only_neighbours_visited(world, [&, client = client](auto token) mutable { client.async_write(data, token); });
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B287_and_so_do_waits_and_accepts, 8) {
  auto [client, server] = world.pair();
  server.pause();
  client.write(std::string(more_than_fits(world), 'x'));
  expect_only_neighbours_visited(world, [client = client](auto token) mutable { client.async_drain(token); });
  expect_only_neighbours_visited(world,
                                 [client = client](auto token) mutable { client.async_wait(event::close, token); });
  Server listening(world.io());
  world.listen(listening);
  expect_only_neighbours_visited(world, [listening](auto token) mutable { listening.async_accept(token); });
  expect_only_neighbours_visited(world, [listening](auto token) mutable { listening.async_wait(event::close, token); });
  listening.close();
  client.destroy();
  server.destroy();
  world.run();
}

BEHAVIOUR(B287_cancelled_awaited_writes_leave_the_others_in_order, all_wires) {
  auto [client, server] = world.pair();
  server.pause();
  std::string received;
  const std::string first(more_than_fits(world), 'x');
  client.write(first);
  std::string expected = first;
  std::deque<asio::cancellation_signal> signals;
  std::size_t cancelled = 0;
  std::size_t written = 0;
  const auto write = [&](Socket socket, std::string text, asio::cancellation_slot slot) -> asio::awaitable<void> {
    const auto [code, bytes] = co_await socket.async_write(text, asio::bind_cancellation_slot(slot, libnet::as_tuple));
    (code ? cancelled : written) += 1;
    BOOST_TEST(bytes == (code ? 0 : text.size()));
  };
  for (int i = 0; i < 300; ++i) {
    const std::string text = std::to_string(i) + ',';
    world.spawn(write(client, text, signals.emplace_back().slot()));
    if (i % 3 == 0) expected += text;
  }
  world.settle();
  for (std::size_t i = signals.size(); i-- != 0;) {
    if (i % 3 != 0) signals[i].emit(asio::cancellation_type::terminal);
  }
  world.settle();
  BOOST_TEST(cancelled == 200U);
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  server.resume();
  client.end();
  world.run();
  BOOST_TEST(written == 100U);
  BOOST_TEST((received == expected));
}
