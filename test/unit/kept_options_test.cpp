#include "core/kept_options.hpp"

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <limits>

#include "libnet/address.hpp"

using libnet::BlockList;
using libnet::ServerOptions;
using libnet::SocketAddress;
using libnet::SocketOptions;
using libnet::core::effective_max_buffered;
using libnet::core::Kept;

namespace {

constexpr std::size_t mebibyte = 1024 * 1024;
constexpr std::size_t most = std::numeric_limits<std::size_t>::max();

}  // namespace

BOOST_AUTO_TEST_SUITE(kept_options)

BOOST_AUTO_TEST_CASE(unset_max_buffered_is_64_MiB_or_twice_the_high_water_mark) {
  BOOST_TEST(effective_max_buffered({}) == 64 * mebibyte);
  BOOST_TEST(effective_max_buffered({.high_water_mark = 32 * mebibyte}) == 64 * mebibyte);
  BOOST_TEST(effective_max_buffered({.high_water_mark = 32 * mebibyte + 1}) == 64 * mebibyte + 2);
  BOOST_TEST(effective_max_buffered({.high_water_mark = most / 2}) == most - 1);
  BOOST_TEST(effective_max_buffered({.high_water_mark = most / 2 + 1}) == most);
  BOOST_TEST(effective_max_buffered({.high_water_mark = most}) == most);
}

BOOST_AUTO_TEST_CASE(max_buffered_that_is_set_stays) {
  BOOST_TEST(effective_max_buffered({.max_buffered = 0}) == 0U);
  BOOST_TEST(effective_max_buffered({.high_water_mark = 100 * mebibyte, .max_buffered = 7}) == 7U);
}

BOOST_AUTO_TEST_CASE(kept_options_have_a_max_buffered) {
  const Kept<SocketOptions> socket{SocketOptions{}};
  BOOST_TEST(socket.max_buffered.value() == 64 * mebibyte);
  const Kept<ServerOptions> server{ServerOptions{.socket = {.high_water_mark = 100 * mebibyte}}};
  BOOST_TEST(server.socket.max_buffered.value() == 200 * mebibyte);
}

BOOST_AUTO_TEST_CASE(each_block_list_is_a_copy_that_shares_its_rules) {
  const SocketAddress address = SocketAddress::ip("127.0.0.1", 1);
  BlockList of_server;
  BlockList of_sockets;
  const Kept<ServerOptions> kept{ServerOptions{.socket = {.block_list = &of_sockets}, .block_list = &of_server}};
  BOOST_TEST(kept.block_list != &of_server);
  BOOST_TEST(kept.socket.block_list != &of_sockets);
  of_sockets.add_address("127.0.0.1");
  BOOST_TEST(kept.socket.block_list->check(address));
  BOOST_TEST(!kept.block_list->check(address));
  const Kept<SocketOptions> none{SocketOptions{}};
  BOOST_TEST((none.block_list == nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
