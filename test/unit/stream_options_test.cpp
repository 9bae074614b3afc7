#include "core/stream_options.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "support/allocation_fault.hpp"
#include "support/scripted_transport.hpp"

namespace libnet::test {

using core::StreamOptions;
using namespace std::chrono_literals;
using Set = std::vector<std::string>;

namespace {

StreamOptions made_with(const SocketOptions& given) {
  return StreamOptions(std::make_shared<const SocketOptions>(given));
}

Set applied(const StreamOptions& options) {
  ScriptedTransport transport;
  options.apply(transport);
  return transport.options();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(stream_options)

BOOST_AUTO_TEST_CASE(what_the_system_does_anyway_is_not_set) {
  BOOST_TEST(applied(made_with({})) == Set{}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(what_a_socket_was_made_with_is_set_on_its_transport) {
  const StreamOptions options =
      made_with({.no_delay = true, .keep_alive = true, .keep_alive_initial_delay = 7000ms, .type_of_service = 16});
  const Set expected{"no_delay 1", "keep_alive 1 7000 0 0", "type_of_service 16"};
  BOOST_TEST(applied(options) == expected, boost::test_tools::per_element());
  BOOST_TEST(options.given().no_delay);
}

BOOST_AUTO_TEST_CASE(sockets_share_what_they_were_made_with_and_not_what_was_set_since) {
  const auto given = std::make_shared<const SocketOptions>(SocketOptions{.no_delay = true});
  StreamOptions first(given);
  const StreamOptions second(given);
  first.set_no_delay(false, nullptr);
  BOOST_TEST(applied(first).empty());
  BOOST_TEST(applied(second).size() == 1U);
  BOOST_TEST(&first.given() == &second.given());
}

BOOST_AUTO_TEST_CASE(a_setter_reaches_the_transport_once_and_not_with_what_is_set_already) {
  ScriptedTransport transport;
  StreamOptions options = made_with({});
  for (int i = 0; i < 2; ++i) {
    options.set_no_delay(true, &transport);
    options.set_keep_alive({.enable = true, .initial_delay = 1s}, &transport);
    options.set_type_of_service(8, &transport);
  }
  const Set expected{"no_delay 1", "keep_alive 1 1000 0 0", "type_of_service 8"};
  BOOST_TEST(transport.options() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(each_field_of_keep_alive_counts) {
  ScriptedTransport transport;
  StreamOptions options = made_with({.keep_alive = true, .keep_alive_initial_delay = 1s});
  options.set_keep_alive({.enable = true, .initial_delay = 1s}, &transport);
  BOOST_TEST(transport.options().empty());
  options.set_keep_alive({.enable = true, .initial_delay = 2s}, &transport);
  options.set_keep_alive({.enable = true, .initial_delay = 2s, .interval = 3s}, &transport);
  options.set_keep_alive({.enable = true, .initial_delay = 2s, .interval = 3s, .count = 4}, &transport);
  options.set_keep_alive({.enable = false, .initial_delay = 2s, .interval = 3s, .count = 4}, &transport);
  const Set expected{"keep_alive 1 2000 0 0", "keep_alive 1 2000 3000 0", "keep_alive 1 2000 3000 4",
                     "keep_alive 0 2000 3000 4"};
  BOOST_TEST(transport.options() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(without_a_transport_a_setter_waits_for_one) {
  StreamOptions options = made_with({});
  options.set_no_delay(true, nullptr);
  options.set_keep_alive({.enable = true, .interval = 5s, .count = 3}, nullptr);
  options.set_type_of_service(4, nullptr);
  const Set expected{"no_delay 1", "keep_alive 1 0 5000 3", "type_of_service 4"};
  BOOST_TEST(applied(options) == expected, boost::test_tools::per_element());
  BOOST_TEST(applied(options) == expected, boost::test_tools::per_element());  // the next connection has them as well
}

BOOST_AUTO_TEST_CASE(what_was_set_replaces_what_was_given_and_one_setter_leaves_the_other_options) {
  StreamOptions options = made_with({.no_delay = true, .keep_alive = true, .type_of_service = 16});
  options.set_keep_alive({}, nullptr);
  const Set without_keep_alive{"no_delay 1", "type_of_service 16"};
  BOOST_TEST(applied(options) == without_keep_alive, boost::test_tools::per_element());
  options.set_no_delay(false, nullptr);
  options.set_type_of_service(0, nullptr);
  const Set service_alone{"type_of_service 0"};
  BOOST_TEST(applied(options) == service_alone, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_value_is_set_again_after_another_one) {
  ScriptedTransport transport;
  StreamOptions options = made_with({});
  options.set_no_delay(true, &transport);
  options.set_no_delay(false, &transport);
  options.set_no_delay(true, &transport);
  const Set expected{"no_delay 1", "no_delay 0", "no_delay 1"};
  BOOST_TEST(transport.options() == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_transport_knows_the_type_of_service_best) {
  ScriptedTransport ignorant, knowing;
  knowing.know_type_of_service(32);
  StreamOptions options = made_with({});
  BOOST_TEST(options.type_of_service(nullptr) == 0);
  BOOST_TEST(options.type_of_service(&ignorant) == 0);
  BOOST_TEST(options.type_of_service(&knowing) == 32);
  options.set_type_of_service(16, nullptr);
  BOOST_TEST(options.type_of_service(nullptr) == 16);
  BOOST_TEST(options.type_of_service(&ignorant) == 16);
  BOOST_TEST(options.type_of_service(&knowing) == 32);
  BOOST_TEST(made_with({.type_of_service = 8}).type_of_service(nullptr) == 8);
}

BOOST_AUTO_TEST_CASE(without_memory_nothing_is_set) {
  const std::size_t failed = fail_each_allocation([](AllocationFault& fault) {
    ScriptedTransport transport;
    StreamOptions options = made_with({});
    if (!fault.survives([&] { options.set_no_delay(true, &transport); })) {
      BOOST_TEST(transport.options().empty());
      BOOST_TEST(applied(options).empty());
    }
    options.set_no_delay(true, &transport);
    BOOST_TEST(transport.options().size() == 1U);
    BOOST_TEST(applied(options).size() == 1U);
  });
  BOOST_TEST(failed == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
