#include <chrono>
#include <type_traits>
#include <utility>

#include <boost/asio/detached.hpp>
#include <boost/test/unit_test.hpp>

#include <libnet/cancel_after.hpp>

// What a newer Asio has: a function of the same name, found by an argument of Asio's.
namespace boost::asio {

struct NewerCancelAfter {};

template <class Rep, class Period, class Token>
NewerCancelAfter cancel_after(const std::chrono::duration<Rep, Period>&, Token&&) {
  return {};
}

}  // namespace boost::asio

namespace libnet::test {

BOOST_AUTO_TEST_SUITE(cancel_after_lookup)

BOOST_AUTO_TEST_CASE(B301_an_unqualified_call_does_not_find_the_one_of_a_newer_asio) {
  using namespace std::chrono_literals;
  using libnet::cancel_after;
  const auto limited = cancel_after(5s, boost::asio::detached);
  BOOST_TEST((std::is_same_v<std::decay_t<decltype(limited)>, CancelAfter<boost::asio::detached_t>>));
  BOOST_TEST((limited.time_limit == 5s));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
