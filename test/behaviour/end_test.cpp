#include "support/behaviour.hpp"

#include <boost/asio/post.hpp>

using namespace libnet::test;
using libnet::Chunk;
using libnet::Errc;
using libnet::error_code;
using libnet::ReadyState;
using libnet::Server;
using libnet::ServerOptions;
using libnet::Socket;

// The end of one side, half-open connections, and the order of 'end', 'finish' and 'close'.

namespace {

constexpr unsigned one_wire = static_cast<unsigned>(Wire::memory);  // for what needs no peer

asio::awaitable<std::string> read_all(Socket socket) {
  std::string all;
  while (const Chunk chunk = co_await socket.async_read()) all += chunk;
  co_return all;
}

}  // namespace

BEHAVIOUR(B147_allow_half_open_defaults_to_false_for_listeners, all_wires) {
  auto [client, accepted] = world.pair();
  BOOST_TEST(!client.allow_half_open());
  BOOST_TEST(!accepted.allow_half_open());
  auto [told, told_accepted] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  BOOST_TEST(told.allow_half_open());
  BOOST_TEST(told_accepted.allow_half_open());
}

BEHAVIOUR(B147_allow_half_open_defaults_to_true_for_coroutines_awaited, all_wires) {
  Server server(world.io());
  world.listen(server);
  const auto options = world.connect_options(server);
  int accepts = 0;
  world.spawn([](Server from, int& count) -> asio::awaitable<void> {
    const Socket accepted = co_await from.async_accept();
    BOOST_TEST(accepted.allow_half_open());
    ++count;
  }(server, accepts));
  world.await([](Socket socket, libnet::ConnectOptions where) -> asio::awaitable<void> {
    co_await socket.async_connect(where);
    BOOST_TEST(socket.allow_half_open());
  }(Socket(world.io()), options));
  world.run_until([&] { return accepts == 1; });
  server.close();
  world.run();
}

BEHAVIOUR(B147_serve_is_half_open_unless_told_otherwise_awaited, all_wires) {
  for (const bool told : {false, true}) {
    Server server(world.io(), told ? ServerOptions{.socket = {.allow_half_open = false}} : ServerOptions{});
    world.listen(server);
    int served = 0;
    server.serve([&served, told](Socket socket) -> asio::awaitable<void> {
      BOOST_TEST(socket.allow_half_open() == !told);
      ++served;
      co_return;
    });
    Socket client(world.io());
    world.connect(client, server);
    client.end();
    world.run_until([&] { return client.ready_state() == ReadyState::closed; });
    server.close();
    world.run();
    BOOST_TEST(served == 1);
  }
}

BEHAVIOUR(B148_states_between_end_and_close, all_wires) {
  auto [client, server] = world.pair();
  Log states;
  const auto note = [&states, socket = server](const std::string& when) {
    states.push_back(when + (socket.destroyed() ? " destroyed" : "") + (socket.readable() ? " readable" : "") +
                     (socket.writable() ? " writable" : ""));
  };
  server.on(event::end, [&, socket = server]() mutable {
    note("end");
    asio::post(socket.get_executor(), [&] { note("posted in end"); });
  });
  server.on(event::finish, [&] { note("finish"); });
  server.on(event::close, [&](bool) { note("close"); });
  client.end();
  world.run();
  BOOST_REQUIRE(states.size() == 4U);
  BOOST_TEST(states[0] == "end writable");
  const auto where = std::find(states.begin(), states.end(), "finish");
  BOOST_TEST((where != states.end()));
  BOOST_TEST(std::count(states.begin(), states.end(), "close destroyed") == 1);
}

BEHAVIOUR(B149_a_write_in_end_is_still_sent, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  bool accepted = false;
  server.on(event::end, [&accepted, socket = server]() mutable { accepted = socket.write("late"); });
  client.end("x");
  world.run();
  BOOST_TEST(accepted);
  BOOST_TEST(recorder.received("client") == "late");
  const Log expected_server{"data(1)", "end", "finish", "close(false)"};
  const Log expected_client{"finish", "data(4)", "end", "close(false)"};
  BOOST_TEST(recorder.of("server") == expected_server, per_element);
  BOOST_TEST(recorder.of("client") == expected_client, per_element);
}

BEHAVIOUR(B150_a_half_open_socket_stays_until_it_is_ended, all_wires) {
  auto [client, server] = world.pair({}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  client.end();
  world.run_until([&] { return recorder.count("server:end") == 1; });
  world.settle();
  BOOST_TEST(!server.readable());
  BOOST_TEST(server.writable());
  BOOST_TEST(!server.destroyed());
  BOOST_TEST(server.write("one"));
  world.run_until([&] { return recorder.received("client") == "one"; });
  const Log nothing_more{"end"};
  BOOST_TEST(recorder.of("server") == nothing_more, per_element);
  server.end();
  world.run();
  const Log all{"end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("server") == all, per_element);
}

BEHAVIOUR(B151_R6_half_open_answer_after_the_end, all_wires) {
  const std::string answer = random_bytes(300'000);
  auto [client, server] = world.pair({}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(client, "client");
  server.on(event::data, [](Chunk) {});
  server.on(event::end, [&answer, socket = server]() mutable {
    asio::post(socket.get_executor(), [&answer, socket]() mutable { socket.end(answer); });
  });
  client.end("question");
  world.run();
  BOOST_TEST((recorder.received("client") == answer));
  const Log log = recorder.of("client");
  BOOST_REQUIRE(log.size() > 3U);
  BOOST_TEST(log.front() == "finish");
  BOOST_TEST(log[log.size() - 2] == "end");
  BOOST_TEST(log.back() == "close(false)");
}

BEHAVIOUR(B152_after_its_end_a_client_receives_until_the_peer_ends, all_wires) {
  auto [client, server] = world.pair({}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  client.end();
  world.run_until([&] { return recorder.count("server:end") == 1 && recorder.count("client:finish") == 1; });
  for (const std::string piece : {"a", "b", "c"}) {
    server.write(piece);
    world.run_until([&] { return recorder.received("client").ends_with(piece); });
  }
  server.end();
  world.run();
  const Log expected{"finish", "data(1)", "data(1)", "data(1)", "end", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B153_ready_states, all_wires) {
  auto [client, server] = world.pair({.allow_half_open = true}, {.allow_half_open = true});
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  BOOST_TEST((client.ready_state() == ReadyState::open));
  BOOST_TEST((server.ready_state() == ReadyState::open));
  client.end();
  BOOST_TEST((client.ready_state() == ReadyState::read_only));
  world.run_until([&] { return recorder.count("server:end") == 1; });
  BOOST_TEST((client.ready_state() == ReadyState::read_only));
  BOOST_TEST((server.ready_state() == ReadyState::write_only));
  server.end();
  BOOST_TEST((server.ready_state() == ReadyState::closed));
  world.run();
  BOOST_TEST((client.ready_state() == ReadyState::closed));
  BOOST_TEST((server.ready_state() == ReadyState::closed));
}

BEHAVIOUR(B154_own_end_stops_writing_at_once_and_reading_goes_on, all_wires) {
  auto [client, server] = world.pair();
  client.end();
  BOOST_TEST(!client.writable());
  BOOST_TEST(client.readable());
  server.end();
  world.run();
}

BEHAVIOUR(B155_end_calls_back_once_just_before_finish, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  client.end("data", [&](const error_code& code) { recorder.note(code ? "client:failed" : "client:ended"); });
  server.on(event::end, [&, socket = server]() mutable { socket.end([&] { recorder.note("server:ended"); }); });
  const Log nothing;
  BOOST_TEST(recorder.log() == nothing, per_element);
  world.run();
  const Log expected_client{"ended", "finish", "end", "close(false)"};
  const Log expected_server{"data(4)", "end", "ended", "finish", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected_client, per_element);
  BOOST_TEST(recorder.of("server") == expected_server, per_element);
}

BEHAVIOUR(B155_B160_B223_async_end_awaited, all_wires) {
  const std::string data = random_bytes(1'000'000);
  auto [client, server] = world.pair({}, {.allow_half_open = true});
  world.spawn([](Socket peer, std::string expected) -> asio::awaitable<void> {
    const std::string got = co_await read_all(peer);
    BOOST_TEST((got == expected));
    co_await peer.async_end();
  }(server, data));
  world.await([](Socket socket, std::string all) -> asio::awaitable<void> {
    co_await socket.async_end(all);
    BOOST_TEST(socket.buffered() == 0U);
    BOOST_TEST(!socket.writable());
    co_await socket.async_end();  // again: at once
    const std::string rest = co_await read_all(socket);
    BOOST_TEST(rest.empty());
    co_await socket.async_wait(event::close);
    co_await socket.async_end();  // it closed by itself after a clean end
    socket.destroy();
    const auto [code] = co_await socket.async_end(libnet::as_tuple);
    BOOST_TEST(!code);  // destroying a closed socket changes nothing
  }(client, data));
  world.run();
}

BEHAVIOUR(B223_async_end_after_destroy_awaited, all_wires) {
  auto [client, server] = world.pair();
  server.on(event::error, [](const libnet::Error&) {});
  world.await([](Socket socket) -> asio::awaitable<void> {
    socket.destroy();
    const auto [early] = co_await socket.async_end(libnet::as_tuple);
    BOOST_TEST(early == Errc::destroyed);
    co_await socket.async_close();
    const auto [late] = co_await socket.async_end(libnet::as_tuple);
    BOOST_TEST(late == Errc::destroyed);
  }(client));
  server.destroy();
  world.run();
}

BEHAVIOUR(B156_end_of_a_socket_that_never_connected, one_wire) {
  Recorder recorder;
  Socket socket(world.io());
  recorder.watch(socket, "socket");
  socket.end([&] { recorder.note(socket.writable() ? "socket:writable" : "socket:ended"); });
  world.run();
  const Log expected{"ended", "finish"};
  BOOST_TEST(recorder.of("socket") == expected, per_element);
  world.run();
  BOOST_TEST(recorder.of("socket") == expected, per_element);
}

BEHAVIOUR(B157_close_is_last_and_tells_whether_there_was_an_error, all_wires) {
  for (const bool failing : {false, true}) {
    auto [client, server] = world.pair();
    Recorder recorder;
    recorder.watch(client, "client");
    recorder.watch(server, "server");
    client.write("abc");
    world.run_until([&] { return recorder.received("server") == "abc"; });
    if (failing) {
      client.destroy(libnet::Error(Errc::invalid_argument, "test"));
    } else {
      client.end();
    }
    world.run();
    const std::string last = failing ? "close(true)" : "close(false)";
    BOOST_TEST(recorder.of("client").back() == last);
    BOOST_TEST(recorder.count("client:" + last) == 1U);
    BOOST_TEST(recorder.of("server").back() == "close(false)");
    BOOST_TEST(recorder.count("server:close(false)") == 1U);
    BOOST_TEST(recorder.count("server:end") == 1U);  // B158
  }
}

BEHAVIOUR(B158_unread_bytes_then_end_then_close, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  server.pause();
  recorder.watch(server, "server");
  client.write("abc");
  client.end();
  world.run_until([&] { return client.bytes_written() == 3 && client.buffered() == 0; });
  world.settle();
  BOOST_TEST(recorder.of("server").empty());
  server.resume();
  world.run();
  const Log expected{"data(3)", "end", "finish", "close(false)"};
  BOOST_TEST(recorder.of("server") == expected, per_element);
}

BEHAVIOUR(B159_after_close_every_call_is_harmless, all_wires) {
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  const auto had_remote = client.remote_address();
  BOOST_TEST(had_remote.has_value() == world.is_tcp());
  client.end();
  world.run();
  const std::size_t events = recorder.log().size();
  for (Socket socket : {client, server}) {
    socket.set_no_delay().set_no_delay(false).set_keep_alive(true, 1s).pause().resume();
    socket.cork();
    socket.uncork();
    socket.unshift("x");
    socket.ref().unref();
    BOOST_TEST(socket.buffered() == 0U);
    BOOST_TEST(!socket.write("x"));
    socket.end().destroy().reset();
    socket.destroy_soon();
  }
  BOOST_TEST((client.remote_address() == had_remote));
  BOOST_TEST(client.address().has_value() == world.is_tcp());
  world.run();
  BOOST_TEST(recorder.log().size() == events);
}

BEHAVIOUR(B160_finish_comes_when_all_data_and_the_end_are_out, all_wires) {
  const std::string data = random_bytes(8'000'000);
  auto [client, server] = world.pair();
  Recorder recorder;
  server.pause();
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  std::size_t left = 1;
  client.on(event::finish, [&left, socket = client] { left = socket.buffered(); });
  client.end(data);
  BOOST_TEST(client.buffered() > 0U);
  world.settle();
  BOOST_TEST(recorder.of("client").empty());  // 8 MB do not fit into any kernel's buffers here
  server.resume();
  world.run();
  BOOST_TEST(left == 0U);
  BOOST_TEST((recorder.received("server") == data));
  const Log expected{"finish", "end", "close(false)"};
  BOOST_TEST(recorder.of("client") == expected, per_element);
}

BEHAVIOUR(B161_destroy_soon_flushes_everything, all_wires) {
  const std::string data = random_bytes(3'000'000);
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  client.write(data);
  client.destroy_soon();
  BOOST_TEST(!client.destroyed());
  BOOST_TEST(!client.writable());
  world.run();
  BOOST_TEST((recorder.received("server") == data));
  BOOST_TEST(recorder.of("client").front() == "finish");
  BOOST_TEST(recorder.of("client").back() == "close(false)");
  BOOST_TEST(recorder.of("server").back() == "close(false)");
}

BEHAVIOUR(B224_async_close_flushes_and_completes_after_close_awaited, all_wires) {
  const std::string data = random_bytes(1'000'000);
  auto [client, server] = world.pair();
  Recorder recorder;
  recorder.watch(client, "client");
  recorder.watch(server, "server");
  world.await([](Socket socket, Recorder& log, std::string all) -> asio::awaitable<void> {
    socket.write(all);
    co_await socket.async_close();
    log.note("client:closed");
    BOOST_TEST(socket.destroyed());
    co_await socket.async_close();
    log.note("client:again");
  }(client, recorder, data));
  world.run();
  BOOST_TEST((recorder.received("server") == data));
  const Log log = recorder.of("client");
  BOOST_REQUIRE(log.size() >= 3U);
  BOOST_TEST(log[log.size() - 3] == "close(false)");
  BOOST_TEST(log[log.size() - 2] == "closed");
  BOOST_TEST(log[log.size() - 1] == "again");
}

BEHAVIOUR(B224_async_close_in_other_states_awaited, one_wire) {
  Recorder recorder;
  Socket fresh(world.io());
  recorder.watch(fresh, "fresh");
  world.await([](Socket socket) -> asio::awaitable<void> { co_await socket.async_close(); }(fresh));
  const Log expected{"close(false)"};
  BOOST_TEST(recorder.of("fresh") == expected, per_element);

  auto [client, server] = world.pair();
  Socket failing = client;
  failing.on(event::error, [](const libnet::Error&) {});
  world.await([](Socket socket) -> asio::awaitable<void> {
    socket.destroy(libnet::Error(Errc::invalid_argument, "test"));
    const auto [code] = co_await socket.async_close(libnet::as_tuple);
    BOOST_TEST(!code);  // called when the end was certain already: as on a closed socket
    const auto [again] = co_await socket.async_close(libnet::as_tuple);
    BOOST_TEST(!again);
  }(failing));
  server.destroy();
  world.run();
}

BEHAVIOUR(R1_end_reaches_a_slow_reader_whole, all_wires) {
  const std::string data = random_bytes(8'000'000);
  const int rounds = world.wire() == Wire::tcp4 ? 100 : 2;
  for (int round = 0; round < rounds; ++round) {
    auto [client, server] = world.pair();
    std::size_t got = 0;
    bool same = true;
    bool ended = false;
    server.on(event::data, [&, socket = server](Chunk chunk) mutable {
      same = same && data.compare(got, chunk.size(), chunk) == 0;
      got += chunk.size();
      socket.pause();
      asio::post(socket.get_executor(), [socket]() mutable { socket.resume(); });
    });
    server.on(event::end, [&] { ended = true; });
    if (round % 2 == 0) {
      client.end(data);
    } else {
      world.spawn([](Socket socket, const std::string& all) -> asio::awaitable<void> {
        co_await socket.async_end(all);
      }(client, data));
    }
    world.run();
    BOOST_REQUIRE((got == data.size() && same && ended));
  }
}
