#include "transport/descriptor_transport.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <climits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/test/unit_test.hpp>

#include "support/drive.hpp"
#include "support/seed.hpp"
#include "support/socket_pair.hpp"
#include "support/transport_user.hpp"
#include "transport/native.hpp"

namespace libnet::test {

using transport::DescriptorTransport;
using transport::Peek;
using transport::Result;
using transport::Status;
using transport::system_error;
using transport::Waiting;
using Kind = DescriptorTransport::Kind;

namespace {

static_assert(sizeof(DescriptorTransport) <= 144, "every connection pays for it");

class Told final : public transport::Transport::Observer {
 public:
  void on_transport_ready() override { ++times; }
  int times = 0;
};

iovec piece(std::string_view text) { return {const_cast<char*>(text.data()), text.size()}; }

/// Two connected transports on one loop.
template <ReactorKind reactor, Kind socket>
struct Connected {
  static constexpr ReactorKind reactor_kind = reactor;
  static constexpr Kind socket_kind = socket;

  Connected() {
    use_reactor(*context, reactor);
    loop = reactor::Loop::of(context->get_executor());
    const auto [first, second] = socket == Kind::tcp ? tcp_pair() : unix_pair();
    ours = std::make_unique<DescriptorTransport>(loop, first, socket);
    theirs = std::make_unique<DescriptorTransport>(loop, second, socket);
    BOOST_REQUIRE(!ours->start());
    BOOST_REQUIRE(!theirs->start());
  }

  static Result write(DescriptorTransport& to, std::string_view text) {
    const iovec only = piece(text);
    return to.try_write({&only, 1});
  }

  static Result read(DescriptorTransport& from, std::size_t most = 100) {
    std::vector<std::byte> buffer(most);
    return from.try_read(buffer);
  }

  /// Waits as a socket would: asks, and is told.
  bool wait_readable(DescriptorTransport& transport) {
    return drive_until(*context, [&] { return transport.ready_to_read(); });
  }
  bool wait_writable(DescriptorTransport& transport) {
    return drive_until(*context, [&] { return transport.ready_to_write(); });
  }

  /// Reads until the end or an error.
  Result read_to_the_end(DescriptorTransport& from, std::string& into) {
    for (;;) {
      if (!wait_readable(from)) return {0, Status::would_block, {}};
      std::array<std::byte, 1000> buffer;
      const Result result = from.try_read(buffer);
      into.append(reinterpret_cast<const char*>(buffer.data()), result.bytes);
      if (result.status == Status::end || result.status == Status::error) return result;
    }
  }

  std::unique_ptr<boost::asio::io_context> context = std::make_unique<boost::asio::io_context>(1);
  std::shared_ptr<reactor::Loop> loop;
  std::unique_ptr<DescriptorTransport> ours;
  std::unique_ptr<DescriptorTransport> theirs;
};

using EpollTcp = Connected<ReactorKind::epoll, Kind::tcp>;
using EpollUnix = Connected<ReactorKind::epoll, Kind::unix_stream>;
using PortableTcp = Connected<ReactorKind::portable, Kind::tcp>;
using PortableUnix = Connected<ReactorKind::portable, Kind::unix_stream>;

using All = std::tuple<EpollTcp, EpollUnix, PortableTcp, PortableUnix>;
using Tcp = std::tuple<EpollTcp, PortableTcp>;
using Unix = std::tuple<EpollUnix, PortableUnix>;

}  // namespace

BOOST_AUTO_TEST_SUITE(descriptor_transport)

BOOST_AUTO_TEST_CASE_TEMPLATE(is_ready_until_a_call_finds_out, Sockets, All) {
  Sockets sockets;
  BOOST_TEST(sockets.ours->ready_to_read());
  BOOST_TEST(sockets.ours->ready_to_write());
  const Result result = sockets.read(*sockets.ours);
  BOOST_TEST(result.bytes == 0U);
  BOOST_CHECK(result.status == Status::would_block);
  BOOST_TEST(!result.error);
  BOOST_TEST(!sockets.ours->ready_to_read());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(tells_when_bytes_arrive, Sockets, All) {
  Sockets sockets;
  sockets.read(*sockets.ours);
  BOOST_TEST(!sockets.ours->ready_to_read());
  drive_ready(*sockets.context);
  Told told;
  sockets.ours->observe(&told);
  BOOST_TEST(!sockets.ours->ready_to_read());
  BOOST_TEST(sockets.write(*sockets.theirs, "hello").bytes == 5U);
  BOOST_TEST(told.times == 0);
  BOOST_TEST(drive_until(*sockets.context, [&] { return told.times > 0; }));
  BOOST_TEST(sockets.ours->ready_to_read());
  BOOST_TEST(sockets.read(*sockets.ours).bytes == 5U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(no_observer_is_told_after_it_was_taken_away, Sockets, All) {
  Sockets sockets;
  Told told;
  sockets.read(*sockets.ours);
  sockets.ours->observe(&told);
  BOOST_TEST(!sockets.ours->ready_to_read());
  sockets.ours->observe(nullptr);
  sockets.write(*sockets.theirs, "hello");
  BOOST_TEST(sockets.wait_readable(*sockets.ours));
  BOOST_TEST(told.times == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_short_read_tells_whether_all_was_read, Sockets, All) {
  Sockets sockets;
  sockets.write(*sockets.theirs, "hello");
  BOOST_REQUIRE(sockets.wait_readable(*sockets.ours));
  const Result first = sockets.read(*sockets.ours);
  BOOST_TEST(first.bytes == 5U);
  const bool must_read_on = Sockets::reactor_kind == ReactorKind::epoll && Sockets::socket_kind == Kind::unix_stream;
  BOOST_CHECK(first.status == (must_read_on ? Status::more : Status::would_block));
  BOOST_TEST(sockets.ours->ready_to_read() == must_read_on);
  if (!must_read_on) return;
  BOOST_CHECK(sockets.read(*sockets.ours).status == Status::would_block);
  BOOST_TEST(!sockets.ours->ready_to_read());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_full_buffer_means_more, Sockets, All) {
  Sockets sockets;
  sockets.write(*sockets.theirs, "hello");
  BOOST_REQUIRE(sockets.wait_readable(*sockets.ours));
  const Result full = sockets.read(*sockets.ours, 5);
  BOOST_TEST(full.bytes == 5U);
  BOOST_CHECK(full.status == Status::more);
  BOOST_TEST(sockets.ours->ready_to_read());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(the_end_follows_the_bytes_and_stays, Sockets, All) {
  Sockets sockets;
  sockets.write(*sockets.theirs, "hello");
  BOOST_TEST(!sockets.theirs->shutdown_write());
  std::string text;
  BOOST_CHECK(sockets.read_to_the_end(*sockets.ours, text).status == Status::end);
  BOOST_TEST(text == "hello");
  BOOST_TEST(sockets.ours->ready_to_read());
  BOOST_CHECK(sockets.read(*sockets.ours).status == Status::end);
  BOOST_CHECK(sockets.ours->peek_end().waiting == Waiting::end);
  BOOST_TEST(sockets.write(*sockets.ours, "still writable").bytes == 14U);
}

BOOST_AUTO_TEST_CASE(an_end_in_the_same_event_as_the_bytes_is_read_at_once) {
  EpollTcp sockets;
  sockets.read(*sockets.ours);
  sockets.write(*sockets.theirs, "hello");
  BOOST_TEST(!sockets.theirs->shutdown_write());
  BOOST_REQUIRE(sockets.wait_readable(*sockets.ours));
  BOOST_CHECK(sockets.read(*sockets.ours).status == Status::more);  // no edge would follow
  BOOST_CHECK(sockets.read(*sockets.ours).status == Status::end);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(urgent_data_does_not_stop_the_stream, Sockets, Tcp) {
  Sockets sockets;
  drive_ready(*sockets.context);
  sockets.read(*sockets.ours);
  const int peer = sockets.theirs->native_handle();
  BOOST_TEST(::send(peer, "ab", 2, MSG_NOSIGNAL) == 2);
  BOOST_TEST(::send(peer, "!", 1, MSG_OOB | MSG_NOSIGNAL) == 1);
  BOOST_TEST(::send(peer, "cd", 2, MSG_NOSIGNAL) == 2);
  std::string text;
  BOOST_TEST(drive_until(*sockets.context, [&] {
    while (sockets.ours->ready_to_read()) {
      std::array<std::byte, 100> buffer;
      text.append(reinterpret_cast<const char*>(buffer.data()), sockets.ours->try_read(buffer).bytes);
    }
    return text == "abcd";
  }));
  sockets.write(*sockets.theirs, "ef");
  BOOST_REQUIRE(sockets.wait_readable(*sockets.ours));
  BOOST_CHECK(sockets.read(*sockets.ours).status == Status::would_block);  // urgency is over
}

BOOST_AUTO_TEST_CASE_TEMPLATE(ancillary_data_does_not_stop_the_stream, Sockets, Unix) {
  Sockets sockets;
  drive_ready(*sockets.context);
  sockets.read(*sockets.ours);
  for (const std::string_view text : {"ab", "cd", "ef"}) {
    iovec data = piece(text);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    if (text == "cd") {  // the kernel does not join bytes across a passed descriptor
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(sizeof(int));
      *reinterpret_cast<int*>(CMSG_DATA(header)) = STDIN_FILENO;
    }
    BOOST_TEST(::sendmsg(sockets.theirs->native_handle(), &message, MSG_NOSIGNAL) == 2);
  }
  TransportUser user(sockets.loop, *sockets.ours, seed());
  BOOST_TEST(drive_until(*sockets.context, [&] { return user.received().size() == 6; }));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(bytes_come_before_a_reset_which_stays_an_error, Sockets, Tcp) {
  Sockets sockets;
  sockets.write(*sockets.theirs, "hello");
  BOOST_TEST(sockets.theirs->can_reset());
  sockets.theirs->reset();
  BOOST_CHECK(sockets.ours->peek_end().waiting == Waiting::data);
  std::string text;
  const Result result = sockets.read_to_the_end(*sockets.ours, text);
  BOOST_TEST(text == "hello");
  BOOST_CHECK(result.status == Status::error);
  BOOST_TEST(result.error == system_error(ECONNRESET));
  const Result again = sockets.read(*sockets.ours);
  BOOST_CHECK(again.status == Status::error);
  BOOST_TEST(again.error == system_error(ECONNRESET));
  const Peek peek = sockets.ours->peek_end();
  BOOST_CHECK(peek.waiting == Waiting::error);
  BOOST_TEST(peek.error == system_error(ECONNRESET));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closing_with_unread_input_resets_the_peer, Sockets, All) {
  Sockets sockets;
  sockets.write(*sockets.ours, "nobody reads this");
  sockets.theirs->close();
  std::string text;
  const Result result = sockets.read_to_the_end(*sockets.ours, text);
  BOOST_CHECK(result.status == Status::error);
  BOOST_TEST(result.error == system_error(ECONNRESET));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_error_found_by_peeking_is_remembered, Sockets, Tcp) {
  Sockets sockets;
  sockets.theirs->reset();
  const Peek peek = sockets.ours->peek_end();
  BOOST_CHECK(peek.waiting == Waiting::error);
  BOOST_TEST(peek.error == system_error(ECONNRESET));
  BOOST_TEST(sockets.ours->ready_to_read());
  const Result result = sockets.read(*sockets.ours);
  BOOST_CHECK(result.status == Status::error);
  BOOST_TEST(result.error == system_error(ECONNRESET));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_error_found_by_writing_is_remembered, Sockets, All) {
  Sockets sockets;
  sockets.theirs->close();
  Result written;
  BOOST_TEST(drive_until(*sockets.context, [&] {  // the first write may still succeed
    written = sockets.write(*sockets.ours, "x");
    return written.status == Status::error;
  }));
  BOOST_TEST(written.error == system_error(EPIPE));
  BOOST_TEST(written.bytes == 0U);
  std::string text;
  const Result result = sockets.read_to_the_end(*sockets.ours, text);
  BOOST_CHECK(result.status == Status::error);
  BOOST_TEST(result.error == system_error(EPIPE));
  BOOST_CHECK(sockets.ours->peek_end().waiting == Waiting::error);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_write_after_a_reset_tells_the_reset, Sockets, Tcp) {
  Sockets sockets;
  sockets.theirs->reset();
  BOOST_TEST(sockets.write(*sockets.ours, "x").error == system_error(ECONNRESET));
  BOOST_TEST(sockets.write(*sockets.ours, "x").error == system_error(ECONNRESET));  // the kernel says EPIPE
  BOOST_TEST(sockets.read(*sockets.ours).error == system_error(ECONNRESET));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shutting_down_after_a_reset_tells_the_reset, Sockets, Tcp) {
  Sockets sockets;
  sockets.theirs->reset();
  BOOST_TEST(sockets.ours->shutdown_write() == system_error(ECONNRESET));
  BOOST_TEST(sockets.ours->shutdown_write() == system_error(ECONNRESET));
  BOOST_TEST(sockets.read(*sockets.ours).error == system_error(ECONNRESET));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(shutting_down_once_more_after_both_ends_spoils_nothing, Sockets, Tcp) {
  Sockets sockets;
  BOOST_TEST(!sockets.theirs->shutdown_write());
  BOOST_TEST(!sockets.ours->shutdown_write());
  BOOST_TEST(drive_until(*sockets.context, [&] { return sockets.ours->shutdown_write().failed(); }));
  BOOST_CHECK(sockets.read(*sockets.ours).status == Status::end);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_partial_write_blocks_until_there_is_room, Sockets, All) {
  Sockets sockets;
  const std::string payload(1 << 20, 'x');
  std::size_t written = 0;
  Result result;
  do {
    result = sockets.write(*sockets.ours, payload);
    written += result.bytes;
    BOOST_REQUIRE(result.status != Status::error);
  } while (result.status == Status::more);
  BOOST_CHECK(result.status == Status::would_block);
  BOOST_TEST(result.bytes < payload.size());
  BOOST_TEST(!sockets.ours->ready_to_write());
  drive_ready(*sockets.context);
  if (sockets.ours->ready_to_write()) {  // the edge of attaching, found out to be over
    const Result more = sockets.write(*sockets.ours, payload);
    written += more.bytes;
    BOOST_CHECK(more.status == Status::would_block);
  }
  Told told;
  sockets.ours->observe(&told);
  BOOST_TEST(!sockets.ours->ready_to_write());
  std::size_t received = 0;
  BOOST_TEST(drive_until(*sockets.context, [&] {
    while (sockets.theirs->ready_to_read()) received += sockets.read(*sockets.theirs, 65536).bytes;
    return received == written && told.times > 0 && sockets.ours->ready_to_write();
  }));
  BOOST_TEST(sockets.write(*sockets.ours, "x").bytes == 1U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(gathers_pieces_in_order, Sockets, All) {
  Sockets sockets;
  const std::array pieces{piece("one "), piece(""), piece("two "), piece("three")};
  const Result result = sockets.ours->try_write(pieces);
  BOOST_TEST(result.bytes == 13U);
  BOOST_CHECK(result.status == Status::more);
  BOOST_TEST(!sockets.ours->shutdown_write());
  std::string text;
  sockets.read_to_the_end(*sockets.theirs, text);
  BOOST_TEST(text == "one two three");
}

BOOST_AUTO_TEST_CASE_TEMPLATE(takes_what_the_system_takes_of_a_long_gather_list, Sockets, All) {
  Sockets sockets;
  const std::vector<iovec> pieces(IOV_MAX + 10, piece("x"));
  const Result result = sockets.ours->try_write(pieces);
  BOOST_TEST(result.bytes == static_cast<std::size_t>(IOV_MAX));
  BOOST_CHECK(result.status == Status::more);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(writing_nothing_is_possible, Sockets, All) {
  Sockets sockets;
  const Result result = sockets.ours->try_write({});
  BOOST_TEST(result.bytes == 0U);
  BOOST_CHECK(result.status == Status::more);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(peeking_takes_nothing, Sockets, All) {
  Sockets sockets;
  BOOST_CHECK(sockets.ours->peek_end().waiting == Waiting::nothing);
  BOOST_TEST(!sockets.ours->ready_to_read());
  sockets.write(*sockets.theirs, "hello");
  BOOST_REQUIRE(sockets.wait_readable(*sockets.ours));
  BOOST_CHECK(sockets.ours->peek_end().waiting == Waiting::data);
  BOOST_CHECK(sockets.ours->peek_end().waiting == Waiting::data);
  BOOST_TEST(sockets.read(*sockets.ours).bytes == 5U);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_idle_observer_sees_the_end_by_peeking, Sockets, All) {
  Sockets sockets;
  BOOST_CHECK(sockets.ours->peek_end().waiting == Waiting::nothing);
  sockets.theirs->close();
  BOOST_REQUIRE(sockets.wait_readable(*sockets.ours));
  BOOST_CHECK(sockets.ours->peek_end().waiting == Waiting::end);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closes_once_in_any_order, Sockets, All) {
  for (int order = 0; order < 4; ++order) {
    Sockets sockets;
    const int descriptor = sockets.ours->native_handle();
    if ((order & 1) != 0) sockets.theirs->close();
    sockets.ours->close();
    BOOST_TEST(sockets.ours->native_handle() == -1);
    const int reused = ::fcntl(STDERR_FILENO, F_DUPFD, descriptor);
    BOOST_TEST(reused == descriptor);  // the number became free
    if ((order & 2) != 0) sockets.ours->reset();
    sockets.ours->close();
    sockets.ours.reset();
    BOOST_TEST(::close(reused) == 0);  // nobody else closed it
    drive_ready(*sockets.context);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closing_stops_the_telling, Sockets, All) {
  Sockets sockets;
  Told told;
  sockets.read(*sockets.ours);
  sockets.ours->observe(&told);
  BOOST_TEST(!sockets.ours->ready_to_read());
  sockets.write(*sockets.theirs, "x");
  sockets.ours->close();
  drive_ready(*sockets.context);
  BOOST_TEST(told.times == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(outlives_its_context, Sockets, All) {
  Sockets sockets;
  sockets.read(*sockets.ours);
  BOOST_TEST(!sockets.ours->ready_to_read());
  drive_ready(*sockets.context);
  sockets.context.reset();
  BOOST_TEST(!sockets.loop->alive());
  sockets.ours->ready_to_read();
  sockets.write(*sockets.theirs, "hello");
  BOOST_TEST(sockets.read(*sockets.ours).bytes == 5U);
  sockets.ours->close();
  sockets.theirs->reset();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(cannot_start_without_its_context, Sockets, All) {
  Sockets sockets;
  sockets.context.reset();
  const auto [first, second] = unix_pair();
  DescriptorTransport late(sockets.loop, first, Kind::unix_stream);
  BOOST_TEST(late.start() == make_error_code(Errc::destroyed));
  late.close();
  ::close(second);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(keeps_the_addresses, Sockets, Tcp) {
  Sockets sockets;
  const auto local = sockets.ours->local_address();
  const auto remote = sockets.ours->remote_address();
  BOOST_REQUIRE((local && remote));
  BOOST_TEST(local->address() == "127.0.0.1");
  BOOST_TEST(*local == *sockets.theirs->remote_address());
  BOOST_TEST(*remote == *sockets.theirs->local_address());
  sockets.theirs->reset();
  sockets.read(*sockets.ours);
  BOOST_TEST(*sockets.ours->remote_address() == *remote);
  sockets.ours->close();
  BOOST_TEST(*sockets.ours->local_address() == *local);
  BOOST_TEST(*sockets.ours->remote_address() == *remote);
}

BOOST_AUTO_TEST_CASE(takes_the_peers_address_as_told) {
  EpollTcp sockets;
  for (const SocketAddress& told : {SocketAddress::ip("192.0.2.1", 80), SocketAddress::ip("2001:db8::1", 443)}) {
    const auto [first, second] = tcp_pair();
    DescriptorTransport transport(sockets.loop, first, Kind::tcp);
    BOOST_TEST(!transport.start(&told));
    BOOST_TEST(*transport.remote_address() == told);
    ::close(second);
  }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(unix_sockets_have_no_addresses, Sockets, Unix) {
  Sockets sockets;
  BOOST_TEST(!sockets.ours->local_address().has_value());
  BOOST_TEST(!sockets.ours->remote_address().has_value());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(resetting_a_unix_socket_closes_it, Sockets, Unix) {
  Sockets sockets;
  BOOST_TEST(!sockets.theirs->can_reset());
  sockets.theirs->reset();
  BOOST_TEST(sockets.theirs->native_handle() == -1);
  BOOST_CHECK(sockets.read(*sockets.ours).status == Status::end);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(options_reach_the_socket, Sockets, Tcp) {
  using namespace std::chrono_literals;
  Sockets sockets;
  const auto asked = [&](int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    ::getsockopt(sockets.ours->native_handle(), level, name, &value, &length);
    return value;
  };
  sockets.ours->set_no_delay(true);
  BOOST_TEST(asked(IPPROTO_TCP, TCP_NODELAY) == 1);
  sockets.ours->set_no_delay(false);
  BOOST_TEST(asked(IPPROTO_TCP, TCP_NODELAY) == 0);
  const int count = asked(IPPROTO_TCP, TCP_KEEPCNT);
  sockets.ours->set_keep_alive({.enable = true, .initial_delay = 7999ms, .interval = 5s, .count = 0});
  BOOST_TEST(asked(SOL_SOCKET, SO_KEEPALIVE) == 1);
  BOOST_TEST(asked(IPPROTO_TCP, TCP_KEEPIDLE) == 7);
  BOOST_TEST(asked(IPPROTO_TCP, TCP_KEEPINTVL) == 5);
  BOOST_TEST(asked(IPPROTO_TCP, TCP_KEEPCNT) == count);
  sockets.ours->set_keep_alive({.enable = true, .initial_delay = 999ms, .interval = -1s, .count = 3});
  BOOST_TEST(asked(IPPROTO_TCP, TCP_KEEPIDLE) == 7);
  BOOST_TEST(asked(IPPROTO_TCP, TCP_KEEPINTVL) == 5);
  BOOST_TEST(asked(IPPROTO_TCP, TCP_KEEPCNT) == 3);
  sockets.ours->set_keep_alive({.enable = false, .initial_delay = 20s});
  BOOST_TEST(asked(SOL_SOCKET, SO_KEEPALIVE) == 0);
  BOOST_TEST(asked(IPPROTO_TCP, TCP_KEEPIDLE) == 7);
  sockets.ours->set_type_of_service(0x10);
  BOOST_TEST(asked(IPPROTO_IP, IP_TOS) == 0x10);
  BOOST_TEST(sockets.ours->type_of_service().value() == 0x10);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(options_that_a_unix_socket_does_not_have_are_ignored, Sockets, Unix) {
  Sockets sockets;
  sockets.ours->set_no_delay(true);
  sockets.ours->set_keep_alive({.enable = true});
  sockets.ours->set_type_of_service(0x10);
  BOOST_TEST(!sockets.ours->type_of_service().has_value());
  BOOST_CHECK(Sockets::write(*sockets.ours, "x").status == Status::more);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(moves_megabytes_both_ways_at_once, Sockets, All) {
  Sockets sockets;
  TransportUser ours(sockets.loop, *sockets.ours, seed());
  TransportUser theirs(sockets.loop, *sockets.theirs, seed() + 1);
  const auto there = random_bytes(5'000'000, seed() + 2);
  const auto back = random_bytes(4'000'000, seed() + 3);
  ours.limit_pieces(200'000);
  theirs.limit_pieces(70'000);
  ours.send(there, true);
  theirs.send(back, true);
  BOOST_TEST(drive_until(*sockets.context, [&] { return ours.ended_well() && theirs.ended_well(); }));
  BOOST_TEST((theirs.received() == there));
  BOOST_TEST((ours.received() == back));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_paused_reader_fills_the_kernel_and_goes_on_later, Sockets, All) {
  Sockets sockets;
  TransportUser ours(sockets.loop, *sockets.ours, seed());
  TransportUser theirs(sockets.loop, *sockets.theirs, seed() + 1);
  const auto payload = random_bytes(16'000'000, seed() + 2);
  theirs.pause();
  ours.limit_pieces(200'000);
  theirs.limit_pieces(200'000);
  ours.send(payload, true);
  drive_ready(*sockets.context);
  BOOST_TEST(ours.sent() < payload.size());
  theirs.resume();
  BOOST_TEST(drive_until(*sockets.context, [&] { return theirs.input_over(); }));
  BOOST_TEST((theirs.received() == payload));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
