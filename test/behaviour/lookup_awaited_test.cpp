#include <optional>
#include <string>
#include <vector>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::ConnectOptions;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::Lookup;
using libnet::LookupAddress;
using libnet::LookupAnswer;
using libnet::LookupOptions;
using libnet::LookupResult;
using libnet::Server;
using libnet::Socket;
using libnet::SocketAddress;

// What lookup_test.cpp and family_selection_test.cpp say of listeners, for connects that are awaited.

namespace {

constexpr auto one_wire = static_cast<unsigned>(Wire::tcp4) | static_cast<unsigned>(Wire::memory);

/// Answers with these addresses at once.
Lookup answering(const std::vector<LookupAddress>& addresses) {
  return [addresses](std::string_view, const LookupOptions&, const LookupAnswer& answer) { answer(addresses); };
}

/// Connects to the host "name.test" by way of `lookup`.
asio::awaitable<error_code> connect_by(Socket socket, const Lookup& lookup, ConnectOptions options) {
  options.host = "name.test";
  options.lookup = &lookup;
  const auto [code] = co_await socket.async_connect(options, libnet::as_tuple);
  co_return code;
}

/// Waits for 'lookup' again and again, and notes what it says.
asio::awaitable<void> note_lookups(Socket socket, Log& log) {
  while (true) {
    const auto [code, result] = co_await socket.async_wait(event::lookup, libnet::as_tuple);
    if (code) co_return;
    log.push_back((result.error ? result.error.message() : result.address) + ' ' + std::to_string(result.family) + ' ' +
                  result.host);
  }
}

int free_port(World& world) { return world.refusing_options().port.value(); }

/// What a connect whose lookup gives one such answer ends with.
Error failure_of(World& world, const LookupAddress& address) {
  const Lookup lookup = answering({address});
  Socket socket(world.io());
  world.await([](Socket client, const Lookup& by) -> asio::awaitable<void> {
    const error_code code = co_await connect_by(client, by, {.port = 1});
    BOOST_TEST((code == client.error().code()));
  }(socket, lookup));
  return socket.error();
}

}  // namespace

BEHAVIOUR(B88_an_ip_literal_is_not_looked_up_awaited, one_wire) {
  Server server(world.io());
  world.listen(server);
  Socket socket(world.io());
  Log log;
  world.spawn(note_lookups(socket, log));
  world.await([](Socket client, ConnectOptions where) -> asio::awaitable<void> {
    const Lookup lookup = [](std::string_view, const LookupOptions&, const LookupAnswer&) {
      BOOST_ERROR("an IP address was looked up");
    };
    where.lookup = &lookup;
    co_await client.async_connect(where);
    co_await client.async_close();
  }(socket, world.connect_options(server)));
  world.settle();
  BOOST_TEST(log.empty());
}

BEHAVIOUR(B89_B91_lookup_comes_before_connecting_awaited, one_wire) {
  Server server(world.io());
  world.listen(server);
  for (const int family : {0, 4}) {
    Socket socket(world.io());
    Log log;
    int asked = -1;
    const Lookup lookup = [&](std::string_view, const LookupOptions& options, const LookupAnswer& answer) {
      asked = options.family;
      answer("127.0.0.1", 4);
    };
    world.spawn(note_lookups(socket, log));
    world.settle();
    world.await([](Socket client, const Lookup& by, ConnectOptions options, const Log& heard) -> asio::awaitable<void> {
      const error_code code = co_await connect_by(client, by, options);
      BOOST_TEST(!code);
      BOOST_TEST(heard.size() == 1u);
    }(socket, lookup, {.port = server.address()->port(), .family = family}, log));
    const Log expected{"127.0.0.1 4 name.test"};
    BOOST_TEST(log == expected, per_element);
    BOOST_TEST(asked == family);
    socket.destroy();
  }
}

BEHAVIOUR(B92_a_failed_lookup_awaited, one_wire) {
  Socket socket(world.io());
  Log log;
  world.spawn(note_lookups(socket, log));
  world.settle();
  world.await([](Socket client) -> asio::awaitable<void> {
    const Lookup lookup = [](std::string_view, const LookupOptions&, const LookupAnswer& answer) {
      answer(error_code(asio::error::host_not_found));
    };
    try {
      co_await client.async_connect({.host = "name.test", .port = 80, .lookup = &lookup});
      BOOST_ERROR("connected");
    } catch (const libnet::SystemError& failure) {
      BOOST_TEST(std::string(failure.what()) == "getaddrinfo ENOTFOUND name.test");
      BOOST_TEST(failure.error().operation() == "getaddrinfo");
      BOOST_TEST(failure.error().name() == "ENOTFOUND");
    }
  }(socket));
  world.run();
  const Log expected{"getaddrinfo ENOTFOUND name.test 0 name.test"};
  BOOST_TEST(log == expected, per_element);
}

BEHAVIOUR(B93_B94_answers_that_are_no_addresses_awaited, one_wire) {
  BOOST_TEST((failure_of(world, {"name.again", 4}).code() == Errc::invalid_address));
  const Error family = failure_of(world, {"127.0.0.1", 100});
  BOOST_TEST((family.code() == Errc::address_family));
  BOOST_TEST(family.message() == "Invalid address family: 100 name.test:1");
}

BEHAVIOUR(B96_an_answer_after_destroy_is_ignored_awaited, one_wire) {
  std::optional<LookupAnswer> kept;
  const Lookup lookup = [&](std::string_view, const LookupOptions&, const LookupAnswer& answer) { kept = answer; };
  Socket socket(world.io());
  error_code outcome;
  world.spawn([](Socket client, const Lookup& by, error_code& result) -> asio::awaitable<void> {
    result = co_await connect_by(client, by, {.port = 1});
  }(socket, lookup, outcome));
  world.run_until([&] { return kept.has_value(); });
  socket.destroy();
  BOOST_TEST(!kept->wanted());
  (*kept)("127.0.0.1");
  world.run();
  BOOST_TEST((outcome == asio::error::operation_aborted));
  BOOST_TEST(!socket.error());
}

BEHAVIOUR(B98_B99_B103_which_addresses_are_tried_awaited, one_wire) {
  const int port = free_port(world);
  const std::string number = ':' + std::to_string(port);
  world.await([](World& here, int where, const std::string& tail) -> asio::awaitable<void> {
    const Lookup lookup = answering({{"::ffff:127.0.0.1"}, {"::ffff:127.0.0.2"}, {"127.0.0.4"}, {"127.0.0.5"}});
    Socket all(here.io());
    const error_code refused = co_await connect_by(all, lookup, {.port = where});
    BOOST_TEST((refused == asio::error::connection_refused));
    const Log alternating{"::ffff:127.0.0.1" + tail, "127.0.0.4" + tail, "::ffff:127.0.0.2" + tail, "127.0.0.5" + tail};
    BOOST_TEST(all.attempted_addresses() == alternating, per_element);
    BOOST_TEST(all.error().attempts().size() == 4u);

    Socket one(here.io());
    const error_code plain = co_await connect_by(one, lookup, {.port = where, .auto_select_family = false});
    BOOST_TEST((plain == asio::error::connection_refused));
    BOOST_TEST(one.error().attempts().empty());
    BOOST_TEST(
        (one.error().remote_address() == SocketAddress::ip("::ffff:127.0.0.1", static_cast<std::uint16_t>(where))));
    BOOST_TEST(one.attempted_addresses().empty());
  }(world, port, number));
}

BEHAVIOUR(B101_written_bytes_go_only_to_the_winner_awaited, one_wire) {
  Server server(world.io());
  world.listen(server);
  Socket socket(world.io());
  Recorder recorder;
  recorder.watch(socket, "client");
  world.spawn([](Socket client, int port) -> asio::awaitable<void> {
    const Lookup lookup = answering({{"127.0.0.2"}, {"127.0.0.1"}});
    const error_code code = co_await connect_by(client, lookup, {.port = port});
    BOOST_TEST(!code);
  }(socket, server.address()->port()));
  world.run_until([&] { return socket.connecting(); });
  socket.end("early");
  world.await([](Server from) -> asio::awaitable<void> {
    Socket accepted = co_await from.async_accept();
    std::string all;
    while (const libnet::Chunk chunk = co_await accepted.async_read()) all += chunk;
    BOOST_TEST(all == "early");
    co_await accepted.async_close();
    from.close();
  }(server));
  world.run();
  BOOST_TEST(socket.remote_address()->address() == "127.0.0.1");
  BOOST_TEST(recorder.count("client:connect") == 1u);
  BOOST_TEST(recorder.count("client:ready") == 1u);
}

BEHAVIOUR(B104_the_attempt_timeout_has_bounds_awaited, one_wire) {
  Server server(world.io());
  world.listen(server);
  world.await([](World& here, int port) -> asio::awaitable<void> {
    const Lookup lookup = answering({{"127.0.0.1"}});
    for (const auto timeout : {0ms, -1ms}) {
      const error_code code =
          co_await connect_by(Socket(here.io()), lookup, {.port = port, .auto_select_family_attempt_timeout = timeout});
      BOOST_TEST((code == Errc::out_of_range));
    }
    Socket socket(here.io());
    const error_code code =
        co_await connect_by(socket, lookup, {.port = port, .auto_select_family_attempt_timeout = 1ms});
    BOOST_TEST(!code);
  }(world, server.address()->port()));
}
