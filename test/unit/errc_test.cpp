#include <libnet/errc.hpp>

#include <boost/system/errc.hpp>
#include <boost/test/unit_test.hpp>

#include <cctype>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

using libnet::Errc;
using libnet::errc_name;
using libnet::error_code;

const std::vector<std::pair<Errc, std::string>> all{
    {Errc::timed_out, "ERR_TIMED_OUT"},
    {Errc::destroyed, "ERR_DESTROYED"},
    {Errc::closed, "ERR_CLOSED"},
    {Errc::already_connected, "ERR_ALREADY_CONNECTED"},
    {Errc::closed_before_connection, "ERR_CLOSED_BEFORE_CONNECTION"},
    {Errc::write_after_end, "ERR_WRITE_AFTER_END"},
    {Errc::busy, "ERR_BUSY"},
    {Errc::overflow, "ERR_OVERFLOW"},
    {Errc::listener_threw, "ERR_LISTENER_THREW"},
    {Errc::handler_threw, "ERR_HANDLER_THREW"},
    {Errc::already_listening, "ERR_ALREADY_LISTENING"},
    {Errc::not_running, "ERR_NOT_RUNNING"},
    {Errc::bad_port, "ERR_BAD_PORT"},
    {Errc::invalid_address, "ERR_INVALID_ADDRESS"},
    {Errc::address_family, "ERR_ADDRESS_FAMILY"},
    {Errc::out_of_range, "ERR_OUT_OF_RANGE"},
    {Errc::invalid_handle, "ERR_INVALID_HANDLE"},
    {Errc::ip_blocked, "ERR_IP_BLOCKED"},
    {Errc::invalid_argument, "ERR_INVALID_ARGUMENT"},
    {Errc::wrong_reactor, "ERR_WRONG_REACTOR"},
    {Errc::tls_truncated, "ERR_TLS_TRUNCATED"},
    {Errc::tls_handshake_closed, "ERR_TLS_HANDSHAKE_CLOSED"},
    {Errc::tls_protocol, "ERR_TLS_PROTOCOL"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(errc)

BOOST_AUTO_TEST_CASE(every_code_has_its_own_name) {
  for (const auto& [code, name] : all) BOOST_TEST(errc_name(code) == name);
}

BOOST_AUTO_TEST_CASE(every_code_has_its_own_message_in_lower_case) {
  std::set<std::string> messages;
  for (const auto& [code, name] : all) {
    const auto message = error_code(code).message();
    BOOST_TEST(message != "unknown error", name);
    BOOST_TEST(messages.insert(message).second, message << " stands for two codes");
    if (code != Errc::closed) BOOST_TEST(!std::isupper(static_cast<unsigned char>(message.at(0))), message);
  }
}

BOOST_AUTO_TEST_CASE(B145_closed_reads_socket_is_closed) {
  BOOST_TEST(error_code(Errc::closed).message() == "Socket is closed");
}

BOOST_AUTO_TEST_CASE(a_code_converts_and_compares) {
  const error_code code = Errc::busy;
  BOOST_CHECK(code == Errc::busy);
  BOOST_CHECK(code != Errc::closed);
  BOOST_TEST(code.failed());
  BOOST_TEST(code.category().name() == std::string("libnet"));
  BOOST_CHECK(code.category() == libnet::errc_category());
}

BOOST_AUTO_TEST_CASE(a_number_of_the_system_is_no_errc) {
  const error_code code(static_cast<int>(Errc::busy), boost::system::system_category());
  BOOST_CHECK(code != Errc::busy);
}

BOOST_AUTO_TEST_CASE(timed_out_and_invalid_argument_match_the_generic_conditions) {
  BOOST_CHECK(error_code(Errc::timed_out) == boost::system::errc::timed_out);
  BOOST_CHECK(error_code(Errc::invalid_argument) == boost::system::errc::invalid_argument);
  BOOST_CHECK(error_code(Errc::closed) != boost::system::errc::timed_out);
}

BOOST_AUTO_TEST_CASE(a_number_that_is_no_errc_is_called_unknown) {
  for (const int number : {0, -1, static_cast<int>(all.size()) + 1, 1 << 30}) {
    BOOST_TEST(errc_name(static_cast<Errc>(number)) == "ERR_UNKNOWN");
    BOOST_TEST(libnet::errc_category().message(number) == "unknown error");
  }
}

BOOST_AUTO_TEST_SUITE_END()
