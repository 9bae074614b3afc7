#include "tls/transport.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <openssl/err.h>

#include <boost/asio/io_context.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "support/allocation_fault.hpp"
#include "support/drive.hpp"
#include "support/seed.hpp"
#include "support/socket_pair.hpp"
#include "support/tls_ends.hpp"
#include "support/transport_user.hpp"
#include "transport/descriptor_transport.hpp"
#include "transport/memory_transport.hpp"
#include "transport/native.hpp"

namespace libnet::test {

using tls::Role;
using transport::MemoryTransport;
using transport::Progress;
using transport::Result;
using transport::Status;
using transport::system_error;
using transport::Waiting;

namespace tls_transport_parts {

namespace data = boost::unit_test::data;

const std::array versions{TLS1_2_VERSION, TLS1_3_VERSION};

}  // namespace tls_transport_parts

using namespace tls_transport_parts;

BOOST_AUTO_TEST_SUITE(tls_transport)

BOOST_DATA_TEST_CASE(shakes_hands_by_itself_and_tells_once, data::make(versions), version) {
  TlsEnds ends(version);
  BOOST_CHECK(ends.client->progress() == Progress::handshaking);
  BOOST_TEST(write(*ends.client, "early").bytes == 0U);
  ends.shake_hands();
  BOOST_REQUIRE(ends.client_told.reached.size() == 1U);
  BOOST_REQUIRE(ends.server_told.reached.size() == 1U);
  BOOST_TEST(write(*ends.client, "hello").bytes == 5U);
  BOOST_TEST(ends.client->sent() == 5U);
  BOOST_TEST(read(*ends.server).text == "hello");
  BOOST_CHECK(read(*ends.server).status == Status::would_block);
  BOOST_TEST(!ends.server->ready_to_read());
  BOOST_TEST(ERR_peek_error() == 0U);
}

BOOST_DATA_TEST_CASE(close_notify_is_the_end_and_the_other_side_goes_on, data::make(versions), version) {
  TlsEnds ends(version);
  ends.shake_hands();
  BOOST_TEST(!ends.client->shutdown_write());
  BOOST_CHECK(read(*ends.server).status == Status::end);
  BOOST_TEST(write(*ends.server, "still here").bytes == 10U);
  BOOST_TEST(read(*ends.client).text == "still here");
  BOOST_TEST(write(*ends.client, "late").error == system_error(EPIPE));
}

BOOST_DATA_TEST_CASE(an_end_without_close_notify_is_a_truncation, data::make(versions), version) {
  TlsEnds ends(version);
  ends.shake_hands();
  write(*ends.client, "hello");
  ends.client->close();
  BOOST_TEST(read(*ends.server).text == "hello");
  BOOST_TEST(read(*ends.server).error == make_error_code(Errc::tls_truncated));
  BOOST_CHECK(ends.server->peek_end().waiting == Waiting::error);
}

BOOST_DATA_TEST_CASE(a_truncation_can_be_allowed, data::make(versions), version) {
  TlsEnds ends(version, MemoryTransport::default_capacity, {.allow_truncation = true});
  ends.shake_hands();
  BOOST_TEST(!ends.client_lower->shutdown_write());
  BOOST_CHECK(read(*ends.server).status == Status::end);
  BOOST_TEST(write(*ends.server, "answer").bytes == 6U);
  BOOST_TEST(read(*ends.client).text == "answer");
}

BOOST_DATA_TEST_CASE(moves_megabytes_both_ways, data::make(versions) * data::make({64U, 5000U, 65536U}), version,
                     capacity) {
  TlsEnds ends(version, capacity);
  ends.shake_hands();
  TransportUser ours(ends.loop, *ends.client, seed());
  TransportUser theirs(ends.loop, *ends.server, seed() + 1);
  ours.limit_pieces(40'000);
  const auto there = random_bytes(2'000'000, seed() + 2);
  const auto back = random_bytes(1'500'000, seed() + 3);
  ours.send(there, true);
  theirs.send(back, true);
  BOOST_TEST(drive_until(ends.context, [&] { return ours.ended_well() && theirs.ended_well(); }));
  BOOST_TEST((theirs.received() == there));
  BOOST_TEST((ours.received() == back));
  BOOST_TEST(ends.client->sent() == there.size());
  BOOST_TEST(ends.server->sent() == back.size());
}

BOOST_DATA_TEST_CASE(shakes_hands_and_moves_bytes_one_at_a_time, data::make(versions), version) {
  TlsEnds ends(version, 7);
  ends.client_lower->shape().limit_reads(1);
  ends.server_lower->shape().limit_writes(1);
  ends.shake_hands();
  TransportUser ours(ends.loop, *ends.client, seed());
  TransportUser theirs(ends.loop, *ends.server, seed() + 1);
  const auto there = random_bytes(50'000, seed() + 2);
  ours.send(there, true);
  theirs.send({}, true);
  BOOST_TEST(drive_until(ends.context, [&] { return ours.ended_well() && theirs.ended_well(); }));
  BOOST_TEST((theirs.received() == there));
}

BOOST_DATA_TEST_CASE(moves_megabytes_over_tcp, data::make(versions), version) {
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
  TransportUser our_user(ends.loop, *ends.client, seed());
  TransportUser their_user(ends.loop, *ends.server, seed() + 1);
  const auto there = random_bytes(3'000'000, seed() + 2);
  const auto back = random_bytes(2'000'000, seed() + 3);
  our_user.send(there, true);
  their_user.send(back, true);
  BOOST_TEST(drive_until(ends.context, [&] { return our_user.ended_well() && their_user.ended_well(); }));
  BOOST_TEST((their_user.received() == there));
  BOOST_TEST((our_user.received() == back));
}

BOOST_DATA_TEST_CASE(sent_counts_records_that_have_wholly_left, data::make(versions), version) {
  TlsEnds ends(version);
  ends.shake_hands();
  write(*ends.server, "ticket first");
  ends.client_lower->shape().limit_writes(10);
  ends.client_lower->shape().hold_writable();
  BOOST_TEST(write(*ends.client, "hello").bytes == 5U);
  BOOST_TEST(ends.client->sent() == 0U);
  BOOST_TEST(ends.client->unsent() > 5U);
  ends.client_lower->shape().release_writable();
  BOOST_CHECK(ends.client->flush().status == Status::more);
  BOOST_TEST(ends.client->sent() == 5U);
  BOOST_TEST(ends.client->unsent() == 0U);
}

BOOST_DATA_TEST_CASE(takes_no_more_than_the_block_may_hold, data::make(versions), version) {
  TlsEnds ends(version);
  ends.shake_hands();
  ends.client_lower->shape().hold_writable();
  const std::string much(1'000'000, 'x');
  const Result taken = write(*ends.client, much);
  BOOST_TEST(taken.bytes >= tls::Transport::most_held);
  BOOST_TEST(taken.bytes <= tls::Transport::most_held + 16 * 1024);
  BOOST_TEST(write(*ends.client, much).bytes == 0U);
  BOOST_TEST(!ends.client->ready_to_write());
}

BOOST_AUTO_TEST_CASE(a_key_update_is_answered_although_nobody_reads) {
  TlsEnds ends(TLS1_3_VERSION);
  ends.shake_hands();
  auto session = static_cast<const tls::Session*>(ends.server->security());
  BOOST_REQUIRE(SSL_key_update(session->ssl(), SSL_KEY_UPDATE_REQUESTED) == 1);
  BOOST_TEST(write(*ends.server, "new key").bytes == 7U);
  BOOST_CHECK(ends.client->peek_end().waiting == Waiting::data);
  BOOST_CHECK(ends.client->flush().status == Status::more);
  BOOST_TEST(ends.client->unsent() == 0U);
  BOOST_TEST(read(*ends.client).text == "new key");
  BOOST_TEST(write(*ends.client, "answer").bytes == 6U);
  BOOST_TEST(read(*ends.server).text == "answer");
}

BOOST_AUTO_TEST_CASE(our_key_is_renewed_before_its_limit) {
  TlsEnds ends(TLS1_3_VERSION);
  ends.shake_hands();
  ends.client->limit_records_per_key(3);
  for (int record = 0; record < 20; ++record) {
    BOOST_TEST(write(*ends.client, "x").bytes == 1U);
    BOOST_TEST(read(*ends.server).text == "x");
  }
}

BOOST_AUTO_TEST_CASE(too_many_records_without_data_fail_the_connection) {
  TlsEnds ends(TLS1_3_VERSION);
  ends.shake_hands();
  ends.server->limit_records_per_key(0);
  auto session = static_cast<const tls::Session*>(ends.server->security());
  for (int update = 0; update < 40; ++update) {
    SSL_key_update(session->ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(session->ssl());
  }
  ends.server->flush();
  BOOST_TEST(read(*ends.client).error == make_error_code(Errc::tls_protocol));
}

BOOST_DATA_TEST_CASE(garbage_fails_the_handshake, data::make(versions), version) {
  TlsEnds ends(version);
  ends.client->observe(nullptr);
  auto [first, second] = MemoryTransport::pair(ends.loop, ends.loop);
  auto server = ends.over(std::move(first), ends.server_context.session());
  TransportNews told;
  server->observe(&told);
  write(*second, "GET / HTTP/1.1\r\n\r\n");
  BOOST_TEST(drive_until(ends.context, [&] { return told.times > 0; }));
  BOOST_TEST(read(*server).error.failed());
  BOOST_TEST(server->failure().operation == std::string("handshake"));
  BOOST_TEST(told.reached.empty());
}

BOOST_AUTO_TEST_CASE(an_alert_comes_before_the_error_of_a_failed_write) {
  TlsEnds ends(TLS1_3_VERSION);
  SSL_CTX_set_verify(ends.server_context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  auto [first, second] = MemoryTransport::pair(ends.loop, ends.loop);
  auto& shape = first->shape();
  auto client = ends.over(std::move(first), ends.client_context.session());
  auto server = ends.over(std::move(second), ends.server_context.session());
  TransportNews told;
  client->observe(&told);
  drive_ready(ends.context);
  BOOST_REQUIRE(client->progress() == Progress::secure);
  BOOST_TEST(read(*server).error == make_error_code(Errc::tls_protocol));
  shape.fail_write(1, system_error(EPIPE));
  write(*client, "too late");
  BOOST_TEST(shape.write_faults() == 1U);
  BOOST_TEST(write(*client, "again").error == make_error_code(Errc::tls_protocol));
  BOOST_TEST(client->failure().detail.find("certificate required") != std::string::npos);
  BOOST_TEST(read(*client).error == make_error_code(Errc::tls_protocol));
}

BOOST_AUTO_TEST_CASE(lies_on_another_tls_transport) {
  TlsEnds ends(TLS1_3_VERSION, 5000);
  ends.shake_hands();
  const auto over = [&](std::unique_ptr<tls::Transport> lower, const TlsContext& by) {
    return ends.over(std::move(lower), by.session());
  };
  auto client = over(std::move(ends.client), ends.client_context);
  auto server = over(std::move(ends.server), ends.server_context);
  TransportUser ours(ends.loop, *client, seed());
  TransportUser theirs(ends.loop, *server, seed() + 1);
  const auto there = random_bytes(200'000, seed() + 2);
  const auto back = random_bytes(300'000, seed() + 3);
  ours.send(there, true);
  theirs.send(back, true);
  BOOST_TEST(drive_until(ends.context, [&] { return ours.ended_well() && theirs.ended_well(); }));
  BOOST_TEST((theirs.received() == there));
  BOOST_TEST((ours.received() == back));
}

BOOST_DATA_TEST_CASE(an_end_during_the_handshake_has_its_own_code, data::make(versions), version) {
  TlsEnds ends(version);
  ends.server->close();
  BOOST_TEST(drive_until(ends.context, [&] { return ends.client_told.times > 0; }));
  const error_code error = read(*ends.client).error;
  BOOST_TEST(
      (error == Errc::tls_handshake_closed || error == system_error(EPIPE) || error == system_error(ECONNRESET)));
}

BOOST_DATA_TEST_CASE(every_failing_call_below_comes_out_as_an_error, data::make(versions), version) {
  for (const bool reading : {true, false}) {
    bool fired = true;
    for (std::size_t nth = 1; fired; ++nth) {
      BOOST_REQUIRE(nth < 500U);
      TlsEnds ends(version, 500);
      auto& shape = ends.client_lower->shape();
      reading ? shape.fail_read(nth, system_error(EIO)) : shape.fail_write(nth, system_error(EIO));
      TransportUser ours(ends.loop, *ends.client, seed() + nth);
      TransportUser theirs(ends.loop, *ends.server, seed() + nth + 1);
      ours.send(random_bytes(3000, 1), true);
      const auto payload = random_bytes(3000, 2);
      theirs.send(payload, true);
      const auto has_fired = [&] { return shape.read_faults() + shape.write_faults() > 0; };
      const auto over = [&] { return ours.input_over() || ours.output_over(); };
      BOOST_REQUIRE(drive_until(ends.context, [&] { return over() && (has_fired() || ours.ended_well()); }));
      fired = has_fired();
      if (!fired || ours.ended_well()) continue;
      ends.server->close();
      BOOST_REQUIRE(drive_until(ends.context, [&] { return ours.input_over(); }));
      BOOST_TEST(ours.read_error() == system_error(EIO));
      BOOST_TEST((std::equal(ours.received().begin(), ours.received().end(), payload.begin())));
    }
  }
}

BOOST_DATA_TEST_CASE(destroyed_at_every_step_of_the_handshake, data::make(versions), version) {
  bool finished = false;
  for (int steps = 0; !finished; ++steps) {
    BOOST_REQUIRE(steps < 200);
    TlsEnds ends(version);
    ends.context.restart();
    for (int step = 0; step < steps; ++step) ends.context.poll_one();
    finished = ends.secure();
    ends.client.reset();
    drive_ready(ends.context);
    const TextResult rest = read(*ends.server);
    BOOST_CHECK(rest.status == Status::error);
    if (ends.server->progress() == Progress::secure) BOOST_TEST(rest.error == make_error_code(Errc::tls_truncated));
  }
}

BOOST_DATA_TEST_CASE(an_allocation_that_fails_in_a_write_takes_nothing, data::make(versions), version) {
  const std::size_t failed = fail_each_allocation([&](AllocationFault& fault) {
    TlsEnds ends(version);
    ends.shake_hands();
    fault.insist([&] { write(*ends.client, "hello"); });
    BOOST_TEST(read(*ends.server).text == "hello");
    BOOST_TEST(ends.client->sent() == 5U);
  });
  BOOST_TEST(failed > 0U);
}

BOOST_DATA_TEST_CASE(dynamic_records_are_small_at_first_and_after_a_silence, data::make(versions), version) {
  TlsEnds ends(version, 1'000'000, {.record_size = tls::RecordSize::dynamic});
  ends.loop->use_manual_clock();
  ends.shake_hands();
  const std::string phase(tls::RecordLimit::small_phase, 'x');
  const auto encoded_of = [&](std::string_view text) {
    const std::uint64_t before = ends.client_lower->sent();
    while (!text.empty()) {
      const Result result = write(*ends.client, text);
      text.remove_prefix(result.bytes);
    }
    const std::uint64_t encoded = ends.client_lower->sent() - before;
    while (read(*ends.server, 200'000).bytes > 0) {
    }
    return encoded;
  };
  const std::uint64_t small = encoded_of(phase);
  const std::uint64_t full = encoded_of(phase);
  BOOST_TEST(small > full + 1500U);
  ends.loop->advance(std::chrono::seconds(1));
  drive_ready(ends.context);
  BOOST_TEST(encoded_of(phase) == small);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
