#include <netdb.h>

#include <exception>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "support/behaviour.hpp"
#include "support/raw_socket.hpp"

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

// From a host name to addresses: what is asked, what is told, what goes wrong.

namespace {

constexpr auto one_wire = static_cast<unsigned>(Wire::tcp4) | static_cast<unsigned>(Wire::memory);

/// A server at 127.0.0.1, and a client that notes what a connect goes through.
struct Client {
  explicit Client(World& in) : world(in), server(in.io()), socket(in.io()) {
    in.listen(server);
    watch();
  }

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  /// Its listeners must not outlive it.
  ~Client() {
    socket.destroy();
    world.run_until([&] { return closed; });
  }

  void watch() {
    socket.on(event::lookup, [this](const LookupResult& result) {
      log.push_back("lookup " + (result.error ? result.error.message() : result.address) + ' ' +
                    std::to_string(result.family) + ' ' + result.host);
    });
    socket.on(event::connect, [this] { log.push_back("connect"); });
    socket.on(event::error, [this](const Error& error) {
      log.push_back(error.message());
      failure = error;
    });
    socket.on(event::close, [this](bool) {
      log.push_back("close");
      closed = true;
    });
  }

  std::uint16_t port() const { return server.address()->port(); }

  /// Connects to the host "name.test" by way of `lookup`, until that has come to an end.
  void connect(const Lookup& lookup, ConnectOptions options = {}) {
    options.host = "name.test";
    if (!options.port) options.port = port();
    options.lookup = &lookup;
    socket.connect(options);
    world.run_until([&] { return !socket.connecting() && !log.empty() && !log.back().starts_with("lookup"); });
  }

  World& world;
  Server server;
  Socket socket;
  Log log;
  Error failure;
  bool closed = false;
};

}  // namespace

BEHAVIOUR(B88_an_ip_literal_is_not_looked_up, ip_wires) {
  Client client(world);
  const Lookup lookup = [](std::string_view, const LookupOptions&, const LookupAnswer&) {
    BOOST_ERROR("an IP address was looked up");
  };
  ConnectOptions options = world.connect_options(client.server);
  options.lookup = &lookup;
  client.socket.connect(options);
  world.run_until([&] { return !client.log.empty(); });
  const Log expected{"connect"};
  BOOST_TEST(client.log == expected, per_element);
}

BEHAVIOUR(B89_lookup_comes_once_per_address_before_connecting, one_wire) {
  Client client(world);
  client.connect([](std::string_view, const LookupOptions&, const LookupAnswer& answer) {
    answer({LookupAddress{"127.0.0.1", 4}, LookupAddress{"::1", 6}, LookupAddress{"127.0.0.2"}});
  });
  const Log expected{"lookup 127.0.0.1 4 name.test", "lookup ::1 6 name.test", "lookup 127.0.0.2 4 name.test",
                     "connect"};
  BOOST_TEST(client.log == expected, per_element);
}

BEHAVIOUR(B89_localhost_by_the_system, one_wire) {
  Client client(world);
  client.socket.connect({.host = "localhost", .port = client.port(), .family = 4});
  world.run_until([&] { return client.socket.ready_state() == libnet::ReadyState::open && client.log.size() == 2; });
  const Log expected{"lookup 127.0.0.1 4 localhost", "connect"};
  BOOST_TEST(client.log == expected, per_element);
}

BEHAVIOUR(B90_a_custom_lookup_is_asked_and_answers_at_once, one_wire) {
  Client client(world);
  int calls = 0;
  bool inside_connect = true;
  const Lookup lookup = [&](std::string_view host, const LookupOptions& options, const LookupAnswer& answer) {
    ++calls;
    BOOST_TEST(!inside_connect);
    BOOST_TEST(host == "name.test");
    BOOST_TEST(options.family == 4);
    BOOST_TEST(options.hints == AI_ADDRCONFIG);
    BOOST_TEST(options.all);
    BOOST_TEST(answer.wanted());
    answer("127.0.0.1", 4);
    answer(Error(error_code(asio::error::host_not_found)));  // only the first answer counts
    BOOST_TEST(!answer.wanted());
  };
  ConnectOptions options;
  options.host = "name.test";
  options.port = client.port();
  options.family = 4;
  options.hints = AI_ADDRCONFIG;
  options.lookup = &lookup;
  client.socket.connect(options);
  inside_connect = false;
  world.run_until([&] { return client.log.size() == 2; });
  BOOST_TEST(calls == 1);
  BOOST_TEST(client.log.back() == "connect");
}

BEHAVIOUR(B90_a_custom_lookup_answers_later_from_another_thread, one_wire) {
  Client client(world);
  std::optional<LookupAnswer> kept;
  const Lookup lookup = [&](std::string_view, const LookupOptions& options, const LookupAnswer& answer) {
    BOOST_TEST(!options.all);
    kept = answer;
  };
  client.socket.connect({.host = "name.test", .port = client.port(), .lookup = &lookup, .auto_select_family = false});
  world.run_until([&] { return kept.has_value(); });
  world.settle();
  BOOST_TEST(client.log.empty());
  std::thread([answer = *kept] { answer(std::vector<LookupAddress>{{"127.0.0.1", 4}}); }).join();
  world.run_until([&] { return client.log.size() == 2; });
  BOOST_TEST(client.log.back() == "connect");
}

BEHAVIOUR(B90_a_custom_lookup_awaited, one_wire) {
  Client client(world);
  world.await([](Socket socket, std::uint16_t port) -> asio::awaitable<void> {
    const Lookup lookup = [](std::string_view, const LookupOptions&, const LookupAnswer& answer) {
      answer("127.0.0.1");
    };
    co_await socket.async_connect({.host = "name.test", .port = port, .lookup = &lookup});
    BOOST_TEST(socket.remote_address()->port() == port);
  }(client.socket, client.port()));
}

BEHAVIOUR(B91_the_family_reaches_the_lookup, one_wire) {
  for (const int family : {4, 6, 0}) {
    Client client(world);
    int asked = -1;
    client.connect(
        [&](std::string_view, const LookupOptions& options, const LookupAnswer& answer) {
          asked = options.family;
          answer("127.0.0.1");
        },
        {.family = family});
    BOOST_TEST(asked == family);
  }
  // A local address leaves only its own family.
  Client bound(world);
  int asked = -1;
  bound.connect(
      [&](std::string_view, const LookupOptions& options, const LookupAnswer& answer) {
        asked = options.family;
        answer("127.0.0.1");
      },
      {.local_address = "127.0.0.1"});
  BOOST_TEST(asked == 4);
}

BEHAVIOUR(B92_a_failed_lookup_is_told_by_lookup_and_by_error, one_wire) {
  Client client(world);
  client.connect([](std::string_view, const LookupOptions&, const LookupAnswer& answer) {
    answer(error_code(asio::error::host_not_found));
  });
  world.run_until([&] { return client.log.back() == "close"; });
  const Log expected{"lookup getaddrinfo ENOTFOUND name.test 0 name.test", "getaddrinfo ENOTFOUND name.test", "close"};
  BOOST_TEST(client.log == expected, per_element);
  BOOST_TEST(client.failure.operation() == "getaddrinfo");
  BOOST_TEST(client.failure.host() == "name.test");
  BOOST_TEST(client.failure.name() == "ENOTFOUND");
}

BEHAVIOUR(B92_a_name_that_the_system_does_not_know, one_wire) {
  Client client(world);
  client.socket.connect({.host = "this.name.does.not.exist.invalid", .port = 80});
  world.run_until([&] { return !client.log.empty() && client.log.back() == "close"; });
  BOOST_TEST_REQUIRE(client.log.size() == 3u);
  const std::string name = client.failure.name();
  BOOST_TEST((name == "ENOTFOUND" || name == "EAI_AGAIN" || name == "EAI_FAIL"), name);
  BOOST_TEST(client.log[1] == "getaddrinfo " + name + " this.name.does.not.exist.invalid");
}

BEHAVIOUR(B92_the_error_of_a_custom_lookup_is_told_unchanged, one_wire) {
  Client client(world);
  const Error own(error_code(asio::error::no_recovery), {.operation = "mydns", .text = "mydns: the server is away"});
  client.connect([&](std::string_view, const LookupOptions&, const LookupAnswer& answer) { answer(own); });
  BOOST_TEST(client.failure.message() == "mydns: the server is away");
  BOOST_TEST((client.failure.code() == own.code()));
}

BEHAVIOUR(B92_a_lookup_without_an_answer_fails, one_wire) {
  const auto failure_of = [&](const Lookup& lookup) {
    Client client(world);
    client.connect(lookup);
    return client.failure;
  };
  const Error none = failure_of(
      [](std::string_view, const LookupOptions&, const LookupAnswer& answer) { answer(std::vector<LookupAddress>()); });
  BOOST_TEST(none.name() == "ENOTFOUND");
  const Error dropped = failure_of([](std::string_view, const LookupOptions&, const LookupAnswer&) {});
  BOOST_TEST((dropped.code() == asio::error::operation_aborted));
  const Error thrown = failure_of(
      [](std::string_view, const LookupOptions&, const LookupAnswer&) { throw std::runtime_error("out of luck"); });
  BOOST_TEST((thrown.code() == Errc::listener_threw));
  BOOST_TEST(thrown.message().ends_with("out of luck"));
}

BEHAVIOUR(B93_an_answer_that_is_no_ip, one_wire) {
  Client client(world);
  client.connect([](std::string_view, const LookupOptions&, const LookupAnswer& answer) { answer("name.again", 4); });
  BOOST_TEST((client.failure.code() == Errc::invalid_address));
  BOOST_TEST(client.failure.message() == "Invalid IP address: name.again");

  // Beside a good one it is passed over.
  Client lucky(world);
  lucky.connect([](std::string_view, const LookupOptions&, const LookupAnswer& answer) {
    answer({LookupAddress{"name.again", 4}, LookupAddress{"127.0.0.1", 4}});
  });
  BOOST_TEST(lucky.log.back() == "connect");
}

BEHAVIOUR(B94_an_answer_of_an_unknown_family, one_wire) {
  Client client(world);
  const Lookup lookup = [](std::string_view, const LookupOptions&, const LookupAnswer& answer) {
    answer("127.0.0.1", 100);
  };
  client.socket.connect({.host = "localhost", .port = 0, .lookup = &lookup});
  world.run_until([&] { return !client.log.empty() && client.log.back() == "close"; });
  BOOST_TEST((client.failure.code() == Errc::address_family));
  BOOST_TEST(client.failure.message() == "Invalid address family: 100 localhost:0");
  BOOST_TEST(client.failure.host() == "localhost");
}

BEHAVIOUR(B95_bad_hints_throw_at_the_call, one_wire) {
  Socket socket(world.io());
  const auto refused = [](const libnet::SystemError& error) { return error.code() == Errc::invalid_argument; };
  BOOST_CHECK_EXCEPTION(socket.connect({.port = 1, .hints = 1 << 20}), libnet::SystemError, refused);
  BOOST_TEST(!socket.connecting());
  world.await([](Socket fresh) -> asio::awaitable<void> {
    const auto [code] = co_await fresh.async_connect({.port = 1, .hints = 1 << 20}, libnet::as_tuple);
    BOOST_TEST((code == Errc::invalid_argument));
  }(socket));
}

BEHAVIOUR(B96_an_answer_after_destroy_is_ignored, one_wire) {
  Client client(world);
  std::optional<LookupAnswer> kept;
  const Lookup lookup = [&](std::string_view, const LookupOptions&, const LookupAnswer& answer) { kept = answer; };
  client.socket.connect({.host = "name.test", .port = client.port(), .lookup = &lookup});
  world.run_until([&] { return kept.has_value(); });
  client.socket.destroy();
  BOOST_TEST(!kept->wanted());
  (*kept)("127.0.0.1");
  world.run_until([&] { return !client.log.empty(); });
  world.settle();
  const Log expected{"close"};
  BOOST_TEST(client.log == expected, per_element);
}

BEHAVIOUR(B96_destroyed_by_the_listener_of_lookup, one_wire) {
  Client client(world);
  client.socket.on(event::lookup, [&](const LookupResult&) { client.socket.destroy(); });
  client.connect([](std::string_view, const LookupOptions&, const LookupAnswer& answer) {
    answer({LookupAddress{"127.0.0.1", 4}, LookupAddress{"127.0.0.2", 4}});
  });
  const Log expected{"lookup 127.0.0.1 4 name.test", "close"};
  BOOST_TEST(client.log == expected, per_element);
}

BEHAVIOUR(B96_an_answer_that_outlives_the_context, one_wire) {
  std::optional<LookupAnswer> kept;
  {
    asio::io_context io;
    Socket socket(io);
    const Lookup lookup = [&](std::string_view, const LookupOptions&, const LookupAnswer& answer) { kept = answer; };
    socket.connect({.host = "name.test", .port = 1, .lookup = &lookup});
    io.poll();
  }
  BOOST_TEST_REQUIRE(kept.has_value());
  BOOST_TEST(!kept->wanted());
  (*kept)("127.0.0.1");
}
