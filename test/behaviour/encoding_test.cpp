#include "support/behaviour.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <span>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Encoding;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::ListenerId;
using libnet::Socket;
using libnet::SystemError;

// Text instead of bytes, on the way in and on the way out.

namespace {

/// What a listener hears: the text of each 'data', "end", "error NAME" and "close".
void listen_for_text(Socket socket, Log& log) {
  socket.on(event::data, [&log](Chunk chunk) { log.push_back(chunk.to_string()); });
  socket.on(event::end, [&log] { log.emplace_back("end"); });
  socket.on(event::error, [&log](const Error& error) { log.emplace_back("error " + std::string(error.name())); });
  socket.on(event::close, [&log](bool) { log.emplace_back("close"); });
}

/// Sends the pieces one by one, each when the one before has been heard or held.
void send_pieces(World& world, Socket from, Socket to, const Log& pieces) {
  std::uint64_t sent = to.bytes_read();
  for (const std::string& piece : pieces) {
    from.write(piece);
    sent += piece.size();
    world.run_until([&] { return to.bytes_read() == sent; });
    world.settle();
  }
}

asio::awaitable<void> read_all(Socket socket, Log& log) {
  while (const Chunk chunk = co_await socket.async_read()) log.push_back(chunk.to_string());
  log.emplace_back("end");
}

struct Case {
  Encoding encoding;
  Log sent;
  Log heard;
};

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {Encoding::utf8, {"a\xC3", "\xA9", "\xF0\x9F", "\x98", "\x80z"}, {"a", "\u00E9", "\U0001F600z"}},
      {Encoding::utf8,
       {"a\xFF", "\xE2\x82", "b"},
       {"a\uFFFD",
        "\uFFFD"
        "b"}},
      {Encoding::utf8, {"ab", "\xE2\x82"}, {"ab", "\uFFFD"}},
      {Encoding::latin1, {"caf\xE9"}, {"caf\u00E9"}},
      {Encoding::ascii, {"\xC1"}, {"A"}},
      {Encoding::hex, {"\x01", "\xAB\xCD"}, {"01", "abcd"}},
      {Encoding::base64, {"f", "o", "ob", "arx"}, {"Zm9v", "YmFy", "eA=="}},
      {Encoding::base64, {"fo"}, {"Zm8="}},
      {Encoding::base64url,
       {"\xFB", "\xEF\xBE\xFF"},
       {"--"
        "--",
        "_w"}},
      {Encoding::utf16le,
       {"h", std::string("\0i", 2), std::string("\0\x3D", 2), "\xD8", "\x01", "\xDE"},
       {"h", "i", "\U0001F601"}},
      {Encoding::utf16le, {"\x3D\xD8\x01"}, {"\uFFFD"}},
      {Encoding::bytes, {"\xFF"}, {"\xFF"}},
  };
  return all;
}

}  // namespace

// --- received --------------------------------------------------------------------------------------------------------

BEHAVIOUR(B245_set_encoding_holds_back_what_is_not_whole, all_wires) {
  for (const Case& each : cases()) {
    auto [client, server] = world.pair();
    Log heard;
    client.set_encoding(each.encoding);
    listen_for_text(client, heard);
    send_pieces(world, server, client, each.sent);
    server.end();
    world.run();
    Log expected = each.heard;
    expected.insert(expected.end(), {"end", "close"});
    BOOST_TEST(heard == expected, per_element);
  }
}

BEHAVIOUR(B245_set_encoding_holds_back_what_is_not_whole_awaited, all_wires) {
  for (const Case& each : cases()) {
    auto [client, server] = world.pair();
    Log heard;
    client.set_encoding(each.encoding);
    world.spawn(read_all(client, heard));
    send_pieces(world, server, client, each.sent);
    server.end();
    world.run();
    Log expected = each.heard;
    expected.emplace_back("end");
    BOOST_TEST(heard == expected, per_element);
  }
}

BEHAVIOUR(B111_characters_split_over_chunks_are_put_together, all_wires) {
  auto [client, server] = world.pair();
  std::string sent;
  for (int i = 0; i < 40'960; ++i) sent += "\u0E01";
  std::string received;
  client.set_encoding(Encoding::utf8);
  client.on(event::data, [&](Chunk chunk) {
    BOOST_TEST(chunk.size() % 3 == 0U);
    received += chunk;
  });
  for (std::size_t at = 0; at < sent.size(); at += 1000) {
    server.write(sent.substr(at, 1000));
    if (at % 7000 == 0) world.settle();
  }
  server.end();
  world.run();
  BOOST_TEST((received == sent));
  BOOST_TEST(std::count(received.begin(), received.end(), '\xE0') == 40'960);
  BOOST_TEST(client.bytes_read() == 3U * 40'960U);
}

BEHAVIOUR(B111_characters_split_over_chunks_are_put_together_awaited, all_wires) {
  auto [client, server] = world.pair();
  std::string sent;
  for (int i = 0; i < 40'960; ++i) sent += "\u0E01";
  client.set_encoding(Encoding::utf8);
  world.spawn([](Socket socket, const std::string& all) -> asio::awaitable<void> {
    for (std::size_t at = 0; at < all.size(); at += 1000) {
      co_await socket.async_write(std::string_view(all).substr(at, 1000));
    }
    co_await socket.async_end();
  }(server, sent));
  world.await([](Socket socket, const std::string& all) -> asio::awaitable<void> {
    std::string received;
    while (const Chunk chunk = co_await socket.async_read()) {
      BOOST_TEST(chunk.size() % 3 == 0U);
      received += chunk;
    }
    BOOST_TEST((received == all));
  }(client, sent));
  world.run();
}

BEHAVIOUR(B245_text_that_grows_comes_whole, all_wires) {
  for (const Encoding encoding : {Encoding::hex, Encoding::utf8, Encoding::base64}) {
    auto [client, server] = world.pair();
    const std::string sent(300'000, '\xFF');
    std::string received;
    client.set_encoding(encoding);
    client.on(event::data, [&](Chunk chunk) {
      BOOST_TEST(chunk.size() <= 64U * 1024U);
      received += chunk;
    });
    server.end(sent);
    world.run();
    std::string expected;
    for (std::size_t i = 0; i < sent.size(); ++i) {
      if (encoding == Encoding::hex) expected += "ff";
      if (encoding == Encoding::utf8) expected += "\uFFFD";
      if (encoding == Encoding::base64 && i % 3 == 0) expected += "////";
    }
    BOOST_TEST((received == expected));
    BOOST_TEST(client.bytes_read() == 300'000U);
  }
}

BEHAVIOUR(B245_bytes_goes_back_and_gives_what_was_held, all_wires) {
  auto [client, server] = world.pair();
  Log heard;
  client.set_encoding(Encoding::utf8);
  listen_for_text(client, heard);
  send_pieces(world, server, client, {"a\xE2\x82"});
  client.set_encoding(Encoding::utf8);  // as it is: nothing happens
  world.settle();
  BOOST_TEST(heard == Log{"a"}, per_element);
  client.set_encoding(Encoding::bytes);
  BOOST_TEST(heard.size() == 1U);  // not inside the call
  world.settle();
  send_pieces(world, server, client, {"\xAC"});
  const Log expected{"a", "\xE2\x82", "\xAC"};
  BOOST_TEST(heard == expected, per_element);
  server.end();
  world.run();
}

BEHAVIOUR(B245_another_encoding_decodes_what_was_held_awaited, all_wires) {
  auto [client, server] = world.pair();
  Log heard;
  client.set_encoding(Encoding::base64);
  world.spawn(read_all(client, heard));
  send_pieces(world, server, client, {"fooba"});
  client.set_encoding(Encoding::hex);
  send_pieces(world, server, client, {"r"});
  client.set_encoding(Encoding::latin1);
  server.end();
  world.run();
  const Log expected{"Zm9v", "6261", "72", "end"};
  BOOST_TEST(heard == expected, per_element);
}

BEHAVIOUR(B245_it_may_be_set_before_the_connection_and_inside_a_listener, all_wires) {
  libnet::Server server(world.io());
  server.on(event::connection, [](Socket socket) { socket.end("caf\xE9\xE9"); });
  world.listen(server);
  Socket client(world.io());
  client.set_encoding(Encoding::hex);
  Log heard;
  listen_for_text(client, heard);
  client.once(event::data, [client](Chunk) mutable { client.set_encoding(Encoding::latin1).unshift("\xE9"); });
  world.connect(client, server);
  client.on(event::close, [server](bool) mutable { server.close(); });
  world.run();
  const Log expected{"636166e9e9", "\xE9", "end", "close"};
  BOOST_TEST(heard == expected, per_element);
}

BEHAVIOUR(B245_a_socket_that_connects_again_keeps_its_encoding_and_forgets_what_was_held, all_wires) {
  libnet::Server server(world.io());
  Socket peer;
  server.on(event::connection, [&](Socket socket) { peer = socket; });
  world.listen(server);
  Socket client(world.io());
  client.set_encoding(Encoding::base64);
  Log heard;
  for (const char* sent : {"ab", "xyz"}) {
    peer = {};
    listen_for_text(client, heard);
    world.connect(client, server);
    world.run_until([&] { return !client.pending() && !peer.pending(); });
    send_pieces(world, peer, client, {sent});
    client.destroy();
    world.run_until([&] { return !heard.empty() && heard.back() == "close"; });
    world.settle();
  }
  const Log expected{"close", "eHl6", "close"};
  BOOST_TEST(heard == expected, per_element);
  server.close();
  world.run();
}

BEHAVIOUR(B242_B245_what_is_put_back_comes_again_as_it_is_and_first, all_wires) {
  auto [client, server] = world.pair();
  Log heard;
  client.set_encoding(Encoding::hex);
  listen_for_text(client, heard);
  client.once(event::data, [client](Chunk) mutable { client.unshift("zz"); });
  server.end("a");
  world.run();
  const Log expected{"61", "zz", "end", "close"};
  BOOST_TEST(heard == expected, per_element);
  BOOST_TEST(client.bytes_read() == 1U);
}

BEHAVIOUR(B242_B245_what_is_put_back_comes_before_what_is_held_awaited, all_wires) {
  auto [client, server] = world.pair();
  Log heard;
  client.set_encoding(Encoding::utf8);
  server.write("ab\xE2\x82");
  world.await([](Socket socket, Socket peer, Log& log) -> asio::awaitable<void> {
    log.push_back((co_await socket.async_read()).to_string());
    socket.unshift("b");
    co_await peer.async_write("\xAC");
    while (const Chunk chunk = co_await socket.async_read()) {
      log.push_back(chunk.to_string());
      if (log.back() == "\u20AC") co_await peer.async_end();
    }
  }(client, server, heard));
  const Log expected{"ab", "b", "\u20AC"};
  BOOST_TEST(heard == expected, per_element);
  world.run();
}

BEHAVIOUR(B216_B245_a_cancelled_read_gives_its_text_back, all_wires) {
  auto [client, server] = world.pair();
  client.set_encoding(Encoding::hex);
  server.write("ab");
  world.settle();
  asio::cancellation_signal signal;
  error_code result;
  bool done = false;
  client.async_read(asio::bind_cancellation_slot(signal.slot(), [&](const error_code& code, Chunk chunk) {
    result = code;
    BOOST_TEST(chunk.empty());
    done = true;
  }));
  signal.emit(asio::cancellation_type::total);
  world.run_until([&] { return done; });
  BOOST_TEST(result == asio::error::operation_aborted);
  Log heard;
  server.end();
  world.await(read_all(client, heard));
  const Log expected{"6162", "end"};
  BOOST_TEST(heard == expected, per_element);
  world.run();
}

BEHAVIOUR(B245_async_read_some_gives_bytes_those_that_were_held_first_awaited, all_wires) {
  auto [client, server] = world.pair();
  client.set_encoding(Encoding::utf8);
  server.write("a\xE2\x82");
  world.await([](Socket socket, Socket peer) -> asio::awaitable<void> {
    const Chunk chunk = co_await socket.async_read();
    BOOST_TEST(chunk.to_string() == "a");
    co_await peer.async_write("\xAC\xFF");
    std::string bytes;
    std::array<char, 10> memory{};
    while (bytes.size() < 4) {
      bytes.append(memory.data(), co_await socket.async_read_some(asio::buffer(memory)));
    }
    BOOST_TEST(bytes == "\xE2\x82\xAC\xFF");
    peer.destroy();
    socket.destroy();
  }(client, server));
  world.run();
}

BEHAVIOUR(B303_who_wants_bytes_and_goes_without_reading_leaves_them_to_the_decoder, all_wires) {
  auto [sink, other] = world.pair();
  std::array<char, 10> memory{};
  asio::cancellation_signal signal;
  const auto read_and_cancel = [&](Socket& socket) {
    const auto aborted = [](const error_code& code, std::size_t) {
      BOOST_TEST(code == asio::error::operation_aborted);
    };
    socket.async_read_some(asio::buffer(memory), asio::bind_cancellation_slot(signal.slot(), aborted));
    signal.emit(asio::cancellation_type::total);
  };
  const auto receive_and_remove = [&](Socket& socket) {
    socket.off(socket.on_read(std::as_writable_bytes(std::span(memory)), [](std::size_t, std::span<std::byte>) {}));
  };
  const auto pipe_and_stop = [&, sink = sink](Socket& socket) {
    socket.pipe(sink, {.end = false});
    socket.unpipe();
  };
  const std::vector<std::function<void(Socket&)>> ways{read_and_cancel, receive_and_remove, pipe_and_stop};
  for (const auto& come_and_go : ways) {
    auto [client, server] = world.pair();
    Log heard;
    const auto hear = [&heard](Chunk chunk) { heard.push_back(chunk.to_string()); };
    client.set_encoding(Encoding::base64);
    const ListenerId first = client.on(event::data, hear);
    send_pieces(world, server, client, {"abcd"});
    client.off(first);
    come_and_go(client);
    client.on(event::data, hear);
    send_pieces(world, server, client, {"ef"});
    const Log expected{"YWJj", "ZGVm"};
    BOOST_TEST(heard == expected, per_element);
    client.destroy();
    server.destroy();
    world.run_until([&, socket = client] { return socket.destroyed(); });
  }
  sink.destroy();
  other.destroy();
  world.run();
}

BEHAVIOUR(B303_a_read_of_bytes_whose_time_is_up_leaves_them_to_the_decoder_awaited, all_wires) {
  auto [client, server] = world.pair();
  client.set_encoding(Encoding::base64);
  world.await([](Socket socket, Socket peer) -> asio::awaitable<void> {
    std::array<char, 1> memory{};
    co_await peer.async_write("abcde");
    Chunk chunk = co_await socket.async_read();
    BOOST_TEST(chunk.to_string() == "YWJj");
    co_await socket.async_read_some(asio::buffer(memory));  // takes one of the two that are held
    BOOST_TEST(memory[0] == 'd');
    const auto [code, nothing] = co_await socket.async_read(libnet::cancel_after(0s, libnet::as_tuple));
    BOOST_TEST(code == Errc::timed_out);
    co_await peer.async_write("fg");
    chunk = co_await socket.async_read();
    BOOST_TEST(chunk.to_string() == "ZWZn");
    peer.destroy();
    socket.destroy();
  }(client, server));
  world.run();
}

BEHAVIOUR(B245_a_held_piece_holds_the_end_while_nobody_reads_awaited, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client", Recorder::Data::ignore);
  client.set_encoding(Encoding::base64);
  server.write("abcd");
  world.await([](Socket socket) -> asio::awaitable<void> {
    const Chunk chunk = co_await socket.async_read();
    BOOST_TEST(chunk.to_string() == "YWJj");
  }(client));
  server.end();
  world.settle();
  BOOST_TEST(recorder.count("client:end") == 0U);
  Log heard;
  world.await(read_all(client, heard));
  const Log expected{"ZA==", "end"};
  BOOST_TEST(heard == expected, per_element);
  world.run();
  const Log events{"end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == events, per_element);
}

BEHAVIOUR(B303_a_held_piece_is_still_bytes_when_the_end_has_come_awaited, all_wires) {
  auto [client, server] = world.pair();
  client.set_encoding(Encoding::utf8);
  server.end("a\xE2\x82");
  std::string text;
  std::string bytes;
  world.await([](Socket socket, std::string& into) -> asio::awaitable<void> {
    into = (co_await socket.async_read()).to_string();
  }(client, text));
  world.settle();
  BOOST_TEST(text == "a");
  BOOST_TEST(client.readable());
  world.await([](Socket socket, std::string& into) -> asio::awaitable<void> {
    std::array<char, 8> memory;
    into.assign(memory.data(), co_await socket.async_read_some(asio::buffer(memory)));
    const auto [code, size] = co_await socket.async_read_some(asio::buffer(memory), libnet::as_tuple);
    BOOST_TEST(code == asio::error::eof);
    BOOST_TEST(size == 0U);
  }(client, bytes));
  BOOST_TEST(bytes == "\xE2\x82");
  world.run();
}

BEHAVIOUR(B245_a_half_open_socket_reads_the_held_piece_at_the_end_awaited, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true});
  client.set_encoding(Encoding::utf8);
  Log heard;
  server.end("a\xE2");
  world.await([](Socket socket, Log& log) -> asio::awaitable<void> {
    co_await read_all(socket, log);
    co_await socket.async_close();
  }(client, heard));
  const Log expected{"a", "\uFFFD", "end"};
  BOOST_TEST(heard == expected, per_element);
  world.run();
}

BEHAVIOUR(B249_B245_a_held_piece_is_delivered_before_an_error, ip_wires) {
  auto [client, server] = world.pair();
  Log heard;
  client.set_encoding(Encoding::base64);
  listen_for_text(client, heard);
  send_pieces(world, server, client, {"abcd"});
  server.reset();
  world.run();
  const Log expected{"YWJj", "ZA==", "error ECONNRESET", "close"};
  BOOST_TEST(heard == expected, per_element);
}

BEHAVIOUR(B249_B245_a_held_piece_is_delivered_before_an_error_awaited, ip_wires) {
  auto [client, server] = world.pair();
  client.set_encoding(Encoding::base64);
  server.write("abcd");
  world.await([](Socket socket, Socket peer) -> asio::awaitable<void> {
    Chunk chunk = co_await socket.async_read();
    BOOST_TEST(chunk.to_string() == "YWJj");
    peer.reset();
    co_await peer.async_close();
    chunk = co_await socket.async_read();
    BOOST_TEST(chunk.to_string() == "ZA==");
    const auto [code, nothing] = co_await socket.async_read(libnet::as_tuple);
    BOOST_TEST(code == boost::system::errc::connection_reset);
    BOOST_TEST(nothing.empty());
  }(client, server));
  world.run();
}

BEHAVIOUR(B245_what_is_discarded_counts_as_part_of_the_text, all_wires) {
  auto [client, server] = world.pair();
  client.set_encoding(Encoding::base64);
  client.resume();
  send_pieces(world, server, client, {"ab"});
  Log heard;
  listen_for_text(client, heard);
  send_pieces(world, server, client, {"c"});
  server.end();
  world.run();
  const Log expected{"YWJj", "end", "close"};
  BOOST_TEST(heard == expected, per_element);
}

BEHAVIOUR(B233_set_encoding_is_harmless_in_every_state, all_wires) {
  Socket().set_encoding(Encoding::hex);
  auto [client, server] = world.pair();
  client.set_encoding(Encoding::utf8);
  server.write("\xE2");
  client.on(event::data, [](Chunk) { BOOST_ERROR("nothing to hear"); });
  world.run_until([&] { return client.bytes_read() == 1; });
  client.destroy();
  client.set_encoding(Encoding::hex).set_encoding(Encoding::bytes).set_encoding(Encoding::utf8);
  world.run();
  client.set_encoding(Encoding::hex);
  world.run();
}

// --- sent ------------------------------------------------------------------------------------------------------------

BEHAVIOUR(B239_B246_write_and_end_send_what_the_text_stands_for, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  std::vector<std::size_t> counts;
  const auto count = [&](const error_code& code, std::size_t n) {
    BOOST_TEST(!code);
    counts.push_back(n);
  };
  const std::string text = "Zm9v";
  client.write("ab01", Encoding::hex);
  BOOST_TEST(client.bytes_written() == 2U);
  client.write(std::string_view("Zm9vYmFy"), Encoding::base64, count);
  client.write(text, Encoding::base64url, count);
  client.write(std::string("caf\u00E9"), Encoding::latin1, count);
  client.write("\u20AC", Encoding::utf8, [&](const error_code& code) { BOOST_TEST(!code); });
  client.write("h", Encoding::utf16le, [&] { counts.push_back(0); });
  client.write(Chunk("raw\xFF"), Encoding::bytes, count);
  bool finished = false;
  client.end("21", Encoding::hex, [&] { finished = true; });
  world.run();
  BOOST_TEST(received == std::string_view("\xAB\x01"
                                          "foobarfoocaf\xE9\u20ACh\0raw\xFF!",
                                          25));
  const std::vector<std::size_t> expected{6, 3, 4, 0, 4};
  BOOST_TEST(counts == expected, per_element);
  BOOST_TEST(finished);
}

BEHAVIOUR(B239_B246_async_write_and_async_end_send_what_the_text_stands_for_awaited, all_wires) {
  auto [client, server] = world.pair();
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  world.await([](Socket socket) -> asio::awaitable<void> {
    BOOST_TEST(co_await socket.async_write("ab01", Encoding::hex) == 2U);
    BOOST_TEST(co_await socket.async_write(std::string("Zm9v") + "YmFy", Encoding::base64) == 6U);
    BOOST_TEST(co_await socket.async_write(std::string_view("caf\u00E9"), Encoding::latin1) == 4U);
    BOOST_TEST(co_await socket.async_write("\u20AC", Encoding::utf8) == 3U);
    const auto [code, n] = co_await socket.async_write("", Encoding::hex, libnet::as_tuple);
    BOOST_TEST(!code);
    BOOST_TEST(n == 0U);
    co_await socket.async_end("21", Encoding::hex);
  }(client));
  world.run();
  BOOST_TEST(received ==
             "\xAB\x01"
             "foobarcaf\xE9\u20AC!");
}

BEHAVIOUR(B246_text_that_is_not_hex_or_base64_throws_and_sends_nothing, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  const auto never = [&] { recorder.note("client:called"); };
  BOOST_TEST(thrown_by([&] { client.write("abc", Encoding::hex); }) == Errc::invalid_argument);
  BOOST_TEST(thrown_by([&] { client.write("xy", Encoding::hex, never); }) == Errc::invalid_argument);
  BOOST_TEST(thrown_by([&] { client.write("a", Encoding::base64, never); }) == Errc::invalid_argument);
  BOOST_TEST(thrown_by([&] { client.write("Zg=*", Encoding::base64url); }) == Errc::invalid_argument);
  BOOST_TEST(thrown_by([&] { client.end("=", Encoding::base64, never); }) == Errc::invalid_argument);
  BOOST_TEST(thrown_by([&] { client.end("0", Encoding::hex); }) == Errc::invalid_argument);
  BOOST_TEST(client.bytes_written() == 0U);
  BOOST_TEST(client.writable());
  world.settle();
  BOOST_TEST(recorder.log().empty());
  client.end("6f6b", Encoding::hex);
  world.run();
  BOOST_TEST(recorder.received("server") == "ok");
  const Log expected{"finish", "end", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B246_text_that_is_not_hex_or_base64_completes_with_the_error_awaited, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  world.await([](Socket socket) -> asio::awaitable<void> {
    const auto [code, n] = co_await socket.async_write("abc", Encoding::hex, libnet::as_tuple);
    BOOST_TEST(code == Errc::invalid_argument);
    BOOST_TEST(n == 0U);
    bool threw = false;
    try {
      co_await socket.async_end("=", Encoding::base64);
    } catch (const SystemError& error) {
      threw = error.code() == Errc::invalid_argument;
    }
    BOOST_TEST(threw);
    BOOST_TEST(socket.writable());
    BOOST_TEST(socket.bytes_written() == 0U);
    co_await socket.async_write("b2s=", Encoding::base64);
    co_await socket.async_end();
  }(client));
  world.run();
  BOOST_TEST(recorder.received("server") == "ok");
  BOOST_TEST(recorder.count("client:error(invalid_argument)") == 0U);
  BOOST_TEST(recorder.of("client").back() == "close(false)");
}

BEHAVIOUR(B207_B246_the_error_of_bad_text_does_not_come_inside_the_call, all_wires) {
  auto [client, server] = world.pair();
  bool done = false;
  client.async_write("abc", Encoding::hex, [&](const error_code& code, std::size_t) {
    BOOST_TEST(code == Errc::invalid_argument);
    done = true;
  });
  BOOST_TEST(!done);
  world.run_until([&] { return done; });
  client.destroy();
  server.destroy();
  world.run();
}
