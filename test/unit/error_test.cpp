#include <libnet/error.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/errc.hpp>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace {

namespace asio_error = boost::asio::error;
using libnet::Errc;
using libnet::Error;
using libnet::error_code;
using libnet::error_name;
using libnet::ErrorInfo;
using libnet::SocketAddress;
using libnet::SystemError;

static_assert(std::is_trivially_destructible_v<ErrorInfo>, "g++ 12 miscompiles others inside co_await expressions");
static_assert(!std::is_aggregate_v<Error>);
static_assert(std::is_nothrow_copy_constructible_v<Error> && std::is_nothrow_move_constructible_v<Error>);
static_assert(std::is_nothrow_copy_constructible_v<SystemError>);
static_assert(!std::is_convertible_v<Error, bool>);

error_code system(int number) { return {number, boost::system::system_category()}; }

const SocketAddress peer = SocketAddress::ip("127.0.0.1", 80);
const SocketAddress own = SocketAddress::ip("127.0.0.1", 12345);

}  // namespace

BOOST_AUTO_TEST_SUITE(error)

BOOST_AUTO_TEST_CASE(the_default_is_no_error) {
  const Error error;
  BOOST_TEST(!error);
  BOOST_TEST(!error.code().failed());
  BOOST_TEST(error.name().empty());
  BOOST_TEST(error.message().empty());
  BOOST_TEST(error.operation().empty());
  BOOST_TEST(!error.local_address().has_value());
  BOOST_TEST(!error.remote_address().has_value());
  BOOST_TEST(error.path().empty());
  BOOST_TEST(error.host().empty());
  BOOST_TEST(error.attempts().empty());
  BOOST_TEST((error.exception() == nullptr));
}

BOOST_AUTO_TEST_CASE(it_tells_what_it_was_told) {
  const Error error(
      system(ECONNREFUSED),
      {.operation = "connect", .local_address = &own, .remote_address = &peer, .path = "/path", .host = "localhost"});
  BOOST_TEST(bool(error));
  BOOST_CHECK(error.code() == system(ECONNREFUSED));
  BOOST_TEST(error.operation() == "connect");
  BOOST_TEST(error.local_address().value() == own);
  BOOST_TEST(error.remote_address().value() == peer);
  BOOST_TEST(error.path() == "/path");
  BOOST_TEST(error.host() == "localhost");
}

BOOST_AUTO_TEST_CASE(a_copy_outlives_what_it_was_made_of) {
  Error copy;
  {
    auto address = std::make_unique<SocketAddress>(peer);
    auto host = std::make_unique<std::string>(100, 'h');
    const Error error(system(ECONNREFUSED), {.operation = "connect", .remote_address = address.get(), .host = *host});
    copy = error;
  }
  BOOST_TEST(copy.host() == std::string(100, 'h'));
  BOOST_TEST(copy.message() == "connect ECONNREFUSED 127.0.0.1:80");
}

BOOST_AUTO_TEST_CASE(B71_a_refused_connect_names_the_peer) {
  const Error ipv4(system(ECONNREFUSED), {.operation = "connect", .remote_address = &peer});
  BOOST_TEST(ipv4.message() == "connect ECONNREFUSED 127.0.0.1:80");
  const auto loopback = SocketAddress::ip("::1", 80);
  const Error ipv6(system(ECONNREFUSED), {.operation = "connect", .remote_address = &loopback});
  BOOST_TEST(ipv6.message() == "connect ECONNREFUSED ::1:80");
}

BOOST_AUTO_TEST_CASE(B72_a_refused_connect_names_the_bound_local_address) {
  const Error error(system(ECONNREFUSED), {.operation = "connect", .local_address = &own, .remote_address = &peer});
  BOOST_TEST(error.message() == "connect ECONNREFUSED 127.0.0.1:80 - Local (127.0.0.1:12345)");
}

BOOST_AUTO_TEST_CASE(B70_port_0_is_not_named) {
  const auto nowhere = SocketAddress::ip("127.0.0.1", 0);
  const Error error(system(EADDRNOTAVAIL), {.operation = "connect", .remote_address = &nowhere});
  BOOST_TEST(error.message() == "connect EADDRNOTAVAIL 127.0.0.1");
}

BOOST_AUTO_TEST_CASE(B38_a_missing_path_is_named_and_is_the_errors_path) {
  const auto address = SocketAddress::unix_socket("/no/socket");
  const Error by_address(system(ENOENT), {.operation = "connect", .remote_address = &address});
  const Error by_path(system(ENOENT), {.operation = "connect", .path = "/no/socket"});
  for (const auto& error : {by_address, by_path}) {
    BOOST_TEST(error.message() == "connect ENOENT /no/socket");
    BOOST_TEST(error.path() == "/no/socket");
  }
}

BOOST_AUTO_TEST_CASE(an_abstract_name_is_printable_in_a_message) {
  const auto address = SocketAddress::unix_socket(std::string_view("\0name", 5));
  const Error error(system(ECONNREFUSED), {.operation = "connect", .remote_address = &address});
  BOOST_TEST(error.message() == "connect ECONNREFUSED @name");
  BOOST_TEST(error.path() == std::string_view("\0name", 5));
}

BOOST_AUTO_TEST_CASE(B16_a_listen_error_describes_itself) {
  const auto address = SocketAddress::ip("1.1.1.1", 1);
  const Error taken(system(EADDRINUSE), {.operation = "listen", .local_address = &peer});
  BOOST_TEST(taken.message() == "listen EADDRINUSE: address already in use 127.0.0.1:80");
  const Error foreign(system(EADDRNOTAVAIL), {.operation = "listen", .local_address = &address});
  BOOST_TEST(foreign.message() == "listen EADDRNOTAVAIL: cannot assign requested address 1.1.1.1:1");
}

BOOST_AUTO_TEST_CASE(B34_B35_a_listen_error_names_the_path) {
  const auto address = SocketAddress::unix_socket("/tmp/socket");
  const Error error(system(EADDRINUSE), {.operation = "listen", .local_address = &address});
  BOOST_TEST(error.message() == "listen EADDRINUSE: address already in use /tmp/socket");
  BOOST_TEST(error.path() == "/tmp/socket");
}

BOOST_AUTO_TEST_CASE(B20_a_listen_error_without_address_is_only_described) {
  BOOST_TEST(Error(system(EINVAL), "listen").message() == "listen EINVAL: invalid argument");
}

BOOST_AUTO_TEST_CASE(B36_a_long_path_is_named_by_its_beginning) {
  const auto address = SocketAddress::unix_socket("/" + std::string(9'999, 'x'));
  const auto beginning = "/" + std::string(99, 'x') + "...";
  const Error connect(system(EINVAL), {.operation = "connect", .remote_address = &address});
  BOOST_TEST(connect.message() == "connect EINVAL " + beginning);
  const Error listen(system(EINVAL), {.operation = "listen", .local_address = &address});
  BOOST_TEST(listen.message() == "listen EINVAL: invalid argument " + beginning);
  BOOST_TEST(listen.path().size() == 10'000u);
}

BOOST_AUTO_TEST_CASE(B168_a_read_or_write_error_does_not_name_the_peer) {
  const Error read(system(ECONNRESET), {.operation = "read", .local_address = &own, .remote_address = &peer});
  BOOST_TEST(read.message() == "read ECONNRESET");
  BOOST_TEST(read.remote_address().value() == peer);
  BOOST_TEST(Error(system(EBADF), "write").message() == "write EBADF");
}

BOOST_AUTO_TEST_CASE(B92_a_failed_lookup_names_the_host_alone) {
  const Error error(asio_error::host_not_found,
                    {.operation = "getaddrinfo", .remote_address = &peer, .host = "no.such.host"});
  BOOST_TEST(error.message() == "getaddrinfo ENOTFOUND no.such.host");
  BOOST_TEST(error.name() == "ENOTFOUND");
  BOOST_CHECK(error.code() == asio_error::host_not_found);
}

BOOST_AUTO_TEST_CASE(B145_B294_an_errc_names_operation_and_peer) {
  BOOST_TEST(Error(Errc::closed, "write").message() == "write: Socket is closed");
  BOOST_TEST(Error(Errc::timed_out, {.operation = "read", .remote_address = &peer}).message() ==
             "read 127.0.0.1:80: timed out");
  BOOST_TEST(Error(Errc::timed_out, {.operation = "getaddrinfo", .host = "a.host"}).message() ==
             "getaddrinfo a.host: timed out");
  BOOST_TEST(Error(Errc::timed_out, {.operation = "connect", .path = "/path"}).message() == "connect /path: timed out");
  BOOST_TEST(Error(Errc::invalid_address, {.operation = "listen", .local_address = &own}).message() ==
             "listen 127.0.0.1:12345: invalid IP address");
  BOOST_TEST(Error(Errc::closed).message() == "Socket is closed");
  BOOST_TEST(Error(Errc::closed, {.remote_address = &peer}).message() == "127.0.0.1:80: Socket is closed");
}

BOOST_AUTO_TEST_CASE(B294_the_operation_is_copied) {
  Error plain;
  Error detailed;
  {
    const auto text = std::make_unique<std::string>("no answer from the printer on the second floor");
    const auto short_text = std::make_unique<std::string>("print");
    plain = Error(Errc::timed_out, text->c_str());
    detailed = Error(system(ECONNRESET), {.operation = short_text->c_str(), .remote_address = &peer});
    text->assign(text->size(), '#');
    short_text->assign(short_text->size(), '#');
  }
  BOOST_TEST(plain.operation() == "no answer from the printer on the second floor");
  BOOST_TEST(plain.message() == "no answer from the printer on the second floor: timed out");
  BOOST_TEST(detailed.message() == "print ECONNRESET");
  const Error moved = std::move(plain);
  BOOST_TEST(moved.operation() == "no answer from the printer on the second floor");
}

BOOST_AUTO_TEST_CASE(B94_B142_a_text_of_its_own_replaces_the_message) {
  const Error family(Errc::address_family,
                     {.operation = "connect", .host = "localhost", .text = "Invalid address family: 100 localhost:0"});
  BOOST_TEST(family.message() == "Invalid address family: 100 localhost:0");
  const Error pipe(system(EPIPE), {.operation = "write", .text = "this socket has been ended by the other party"});
  BOOST_TEST(pipe.message() == "this socket has been ended by the other party");
  BOOST_TEST(pipe.name() == "EPIPE");
}

BOOST_AUTO_TEST_CASE(an_unknown_operation_is_left_out) {
  BOOST_TEST(Error(system(ECONNREFUSED)).message() == "ECONNREFUSED: connection refused");
  BOOST_TEST(Error(system(ECONNREFUSED), nullptr).message() == "ECONNREFUSED: connection refused");
}

BOOST_AUTO_TEST_CASE(a_code_without_a_symbol_is_described) {
  const error_code code = asio_error::not_found;
  BOOST_TEST(error_name(code) == "asio.misc:" + std::to_string(asio_error::not_found));
  BOOST_TEST(Error(code, "find").message() == "find: element not found");
}

BOOST_AUTO_TEST_CASE(B102_a_failed_family_selection_lists_its_attempts) {
  Error aggregate;
  {
    const auto loopback = SocketAddress::ip("::1", 80);
    const std::array attempts{
        Error(system(ECONNREFUSED), {.operation = "connect", .remote_address = &loopback}),
        Error(system(ENETUNREACH), {.operation = "connect", .remote_address = &peer}),
    };
    aggregate = Error(attempts[0].code(), {.operation = "connect", .host = "localhost", .attempts = attempts});
  }
  BOOST_REQUIRE(aggregate.attempts().size() == 2u);
  BOOST_TEST(aggregate.attempts()[0].message() == "connect ECONNREFUSED ::1:80");
  BOOST_TEST(aggregate.attempts()[1].message() == "connect ENETUNREACH 127.0.0.1:80");
  BOOST_TEST(aggregate.name() == "ECONNREFUSED");
  BOOST_TEST(aggregate.message() == "connect ECONNREFUSED ::1:80; connect ENETUNREACH 127.0.0.1:80");
}

BOOST_AUTO_TEST_CASE(the_exception_of_a_listener_is_kept_and_quoted) {
  const auto thrown = std::make_exception_ptr(std::runtime_error("boom"));
  const Error error(Errc::listener_threw, {.operation = "read", .exception = &thrown});
  BOOST_TEST(error.message() == "read: " + error_code(Errc::listener_threw).message() + ": boom");
  BOOST_CHECK_EXCEPTION(std::rethrow_exception(error.exception()), std::runtime_error,
                        [](const auto& caught) { return caught.what() == std::string("boom"); });

  const auto number = std::make_exception_ptr(42);
  BOOST_TEST(Error(Errc::listener_threw, {.exception = &number}).message() ==
             error_code(Errc::listener_threw).message());
}

BOOST_AUTO_TEST_CASE(it_prints_its_message) {
  std::ostringstream out;
  out << Error(system(ECONNRESET), "read");
  BOOST_TEST(out.str() == "read ECONNRESET");
}

BOOST_AUTO_TEST_CASE(the_systems_codes_have_their_symbols) {
  BOOST_TEST(error_name(system(ECONNREFUSED)) == "ECONNREFUSED");
  BOOST_TEST(error_name(system(EPIPE)) == "EPIPE");
  BOOST_TEST(error_name(system(EADDRINUSE)) == "EADDRINUSE");
  BOOST_TEST(error_name(make_error_code(boost::system::errc::timed_out)) == "ETIMEDOUT");
  BOOST_TEST(error_name(asio_error::operation_aborted) == "ECANCELED");
  BOOST_TEST(error_name(system(99'999)) == "system:99999");
  BOOST_TEST(error_name({}) == "");
}

BOOST_AUTO_TEST_CASE(asios_codes_have_symbols_as_in_node) {
  BOOST_TEST(error_name(asio_error::host_not_found) == "ENOTFOUND");
  BOOST_TEST(error_name(asio_error::no_data) == "ENOTFOUND");
  BOOST_TEST(error_name(asio_error::service_not_found) == "ENOTFOUND");
  BOOST_TEST(error_name(asio_error::host_not_found_try_again) == "EAI_AGAIN");
  BOOST_TEST(error_name(asio_error::no_recovery) == "EAI_FAIL");
  BOOST_TEST(error_name(asio_error::socket_type_not_supported) == "EAI_SOCKTYPE");
  BOOST_TEST(error_name(asio_error::eof) == "EOF");
}

BOOST_AUTO_TEST_CASE(an_errc_has_its_own_symbol) {
  BOOST_TEST(error_name(Errc::timed_out) == "ERR_TIMED_OUT");
  BOOST_TEST(Error(Errc::write_after_end).name() == "ERR_WRITE_AFTER_END");
}

BOOST_AUTO_TEST_CASE(a_system_error_says_the_whole_message_and_holds_the_error) {
  const Error error(system(ECONNREFUSED), {.operation = "connect", .remote_address = &peer});
  try {
    throw SystemError(error);
  } catch (const boost::system::system_error& thrown) {
    BOOST_TEST(thrown.what() == std::string("connect ECONNREFUSED 127.0.0.1:80"));
    BOOST_CHECK(thrown.code() == system(ECONNREFUSED));
    const auto* const ours = dynamic_cast<const SystemError*>(&thrown);
    BOOST_REQUIRE(ours != nullptr);
    BOOST_TEST(ours->error().remote_address().value() == peer);
    BOOST_TEST(ours->bytes_transferred() == 0u);
  }
}

BOOST_AUTO_TEST_CASE(a_system_error_of_a_write_tells_what_was_sent) {
  const SystemError thrown(Error(system(EPIPE), "write"), 1234);
  const auto copy = thrown;
  BOOST_TEST(copy.bytes_transferred() == 1234u);
  BOOST_TEST(copy.what() == std::string("write EPIPE"));
}

BOOST_AUTO_TEST_CASE(a_system_error_is_made_of_a_plain_code) {
  BOOST_TEST(SystemError(Errc::bad_port).what() == error_code(Errc::bad_port).message());
}

BOOST_AUTO_TEST_SUITE_END()
