#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "libnet/detail/operation.hpp"
#include "support/allocation_fault.hpp"
#include "support/seed.hpp"
#include "support/socket_pair.hpp"
#include "support/tls_ends.hpp"
#include "support/transport_user.hpp"
#include "transport/descriptor_transport.hpp"

// How a TLS transport begins: input that came before it, who drives it, answers that come late, tickets, memory.

namespace libnet::test {

using tls::Driven;
using tls::Role;
using tls::Step;
using transport::MemoryTransport;
using transport::Progress;
using transport::Status;
using transport::Waiting;

namespace tls_handshake_parts {

namespace data = boost::unit_test::data;

const std::array versions{TLS1_2_VERSION, TLS1_3_VERSION};

/// Makes the server of two ends anew, over a lower transport of its own.
std::unique_ptr<tls::Transport> make_server(TlsEnds& ends, std::unique_ptr<transport::Transport> lower,
                                            std::string received, std::unique_ptr<tls::Session> session,
                                            Driven driven = Driven::by_itself) {
  return std::make_unique<tls::Transport>(ends.loop, std::move(lower), std::move(received), std::move(session), driven);
}

int tickets = 0;

int count_ticket(SSL*, SSL_SESSION*) {
  ++tickets;
  return 0;
}

void count_tickets(const TlsContext& client) {
  tickets = 0;
  SSL_CTX_set_session_cache_mode(client.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(client.get(), &count_ticket);
}

}  // namespace tls_handshake_parts

using namespace tls_handshake_parts;

BOOST_AUTO_TEST_SUITE(tls_handshake)

BOOST_DATA_TEST_CASE(input_that_came_before_is_its_beginning, data::make(versions), version) {
  for (const std::size_t before : {std::size_t{1}, std::size_t{5}, std::size_t{100}, std::size_t{100'000}}) {
    TlsEnds ends(version);
    ends.server->close();
    auto [first, second] = MemoryTransport::pair(ends.loop, ends.loop);
    ends.client = ends.over(std::move(first), ends.client_context.session());
    BOOST_REQUIRE(drive_until(ends.context, [&] { return second->peek_end().waiting == Waiting::data; }));
    std::string hello = read(*second, before).text;
    BOOST_REQUIRE(!hello.empty());
    ends.server = make_server(ends, std::move(second), std::move(hello), ends.server_context.session());
    ends.shake_hands();
    BOOST_TEST(write(*ends.client, "hello").bytes == 5U);
    BOOST_TEST(read(*ends.server).text == "hello");
  }
}

BOOST_DATA_TEST_CASE(what_follows_the_last_of_the_handshake_is_data, data::make(versions), version) {
  TlsEnds ends(version);
  while (ends.client->progress() != Progress::secure) {
    BOOST_TEST(!ends.server->ready_to_read());  // nothing is delivered before
    BOOST_REQUIRE(ends.context.run_one() == 1U);
  }
  BOOST_TEST(write(*ends.client, "with the last of it").bytes == 19U);
  ends.shake_hands();
  BOOST_TEST(ends.server_told.times > 0);
  BOOST_TEST(read(*ends.server).text == "with the last of it");
}

BOOST_DATA_TEST_CASE(a_stage_drives_it_step_by_step, data::make(versions), version) {
  TlsEnds ends(version);
  auto [first, second] = MemoryTransport::pair(ends.loop, ends.loop);
  ends.client = ends.over(std::move(first), ends.client_context.session());
  ends.server = make_server(ends, std::move(second), {}, ends.server_context.session(), Driven::by_stage);
  TransportNews told;
  ends.server->observe(&told);
  int steps = 0;
  for (Step step = Step::waits; step != Step::done; ++steps) {
    const int before = told.times;
    BOOST_REQUIRE(steps < 20);
    if (steps > 0) BOOST_REQUIRE(drive_until(ends.context, [&] { return told.times > before; }));
    BOOST_CHECK(ends.server->progress() == Progress::handshaking);
    step = ends.server->handshake_step();
    BOOST_REQUIRE(step != Step::failed);
  }
  BOOST_TEST(steps > 1);
  BOOST_TEST(told.reached.empty());  // the stage knows it
  ends.shake_hands();
  BOOST_TEST(write(*ends.client, "hello").bytes == 5U);
  BOOST_TEST(read(*ends.server).text == "hello");
}

BOOST_DATA_TEST_CASE(it_waits_for_an_answer, data::make(versions) * data::make({false, true}), version, refused) {
  TlsEnds ends(version);
  auto [first, second] = MemoryTransport::pair(ends.loop, ends.loop);
  ends.client = ends.over(std::move(first), ends.client_context.session());
  auto session = ends.server_context.session();
  TlsSession& program = *session;
  program.wait_for_answer();
  ends.server = make_server(ends, std::move(second), {}, std::move(session));
  TransportNews told;
  ends.server->observe(&told);
  drive_ready(ends.context);
  BOOST_CHECK(ends.server->progress() == Progress::handshaking);
  BOOST_CHECK(ends.client->progress() == Progress::handshaking);
  BOOST_TEST(told.times == 0);
  BOOST_TEST(read(*ends.server).bytes == 0U);
  program.answer(refused ? tls::Explained{Errc::closed, "not today"} : tls::Explained{});
  if (!refused) return ends.shake_hands();
  BOOST_REQUIRE(drive_until(ends.context, [&] { return told.times > 0; }));
  BOOST_TEST(read(*ends.server).error == make_error_code(Errc::closed));
  BOOST_TEST(ends.server->failure().operation == std::string("handshake"));
  BOOST_TEST(ends.server->failure().detail == "not today");
  BOOST_TEST(told.reached.empty());
}

BOOST_DATA_TEST_CASE(destroyed_while_it_waits_for_an_answer, data::make(versions), version) {
  TlsEnds ends(version);
  auto [first, second] = MemoryTransport::pair(ends.loop, ends.loop);
  ends.client = ends.over(std::move(first), ends.client_context.session());
  auto session = ends.server_context.session();
  session->wait_for_answer();
  auto server = make_server(ends, std::move(second), {}, std::move(session));
  drive_ready(ends.context);
  server.reset();
  drive_ready(ends.context);
  BOOST_TEST(read(*ends.client).error.failed());
  BOOST_TEST(ends.client->failure().operation == std::string("handshake"));
}

BOOST_AUTO_TEST_CASE(a_ticket_goes_with_the_first_bytes_and_not_before) {
  TlsEnds ends(TLS1_3_VERSION);
  count_tickets(ends.client_context);
  auto [first, second] = MemoryTransport::pair(ends.loop, ends.loop);
  const MemoryTransport* const lower = second.get();
  ends.client = ends.over(std::move(first), ends.client_context.session());
  ends.server = ends.over(std::move(second), ends.server_context.session());
  ends.shake_hands();
  const std::uint64_t before = lower->sent();
  BOOST_CHECK(ends.client->peek_end().waiting == Waiting::nothing);
  BOOST_TEST(tickets == 0);
  BOOST_TEST(write(*ends.server, "first").bytes == 5U);
  BOOST_CHECK(ends.client->peek_end().waiting == Waiting::data);  // processed although nobody reads
  BOOST_TEST(tickets == 1);
  BOOST_TEST(lower->sent() > before);
  write(*ends.server, "second");
  BOOST_TEST(read(*ends.client).text == "firstsecond");
  BOOST_TEST(tickets == 1);
}

/// What a server sends by itself would meet a socket that is closed, and the reset would destroy what is on its way.
BOOST_DATA_TEST_CASE(a_client_that_only_writes_loses_nothing, data::make(versions), version) {
  for (int round = 0; round < 10; ++round) {
    TlsEnds ends(version);
    const auto [first, second] = tcp_pair();
    using transport::DescriptorTransport;
    auto ours = std::make_unique<DescriptorTransport>(ends.loop, first, DescriptorTransport::Kind::tcp);
    auto theirs = std::make_unique<DescriptorTransport>(ends.loop, second, DescriptorTransport::Kind::tcp);
    BOOST_REQUIRE(!ours->start());
    BOOST_REQUIRE(!theirs->start());
    ends.client = ends.over(std::move(ours), ends.client_context.session());
    ends.server = ends.over(std::move(theirs), ends.server_context.session());
    ends.shake_hands();
    auto client = std::make_unique<TransportUser>(ends.loop, *ends.client, seed());
    TransportUser server(ends.loop, *ends.server, seed() + 1);
    client->pause();
    const auto sent = random_bytes(1'000'000, seed() + 2);
    client->send(sent, true);
    BOOST_REQUIRE(drive_until(ends.context, [&] { return client->output_over() && client->all_sent(); }));
    client.reset();
    ends.client.reset();
    BOOST_REQUIRE(drive_until(ends.context, [&] { return server.input_over(); }));
    BOOST_TEST(!server.read_error());
    BOOST_TEST((server.received() == sent));
  }
}

BOOST_DATA_TEST_CASE(each_allocation_of_a_handshake_may_fail, data::make(versions), version) {
  std::size_t fulfilled = 0;
  const std::size_t failed = fail_each_allocation([&](AllocationFault& fault) {
    TlsEnds ends(version);
    if (!fault.survives([&] { drive_ready(ends.context); })) drive_ready(ends.context);
    const error_code no_memory = detail::out_of_memory();
    if (ends.secure()) {
      ++fulfilled;
      BOOST_TEST(write(*ends.client, "hello").bytes == 5U);
      BOOST_TEST(read(*ends.server).text == "hello");
      return;
    }
    const error_code client = read(*ends.client).error;
    const error_code server = read(*ends.server).error;
    BOOST_TEST((client == no_memory || server == no_memory));
    BOOST_TEST(ERR_peek_error() == 0U);
  });
  BOOST_TEST(failed > 0U);
  BOOST_TEST(fulfilled > 0U);
}

BOOST_DATA_TEST_CASE(each_allocation_of_making_one_may_fail, data::make(versions), version) {
  const std::size_t failed = fail_each_allocation([&](AllocationFault& fault) {
    TlsEnds ends(version);
    std::unique_ptr<transport::Transport> lower = std::move(MemoryTransport::pair(ends.loop, ends.loop).first);
    std::unique_ptr<tls::Session> session = ends.client_context.session();
    std::unique_ptr<tls::Transport> made;
    fault.survives([&] {
      made = std::make_unique<tls::Transport>(ends.loop, std::move(lower), std::string(100, 'x'), std::move(session));
    });
  });
  BOOST_TEST(failed > 0U);
}

BOOST_DATA_TEST_CASE(each_allocation_of_a_read_may_fail_and_takes_no_byte, data::make(versions), version) {
  fail_each_allocation([&](AllocationFault& fault) {
    TlsEnds ends(version);
    ends.shake_hands();
    write(*ends.client, "hello");
    std::array<char, 16> memory;
    std::optional<transport::Result> result;
    fault.insist([&] { result = ends.server->try_read(std::as_writable_bytes(std::span(memory))); });
    BOOST_REQUIRE(result->bytes == 5U);
    BOOST_TEST(std::string_view(memory.data(), 5) == "hello");
  });
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
