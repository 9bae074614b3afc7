#include "core/connect_state.hpp"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <netdb.h>

#include <boost/test/unit_test.hpp>

namespace libnet::test {

using core::check_connect_request;
using core::ConnectState;
using core::prefer_source_family;
using detail::ConnectRequest;
using namespace std::chrono_literals;

namespace {

/// What a request is refused with; no error if it is not.
error_code refusal(const ConnectRequest& request) {
  try {
    check_connect_request(request);
  } catch (const SystemError& error) {
    BOOST_TEST(error.error().operation() == "connect");
    return error.error().code();
  }
  return {};
}

ConnectRequest from(const BoundSocket& source, ConnectOptions options) {
  options.bound = &source;
  return ConnectRequest(options);
}

BoundSocket bound_to(std::string_view address) { return BoundSocket(SocketAddress::ip(address, 0)); }

}  // namespace

BOOST_AUTO_TEST_SUITE(connect_state)

BOOST_AUTO_TEST_CASE(what_can_be_tried_is_not_refused) {
  const std::vector<ConnectOptions> allowed{
      {.port = 0},
      {.port = 65535},
      {.path = "/a/path"},
      {.host = "::1", .port = 80, .family = 6},
      {.port = 80, .family = 4, .local_address = "127.0.0.1", .local_port = 0},
      {.port = 80, .hints = AI_ADDRCONFIG | AI_V4MAPPED | AI_ALL},
      {.port = 80, .auto_select_family_attempt_timeout = 1ms},
  };
  for (const ConnectOptions& options : allowed) BOOST_TEST(!refusal(options));
}

BOOST_AUTO_TEST_CASE(what_the_caller_could_have_checked_is_refused_with_its_code) {
  struct Row {
    ConnectOptions options;
    Errc expected;
  };
  const std::vector<Row> rows{
      {{}, Errc::invalid_argument},  // neither port nor path
      {{.port = -1}, Errc::bad_port},
      {{.port = 65536}, Errc::bad_port},
      {{.port = 80, .local_port = -1}, Errc::bad_port},
      {{.port = 80, .local_port = 65536}, Errc::bad_port},
      {{.port = 80, .local_address = "localhost"}, Errc::invalid_address},
      {{.port = 80, .family = 5}, Errc::address_family},
      {{.port = 80, .family = -4}, Errc::address_family},
      {{.port = 80, .hints = AI_PASSIVE}, Errc::invalid_argument},
      {{.port = 80, .auto_select_family_attempt_timeout = 0ms}, Errc::out_of_range},
      {{.port = 80, .auto_select_family_attempt_timeout = -1ms}, Errc::out_of_range},
  };
  for (const Row& row : rows) BOOST_TEST(refusal(row.options) == row.expected);
}

BOOST_AUTO_TEST_CASE(a_bound_socket_connects_within_its_family_and_from_nowhere_else) {
  const BoundSocket source = bound_to("127.0.0.1");
  BOOST_TEST(!refusal(from(source, {.port = 80})));
  BOOST_TEST(!refusal(from(source, {.host = "127.0.0.1", .port = 80})));
  BOOST_TEST(!refusal(from(source, {.port = 80, .family = 4})));
  BOOST_TEST(refusal(from(source, {.host = "::1", .port = 80})) == Errc::address_family);
  BOOST_TEST(refusal(from(source, {.port = 80, .family = 6})) == Errc::address_family);
  BOOST_TEST(refusal(from(source, {.path = "/a/path"})) == Errc::address_family);
  BOOST_TEST(refusal(from(source, {.port = 80, .local_address = "127.0.0.1"})) == Errc::invalid_argument);
  BOOST_TEST(refusal(from(source, {.port = 80, .local_port = 1})) == Errc::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_bound_path_connects_to_paths) {
  const BoundSocket source(SocketAddress::unix_socket(""));
  BOOST_TEST(!refusal(from(source, {.path = "/a/path"})));
  BOOST_TEST(refusal(from(source, {.port = 80})) == Errc::address_family);
}

BOOST_AUTO_TEST_CASE(a_bound_socket_that_is_gone_is_refused) {
  BoundSocket source = bound_to("127.0.0.1");
  source.close();
  BOOST_TEST(refusal(from(source, {.port = 80})) == Errc::invalid_handle);
  BOOST_TEST(refusal(from(BoundSocket(), {.port = 80})) == Errc::invalid_handle);
}

BOOST_AUTO_TEST_CASE(a_bound_socket_is_tried_once_at_an_address_of_its_family) {
  const BoundSocket source = bound_to("127.0.0.1");
  ConnectRequest request = from(source, {.port = 80, .auto_select_family = true});
  prefer_source_family(request);
  BOOST_TEST(request.family == 4);
  BOOST_TEST(*request.auto_select_family == false);
  ConnectRequest asked = from(source, {.port = 80, .family = 6});
  prefer_source_family(asked);
  BOOST_TEST(asked.family == 6);
}

BOOST_AUTO_TEST_CASE(a_request_without_a_bound_socket_is_left_alone) {
  ConnectRequest request(ConnectOptions{.port = 80});
  prefer_source_family(request);
  BOOST_TEST(request.family == 0);
  BOOST_TEST(!request.auto_select_family.has_value());
}

BOOST_AUTO_TEST_CASE(what_was_attempted_outlives_the_attempt_and_its_source_does_not) {
  ConnectState state;
  BOOST_TEST(!state.has_news());
  state.source = bound_to("127.0.0.1");
  state.attempted = {"127.0.0.1:80"};
  state.give_up();
  BOOST_TEST(!state.source.has_value());
  BOOST_TEST(state.attempted.size() == 1U);
  BOOST_TEST(!state.has_news());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
