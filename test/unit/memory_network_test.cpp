#include "transport/memory_network.hpp"

#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include "core/host_lookup.hpp"
#include "support/drive.hpp"
#include "transport/native.hpp"

namespace libnet::test {

using namespace std::chrono_literals;
using transport::Attempt;
using transport::AttemptOptions;
using transport::Listener;
using transport::ListenerOptions;
using transport::MemoryNetwork;
using transport::Network;
using transport::system_error;
using transport::Transport;

namespace {

const error_code in_progress = system_error(EINPROGRESS);
const error_code would_block = system_error(EAGAIN);

class ListenerTold final : public Listener::Observer {
 public:
  void on_listener_ready() override { ++times; }
  int times = 0;
};

class AttemptTold final : public Attempt::Observer {
 public:
  void on_attempt_ready() override { ++times; }
  int times = 0;
};

/// A network and one loop on it, whose clock the case moves.
struct Place {
  Place() { loop->use_manual_clock(); }

  error_code listen(const SocketAddress& address, std::unique_ptr<Listener>& made,
                    const ListenerOptions& options = {}) {
    return network.listen(loop, address, options, made);
  }

  std::unique_ptr<Listener> listening(const SocketAddress& address, const ListenerOptions& options = {}) {
    std::unique_ptr<Listener> made;
    BOOST_REQUIRE(!listen(address, made, options));
    return made;
  }

  /// What a connect finds at once.
  error_code connect(const SocketAddress& address, std::unique_ptr<Transport>& made,
                     const AttemptOptions& options = {}) {
    return network.connect(loop, address, options)->proceed(made);
  }

  std::unique_ptr<Transport> connected(const SocketAddress& address, const AttemptOptions& options = {}) {
    std::unique_ptr<Transport> made;
    BOOST_REQUIRE(!connect(address, made, options));
    return made;
  }

  error_code refusal(const SocketAddress& address, const AttemptOptions& options = {}) {
    std::unique_ptr<Transport> none;
    const error_code code = connect(address, none, options);
    BOOST_TEST(!none);
    return code;
  }

  void advance(reactor::Duration by) {
    loop->advance(by);
    drive_ready(*context);
  }

  std::unique_ptr<boost::asio::io_context> context = std::make_unique<boost::asio::io_context>(1);
  std::shared_ptr<reactor::Loop> loop = reactor::Loop::of(context->get_executor());
  MemoryNetwork network;
};

SocketAddress four(std::uint16_t port) { return SocketAddress::ip("127.0.0.1", port); }
SocketAddress six(std::uint16_t port) { return SocketAddress::ip("::1", port); }
SocketAddress path(std::string_view name) { return SocketAddress::unix_socket(name); }

Listener::Accepted accepted_by(Listener& listener) {
  Listener::Accepted accepted;
  BOOST_REQUIRE(!listener.accept(accepted));
  return accepted;
}

std::size_t send(Transport& transport, std::string_view text) {
  const iovec piece{const_cast<char*>(text.data()), text.size()};
  return transport.try_write({&piece, 1}).bytes;
}

/// Asks and waits for the answer.
struct Answer {
  Answer(Place& place, const std::string& host, const LookupOptions& options = {})
      : lookup(*place.loop, {}, host, options, [this](const Error& failure, std::vector<LookupAddress> list) {
          error = failure;
          for (const LookupAddress& one : list) addresses.push_back(one.address);
          answered = true;
        }) {}

  Error error;
  std::vector<std::string> addresses;
  bool answered = false;

 private:
  core::HostLookup lookup;
};

/// The lookup goes to the network of the loop.
struct NamedPlace : Place {
  NamedPlace() { loop->use_network({std::shared_ptr<void>(), &network}); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_network)

BOOST_AUTO_TEST_CASE(a_connection_has_its_addresses_and_carries_bytes) {
  Place place;
  const auto listener = place.listening(four(80));
  BOOST_TEST((listener->address() == four(80)));
  BOOST_TEST(listener->native_handle() == -1);
  const auto client = place.connected(four(80));
  const auto server = accepted_by(*listener);
  BOOST_TEST((client->remote_address() == four(80)));
  BOOST_TEST((client->local_address() == server.remote));
  BOOST_TEST((server.transport->remote_address() == server.remote));
  BOOST_TEST((server.transport->local_address() == four(80)));
  BOOST_TEST(client->can_reset());
  BOOST_TEST(send(*client, "hello") == 5u);
  BOOST_TEST((server.transport->peek_end().waiting == transport::Waiting::data));
}

BOOST_AUTO_TEST_CASE(port_0_picks_one_that_is_free) {
  Place place;
  place.network.set_picked_ports(100, 102);
  const auto first = place.listening(four(0));
  const auto second = place.listening(four(0));
  BOOST_TEST(first->address()->port() == 100);
  BOOST_TEST(second->address()->port() == 101);
  const auto client = place.connected(four(100));
  BOOST_TEST(client->local_address()->port() == 102);
  std::unique_ptr<Listener> none;
  BOOST_TEST((place.listen(four(0), none) == system_error(EADDRINUSE)));
  BOOST_TEST(!none);
  BOOST_TEST((place.refusal(four(100)) == system_error(EADDRNOTAVAIL)));
  const auto other_target = place.connected(four(101));
  BOOST_TEST(other_target->local_address()->port() == 102);
}

BOOST_AUTO_TEST_CASE(a_port_is_free_again_when_its_connection_has_closed) {
  Place place;
  place.network.set_picked_ports(100, 100);
  const auto listener = place.listening(four(80));
  auto client = place.connected(four(80));
  BOOST_TEST((place.refusal(four(80)) == system_error(EADDRNOTAVAIL)));
  client->close();
  BOOST_TEST(place.connected(four(80))->local_address()->port() == 100);
}

BOOST_AUTO_TEST_CASE(an_address_in_use) {
  Place place;
  const auto any = place.listening(SocketAddress::ip("::", 80));
  const auto exact = place.listening(four(81));
  const auto only_six = place.listening(SocketAddress::ip("::", 82), {.bind = {.ipv6_only = true}});
  const auto by_path = place.listening(path("/here"));
  std::unique_ptr<Listener> none;
  for (const SocketAddress& taken : {four(80), six(80), SocketAddress::ip("0.0.0.0", 80), four(81), six(82),
                                     SocketAddress::ip("::", 81), path("/here")}) {
    BOOST_TEST((place.listen(taken, none) == system_error(EADDRINUSE)), taken);
    BOOST_TEST(!none);
  }
  const auto beside = place.listening(SocketAddress::ip("127.0.0.2", 81));
  const auto other_family = place.listening(SocketAddress::ip("0.0.0.0", 82));
}

BOOST_AUTO_TEST_CASE(addresses_that_cannot_be_listened_at) {
  Place place;
  std::unique_ptr<Listener> none;
  BOOST_TEST((place.listen(SocketAddress::ip("192.0.2.1", 80), none) == system_error(EADDRNOTAVAIL)));
  BOOST_TEST((place.listen(SocketAddress::ip("fe80::1", 80), none) == system_error(EINVAL)));
  BOOST_TEST((place.listen(path("/" + std::string(200, 'x')), none) == system_error(EINVAL)));
  place.network.add_address("192.0.2.1");
  const auto own = place.listening(SocketAddress::ip("192.0.2.1", 80));
  const auto client = place.connected(SocketAddress::ip("192.0.2.1", 80));
  BOOST_TEST(client->local_address()->address() == "192.0.2.1");
}

BOOST_AUTO_TEST_CASE(a_listener_that_goes_gives_its_address_up) {
  Place place;
  auto listener = place.listening(four(80));
  listener.reset();
  BOOST_TEST((place.refusal(four(80)) == system_error(ECONNREFUSED)));
  listener = place.listening(four(80));
}

BOOST_AUTO_TEST_CASE(who_is_reached) {
  Place place;
  const auto any = place.listening(SocketAddress::ip("0.0.0.0", 80));
  const auto exact = place.listening(SocketAddress::ip("127.0.0.2", 81));
  const auto both = place.listening(SocketAddress::ip("::", 82));
  const auto only_six = place.listening(SocketAddress::ip("::", 83), {.bind = {.ipv6_only = true}});
  BOOST_TEST((place.refusal(six(80)) == system_error(ECONNREFUSED)));
  BOOST_TEST((place.refusal(four(81)) == system_error(ECONNREFUSED)));
  BOOST_TEST((place.refusal(four(83)) == system_error(ECONNREFUSED)));
  const auto by_wildcard = place.connected(SocketAddress::ip("0.0.0.0", 80));
  BOOST_TEST((by_wildcard->remote_address() == four(80)));
  const auto to_second = place.connected(SocketAddress::ip("127.0.0.2", 81));
  const auto to_both = place.connected(four(82));
  BOOST_TEST(accepted_by(*both).remote->address() == "::ffff:127.0.0.1");
  const auto by_mapped = place.connected(SocketAddress::ip("::ffff:127.0.0.1", 80));
  BOOST_TEST(by_mapped->local_address()->address() == "::ffff:127.0.0.1");
  BOOST_TEST(accepted_by(*any).remote->address() == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(the_more_exact_listener_gets_the_connection) {
  Place place;
  const ListenerOptions shared{.bind = {.reuse_port = true}};
  const auto any = place.listening(SocketAddress::ip("0.0.0.0", 80), shared);
  const auto exact = place.listening(four(80), shared);
  const auto client = place.connected(four(80));
  Listener::Accepted none;
  BOOST_TEST((any->accept(none) == would_block));
  accepted_by(*exact);
}

BOOST_AUTO_TEST_CASE(who_shares_a_port_takes_turns) {
  Place place;
  const ListenerOptions shared{.bind = {.reuse_port = true}};
  const auto first = place.listening(four(80), shared);
  const auto second = place.listening(four(80), shared);
  std::unique_ptr<Listener> none;
  BOOST_TEST((place.listen(four(80), none) == system_error(EADDRINUSE)));
  const auto one = place.connected(four(80));
  const auto two = place.connected(four(80));
  accepted_by(*first);
  accepted_by(*second);
}

BOOST_AUTO_TEST_CASE(connections_that_are_refused) {
  Place place;
  BOOST_TEST((place.refusal(four(80)) == system_error(ECONNREFUSED)));
  BOOST_TEST((place.refusal(SocketAddress::ip("192.0.2.1", 80)) == system_error(ENETUNREACH)));
  BOOST_TEST((place.refusal(path("/nowhere")) == system_error(ENOENT)));
  BOOST_TEST((place.refusal(path(std::string_view("\0nobody", 7))) == system_error(ECONNREFUSED)));
  BOOST_TEST((place.refusal(path("/" + std::string(200, 'x'))) == system_error(EINVAL)));
}

BOOST_AUTO_TEST_CASE(a_local_address_by_request) {
  Place place;
  const auto listener = place.listening(four(80));
  const auto client = place.connected(four(80), {.local = four(2000), .bound = {}});
  BOOST_TEST((accepted_by(*listener).remote == four(2000)));
  BOOST_TEST((place.refusal(four(80), {.local = four(2000), .bound = {}}) == system_error(EADDRNOTAVAIL)));
  BOOST_TEST((place.refusal(four(80), {.local = four(80), .bound = {}}) == system_error(EADDRINUSE)));
  BOOST_TEST((place.refusal(four(80), {.local = SocketAddress::ip("192.0.2.1", 0), .bound = {}}) ==
              system_error(EADDRNOTAVAIL)));
  std::unique_ptr<Transport> made;
  const auto attempt =
      place.network.connect(place.loop, four(80), {.local = SocketAddress::ip("0.0.0.0", 0), .bound = {}});
  BOOST_REQUIRE(!attempt->proceed(made));
  BOOST_TEST(attempt->local_address()->port() == made->local_address()->port());
  BOOST_TEST(made->local_address()->address() == "127.0.0.1");
}

BOOST_AUTO_TEST_CASE(paths_have_no_addresses_and_no_reset) {
  Place place;
  const auto listener = place.listening(path("/here"));
  const auto client = place.connected(path("/here"));
  const auto server = accepted_by(*listener);
  BOOST_TEST(!server.remote.has_value());
  BOOST_TEST(!client->local_address().has_value());
  BOOST_TEST(!client->remote_address().has_value());
  BOOST_TEST(!client->can_reset());
  client->reset();
  BOOST_TEST((server.transport->peek_end().waiting == transport::Waiting::end));
}

BOOST_AUTO_TEST_CASE(an_empty_path_picks_an_abstract_name) {
  Place place;
  const auto first = place.listening(path(""));
  const auto second = place.listening(path(""));
  BOOST_TEST(first->address()->address().front() == '\0');
  BOOST_TEST((first->address() != second->address()));
  place.connected(*first->address());
}

BOOST_AUTO_TEST_CASE(a_listener_is_told_once_when_it_was_asked_in_vain) {
  Place place;
  const auto listener = place.listening(four(80));
  ListenerTold told;
  listener->observe(&told);
  const auto unasked = place.connected(four(80));
  drive_ready(*place.context);
  BOOST_TEST(told.times == 0);
  accepted_by(*listener);
  Listener::Accepted none;
  BOOST_TEST((listener->accept(none) == would_block));
  const auto one = place.connected(four(80));
  const auto two = place.connected(four(80));
  BOOST_TEST(told.times == 0);
  drive_ready(*place.context);
  BOOST_TEST(told.times == 1);
}

BOOST_AUTO_TEST_CASE(a_full_backlog_makes_connections_wait) {
  Place place;
  const auto listener = place.listening(four(80), {.bind = {}, .backlog = 1});
  const auto first = place.connected(four(80));
  const auto second = place.connected(four(80));
  const auto waiting = place.network.connect(place.loop, four(80), {});
  const auto behind = place.network.connect(place.loop, four(80), {});
  AttemptTold told;
  waiting->observe(&told);
  std::unique_ptr<Transport> made;
  BOOST_TEST((waiting->proceed(made) == in_progress));
  BOOST_TEST((behind->proceed(made) == in_progress));
  BOOST_TEST((waiting->proceed(made) == in_progress));
  accepted_by(*listener);
  BOOST_TEST(told.times == 0);
  drive_ready(*place.context);
  BOOST_TEST(told.times == 1);
  BOOST_TEST(!waiting->proceed(made));
  std::unique_ptr<Transport> none;
  BOOST_TEST((behind->proceed(none) == in_progress));
}

BOOST_AUTO_TEST_CASE(room_that_the_first_in_line_does_not_take_goes_to_the_next) {
  Place place;
  const auto listener = place.listening(four(80), {.bind = {}, .backlog = 0});
  const auto first = place.connected(four(80));
  auto given_up = place.network.connect(place.loop, four(80), {});
  const auto behind = place.network.connect(place.loop, four(80), {});
  AttemptTold told;
  behind->observe(&told);
  std::unique_ptr<Transport> made;
  BOOST_TEST((given_up->proceed(made) == in_progress));
  BOOST_TEST((behind->proceed(made) == in_progress));
  accepted_by(*listener);
  given_up.reset();
  drive_ready(*place.context);
  BOOST_TEST(told.times == 1);
  BOOST_TEST(!behind->proceed(made));
}

BOOST_AUTO_TEST_CASE(the_end_of_a_listener_refuses_who_waits_and_resets_who_is_in_the_backlog) {
  for (const SocketAddress& where : {four(80), path("/here")}) {
    Place place;
    auto listener = place.listening(where, {.bind = {}, .backlog = 0});
    const auto queued = place.connected(where);
    const auto waiting = place.network.connect(place.loop, where, {});
    AttemptTold told;
    waiting->observe(&told);
    std::unique_ptr<Transport> none;
    BOOST_TEST((waiting->proceed(none) == in_progress));
    listener.reset();
    drive_ready(*place.context);
    BOOST_TEST(told.times == 1);
    BOOST_TEST((waiting->proceed(none) == system_error(where.family() == Family::unix_path ? ENOENT : ECONNREFUSED)));
    const transport::Peek peek = queued->peek_end();
    BOOST_TEST((peek.waiting == transport::Waiting::error));
    BOOST_TEST((peek.error == system_error(ECONNRESET)));
  }
}

BOOST_AUTO_TEST_CASE(a_connection_takes_its_time_by_the_clock_of_the_loop) {
  Place place;
  place.network.set_connect_delay(20ms);
  const auto listener = place.listening(four(80));
  const auto attempt = place.network.connect(place.loop, four(80), {});
  const auto refused = place.network.connect(place.loop, four(81), {});
  AttemptTold told;
  attempt->observe(&told);
  std::unique_ptr<Transport> made;
  BOOST_TEST((attempt->proceed(made) == in_progress));
  BOOST_TEST((refused->proceed(made) == in_progress));
  place.advance(19ms);
  BOOST_TEST((attempt->proceed(made) == in_progress));
  BOOST_TEST(told.times == 0);
  place.advance(1ms);
  BOOST_TEST(told.times == 1);
  BOOST_TEST(!attempt->proceed(made));
  std::unique_ptr<Transport> none;
  BOOST_TEST((refused->proceed(none) == system_error(ECONNREFUSED)));
}

BOOST_AUTO_TEST_CASE(names) {
  NamedPlace place;
  place.network.set_name("many.test", {"192.0.2.1", "::2", "192.0.2.3"});
  const auto ask = [&](const std::string& host, int family) {
    Answer answer(place, host, {.family = family});
    drive_ready(*place.context);
    BOOST_TEST(answer.answered);
    return std::pair(answer.error.code(), answer.addresses);
  };
  using List = std::vector<std::string>;
  BOOST_TEST((ask("many.test", 0).second == List{"192.0.2.1", "::2", "192.0.2.3"}));
  BOOST_TEST((ask("many.test", 4).second == List{"192.0.2.1", "192.0.2.3"}));
  BOOST_TEST((ask("many.test", 6).second == List{"::2"}));
  BOOST_TEST((ask("localhost", 0).second == List{"127.0.0.1", "::1"}));
  BOOST_TEST((ask("127.0.0.9", 0).second == List{"127.0.0.9"}));
  BOOST_TEST((ask("nobody.test", 0).first == boost::asio::error::host_not_found));
  place.network.set_name("many.test", {});
  BOOST_TEST((ask("many.test", 0).first == boost::asio::error::host_not_found));
}

BOOST_AUTO_TEST_CASE(an_answer_takes_its_time_by_the_clock_of_the_loop) {
  NamedPlace place;
  place.network.set_lookup_delay(5ms);
  Answer answer(place, "localhost");
  {
    const Answer unwanted(place, "localhost");
  }
  place.advance(4ms);
  BOOST_TEST(!answer.answered);
  place.advance(1ms);
  BOOST_TEST(answer.answered);
}

BOOST_AUTO_TEST_CASE(what_is_of_the_system_is_refused) {
  Place place;
  std::unique_ptr<Listener> none;
  const BoundSocket bound(four(0));
  transport::Adopted adopted;
  BOOST_TEST((place.network.listen(place.loop, bound, {}, none) == Errc::invalid_handle));
  BOOST_TEST((place.network.listen(place.loop, bound.native_handle(), {}, none) == system_error(EINVAL)));
  BOOST_TEST((place.network.adopt(place.loop, bound.native_handle(), adopted) == Errc::invalid_handle));
  BOOST_TEST((place.refusal(four(80), {.local = {}, .bound = bound}) == Errc::invalid_handle));
  BOOST_TEST(bound.native_handle() >= 0);
}

BOOST_AUTO_TEST_CASE(calls_fail_as_a_test_wants) {
  NamedPlace place;
  transport::MemoryFaults& faults = place.network.faults();
  faults.listen.arm(1, system_error(EMFILE));
  std::unique_ptr<Listener> listener;
  BOOST_TEST((place.listen(four(80), listener) == system_error(EMFILE)));
  BOOST_TEST(!place.listen(four(80), listener));
  faults.connect.arm(2, system_error(ETIMEDOUT));
  const auto client = place.connected(four(80));
  BOOST_TEST((place.refusal(four(80)) == system_error(ETIMEDOUT)));
  faults.accept.arm(1, system_error(EMFILE));
  Listener::Accepted accepted;
  BOOST_TEST((listener->accept(accepted) == system_error(EMFILE)));
  BOOST_TEST(!accepted.transport);
  accepted_by(*listener);  // it was still in the backlog
  faults.lookup.arm(1, boost::asio::error::host_not_found_try_again);
  Answer answer(place, "localhost");
  drive_ready(*place.context);
  BOOST_TEST((answer.error.code() == boost::asio::error::host_not_found_try_again));
  for (const auto* fault : {&faults.listen, &faults.connect, &faults.accept, &faults.lookup}) {
    BOOST_TEST(fault->fired() == 1u);
  }
}

BOOST_AUTO_TEST_CASE(several_loops_share_it) {
  Place place;
  boost::asio::io_context other(1);
  const auto listener = place.listening(four(80));
  Listener::Accepted none;
  ListenerTold told;
  listener->observe(&told);
  BOOST_TEST((listener->accept(none) == would_block));
  std::unique_ptr<Transport> client;
  BOOST_TEST(!place.network.connect(reactor::Loop::of(other.get_executor()), four(80), {})->proceed(client));
  drive_ready(other);
  BOOST_TEST(told.times == 0);
  drive_ready(*place.context);
  BOOST_TEST(told.times == 1);
}

BOOST_AUTO_TEST_CASE(listeners_and_connections_outlive_it_and_the_context) {
  auto context = std::make_unique<boost::asio::io_context>(1);
  const auto loop = reactor::Loop::of(context->get_executor());
  auto network = std::make_unique<MemoryNetwork>();
  std::unique_ptr<Listener> listener;
  BOOST_TEST(!network->listen(loop, four(80), {}, listener));
  std::unique_ptr<Transport> client;
  BOOST_TEST(!network->connect(loop, four(80), {})->proceed(client));
  const auto late = network->connect(loop, four(80), {});
  network.reset();
  BOOST_TEST(!late->proceed(client));
  context.reset();
  accepted_by(*listener);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
