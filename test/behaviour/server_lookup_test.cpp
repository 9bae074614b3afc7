#include <boost/asio/error.hpp>

#include <optional>
#include <string>
#include <vector>

#include "support/behaviour.hpp"
#include "support/visitor.hpp"

using namespace libnet::test;
using libnet::Error;
using libnet::ErrorInfo;
using libnet::ListenOptions;
using libnet::Lookup;
using libnet::LookupAddress;
using libnet::LookupAnswer;
using libnet::LookupOptions;
using libnet::Server;
using libnet::SocketAddress;

// Listening on a host name.

namespace {

constexpr unsigned any_wire = static_cast<unsigned>(Wire::tcp4) | static_cast<unsigned>(Wire::memory);

Lookup answering(const std::vector<std::string>& addresses) {
  return [addresses](std::string_view, const LookupOptions&, const LookupAnswer& answer) {
    std::vector<LookupAddress> found;
    for (const std::string& address : addresses) found.push_back({.address = address, .family = 0});
    answer(std::move(found));
  };
}

ListenOptions named(const Lookup& lookup, int port = 0) {
  return {.host = "many.test", .port = port, .lookup = &lookup};
}

/// Where a server tries to listen whose host has these addresses.
SocketAddress chosen(World& world, const std::vector<std::string>& addresses) {
  const Lookup lookup = answering(addresses);
  Server server(world.io());
  std::optional<SocketAddress> where;
  server.on(event::listening, [&] { where = server.address(); });
  server.on(event::error, [&](const Error& error) { where = error.local_address(); });
  server.listen(named(lookup));
  world.run_until([&] { return where.has_value(); });
  return where.value();
}

}  // namespace

BEHAVIOUR(B9_close_while_the_name_is_looked_up, any_wire) {
  std::optional<LookupAnswer> pending;
  const Lookup lookup = [&](std::string_view, const LookupOptions&, const LookupAnswer& answer) { pending = answer; };
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.listen(named(lookup), [] { BOOST_ERROR("called"); });
  world.settle();
  BOOST_REQUIRE(pending.has_value());
  BOOST_TEST(!server.listening());
  const std::size_t before = open_descriptors();
  server.close([&] { recorder.note("server:closed"); });
  (*pending)("127.0.0.1");
  world.run();
  expect(recorder.of("server"), {"close", "closed"});
  BOOST_TEST(!server.listening());
  BOOST_TEST(!server.address().has_value());
  BOOST_TEST(open_descriptors() == before);
}

BEHAVIOUR(B9_close_while_the_name_is_looked_up_by_the_system, any_wire) {
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  server.listen(0, "localhost", [] { BOOST_ERROR("called"); });
  BOOST_TEST(!server.listening());
  server.close();
  world.run();
  expect(recorder.of("server"), {"close"});
}

BEHAVIOUR(B9_close_while_the_name_is_looked_up_awaited, any_wire) {
  std::optional<LookupAnswer> pending;
  const Lookup lookup = [&](std::string_view, const LookupOptions&, const LookupAnswer& answer) { pending = answer; };
  Server server(world.io());
  std::string outcome;
  server.async_listen(named(lookup), [&](libnet::error_code code) { outcome = libnet::error_name(code); });
  world.settle();
  BOOST_TEST(outcome.empty());
  world.await([](Server listening) -> asio::awaitable<void> { co_await listening.async_close(); }(server));
  BOOST_TEST(outcome == "ECANCELED");
  BOOST_TEST(!pending->wanted());
}

BEHAVIOUR(B23_link_local_addresses_are_passed_over, any_wire) {
  BOOST_TEST(chosen(world, {"127.0.0.1", "::1"}).address() == "127.0.0.1");
  BOOST_TEST(chosen(world, {"::1", "127.0.0.1"}).address() == "::1");
  const std::vector<std::string> link_local = {"fe80::1", "fe8f::2",           "fe90::1", "fea0::3",
                                               "febf::4", "febf:ffff::1%none", "FE80::5"};
  for (const std::string& address : link_local) {
    BOOST_TEST(chosen(world, {address, "127.0.0.1", "::1"}).address() == "127.0.0.1");
  }
  std::vector<std::string> all = link_local;
  all.emplace_back("::1");
  BOOST_TEST(chosen(world, all).address() == "::1");
  for (const std::string outside : {"fec0::1", "fe7f::1"}) {
    BOOST_TEST(chosen(world, {"fe80::1", outside, "127.0.0.1"}).address() == outside);
  }
  BOOST_TEST(chosen(world, {"fe80::7", "fe80::8"}).address() == "fe80::7");
}

BEHAVIOUR(B23_link_local_addresses_are_passed_over_awaited, any_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    const Lookup lookup = answering({"fe80::1", "febf::1", "127.0.0.1"});
    const Server server = co_await libnet::async_listen(here.io(), named(lookup));
    BOOST_TEST(server.address()->address() == "127.0.0.1");
    BOOST_TEST(probe(here, server.address().value()) == 0);
  }(world));
}

BEHAVIOUR(B24_the_error_of_the_lookup, any_wire) {
  const Error failure(asio::error::host_not_found_try_again,
                      ErrorInfo{.operation = "getaddrinfo", .host = "many.test", .text = "the resolver's own words"});
  const Lookup lookup = [&](std::string_view, const LookupOptions&, const LookupAnswer& answer) { answer(failure); };
  Server server(world.io());
  Recorder recorder;
  recorder.watch(server, "server");
  Error seen;
  server.on(event::error, [&](const Error& error) { seen = error; });
  server.listen(named(lookup), [] { BOOST_ERROR("called"); });
  expect(recorder.log(), {});
  world.run();
  expect(recorder.of("server"), {"error(EAI_AGAIN)"});
  BOOST_TEST((seen.code() == failure.code()));
  BOOST_TEST(seen.message() == "the resolver's own words");
  BOOST_TEST(seen.operation() == "getaddrinfo");
  BOOST_TEST(seen.host() == "many.test");
  server.listen(0, "127.0.0.1");
  BOOST_TEST(server.listening());
}

BEHAVIOUR(B24_the_error_of_the_lookup_awaited, any_wire) {
  world.await([](World& here) -> asio::awaitable<void> {
    Error seen;
    try {
      co_await libnet::async_listen(here.io(), {.host = "no-such-name.invalid", .port = 0});
    } catch (const libnet::SystemError& error) {
      seen = error.error();
    }
    BOOST_TEST((seen.name() == "ENOTFOUND" || seen.name() == "EAI_AGAIN"));
    BOOST_TEST(seen.message() == "getaddrinfo " + seen.name() + " no-such-name.invalid");
  }(world));
}

BEHAVIOUR(B25_a_link_local_address_without_scope, any_wire) {
  const Lookup lookup = answering({"fe80::1"});
  Server server(world.io());
  Error seen;
  server.on(event::error, [&](const Error& error) { seen = error; });
  server.listen(named(lookup, 4321));
  world.run();
  BOOST_TEST(seen.name() == "EINVAL");
  BOOST_TEST(seen.operation() == "listen");
  BOOST_TEST((seen.local_address() == SocketAddress::ip("fe80::1", 4321)));
  BOOST_TEST(seen.message() == "listen EINVAL: invalid argument fe80::1:4321");
}
