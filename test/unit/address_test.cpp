#include <libnet/address.hpp>
#include <libnet/error.hpp>

#include <boost/test/unit_test.hpp>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <string>
#include <unordered_set>
#include <vector>

namespace {

using libnet::Family;
using libnet::is_ip;
using libnet::is_ipv4;
using libnet::is_ipv6;
using libnet::SocketAddress;

static_assert(sizeof(SocketAddress) <= 40);

std::string loopback_name() {
  const auto* const name = ::if_nametoindex("lo") != 0 ? "lo" : "lo0";
  BOOST_REQUIRE(::if_nametoindex(name) != 0);
  return name;
}

SocketAddress there_and_back(const SocketAddress& address) {
  sockaddr_storage storage;
  const auto size = address.to_native(storage);
  BOOST_REQUIRE(size > 0);
  const auto back = SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&storage), size);
  BOOST_REQUIRE(back.has_value());
  return *back;
}

std::vector<SocketAddress> some_of_each() {
  return {SocketAddress(),
          SocketAddress::ip("127.0.0.1", 80),
          SocketAddress::ip("127.0.0.1", 81),
          SocketAddress::ip("127.0.0.2", 80),
          SocketAddress::ip("::1", 80),
          SocketAddress::ip("::ffff:127.0.0.1", 80),
          SocketAddress::ip("7f00:1::", 80),
          SocketAddress::ip("fe80::1", 80),
          SocketAddress::ip("fe80::1%" + loopback_name(), 80),
          SocketAddress::ip("fe80::1%4000000000", 80),
          SocketAddress::unix_socket("/tmp/socket"),
          SocketAddress::unix_socket("relative"),
          SocketAddress::unix_socket(std::string_view("\0name", 5)),
          SocketAddress::unix_socket(std::string_view("\0name\0", 6))};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(address)

BOOST_AUTO_TEST_CASE(B107_is_ip_gives_4_6_or_0) {
  BOOST_TEST(is_ip("127.0.0.1") == 4);
  BOOST_TEST(is_ip("::1") == 6);
  for (const auto* text : {"", " ", "localhost", "x127.0.0.1", "127.0.0.1 ", " ::1", "::1\n", "[::1]", "/tmp"}) {
    BOOST_TEST(is_ip(text) == 0, text);
  }
  BOOST_TEST(is_ip(std::string_view("127.0.0.1\0", 10)) == 0);
  BOOST_TEST(is_ip(std::string_view("::1\0", 4)) == 0);
  BOOST_TEST(is_ip(std::string(10'000, '1')) == 0);
}

BOOST_AUTO_TEST_CASE(B108_is_ipv4_accepts_four_decimal_parts) {
  for (const auto* text : {"0.0.0.0", "127.0.0.1", "255.255.255.255", "1.20.100.0", "8.8.8.8"}) {
    BOOST_TEST(is_ipv4(text), text);
    BOOST_TEST(!is_ipv6(text), text);
  }
}

BOOST_AUTO_TEST_CASE(B108_is_ipv4_rejects_everything_else) {
  for (const auto* text :
       {".127.0.0.1", "127.0.0.1.", "127..0.0.1", "256.0.0.1", "1.1.1.256",   "1.1.1.999",  "01.1.1.1",
        "1.1.1.00",   "1.1.1.010",  "1.1.1",      "1.1.1.1.1", "127.0.0.1/8", "0x7f.0.0.1", "127.1",
        "2130706433", "1.1.1.a",    "-1.1.1.1",   "+1.1.1.1",  "1.1.1.1%lo",  "1.1.1.1:80", "1111.1.1.1"}) {
    BOOST_TEST(!is_ipv4(text), text);
    BOOST_TEST(is_ip(text) == 0, text);
  }
}

BOOST_AUTO_TEST_CASE(B109_is_ipv6_accepts_groups_and_one_double_colon) {
  for (const auto* text : {"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1111:2222:3333:4444:5555:6666:7777:8888",
                           "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "2001:db8::1:0:0:1",
                           "0000:0000:0000:0000:0000:0000:0000:0001", "abcd:ef01::ABCD:EF01", "FE80::a", "1::8"}) {
    BOOST_TEST(is_ipv6(text), text);
    BOOST_TEST(!is_ipv4(text), text);
  }
}

BOOST_AUTO_TEST_CASE(B109_is_ipv6_accepts_an_embedded_ipv4_address) {
  for (const auto* text : {"::1.2.3.4", "::ffff:127.0.0.1", "::FFFF:255.255.255.255", "1:2:3:4:5:6:1.2.3.4",
                           "1111:2222:3333:4444:5555:6666:123.123.123.123", "64:ff9b::192.0.2.33"}) {
    BOOST_TEST(is_ipv6(text), text);
  }
}

BOOST_AUTO_TEST_CASE(B109_is_ipv6_accepts_a_zone) {
  for (const auto* text : {"fe80::1%eth0", "fe80::1%2", "::1%Az09-.:", "fe80::2008%veth1.100", "1:2:3:4:5:6:7:8%z",
                           "::ffff:1.2.3.4%lo", "fe80::1%tun_vpn", "fe80::1%_", "::1%\xc3\xa9"}) {
    BOOST_TEST(is_ipv6(text), text);
  }
}

BOOST_AUTO_TEST_CASE(B109_is_ipv6_rejects_malformed_groups) {
  for (const auto* text : {"1::2::3",
                           "::1::",
                           ":::",
                           "1:::2",
                           ":::1",
                           "1:::",
                           "12345::",
                           "::11111",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8::",
                           "::1:2:3:4:5:6:7:8",
                           ":1:2:3:4:5:6:7:8",
                           "1:2:3:4:5:6:7:8:",
                           ":1::",
                           "1::2:",
                           ":",
                           "1",
                           "g::",
                           "::g",
                           "1:2:3:4:5:6:7:",
                           "::1/64"}) {
    BOOST_TEST(!is_ipv6(text), text);
    BOOST_TEST(is_ip(text) == 0, text);
  }
}

BOOST_AUTO_TEST_CASE(B109_is_ipv6_rejects_a_bad_embedded_ipv4_address) {
  for (const auto* text : {"::1.2.3.256", "::ffff:257.1.1.1", "::1.2.3.086", "::086.1.1.1", "::1.2.3", "::1.2.3.4.5",
                           "1:2:3:4:5:6:7:1.2.3.4", "1:2:3:4:5:1.2.3.4", "::1.2.3.4:5", "1.2.3.4::", "::.1.2.3"}) {
    BOOST_TEST(!is_ipv6(text), text);
  }
}

BOOST_AUTO_TEST_CASE(B109_is_ipv6_rejects_a_bad_zone) {
  for (const auto* text : {"fe80::1%", "fe80::1%@", "fe80::1%eth0@", "fe80::1%a b", "fe80::1%a%b", "fe80::1%a/b",
                           "%eth0", "fe80:%eth0", "::1%\t"}) {
    BOOST_TEST(!is_ipv6(text), text);
  }
  BOOST_TEST(!is_ipv6(std::string_view("::1%a\0", 6)));
}

BOOST_AUTO_TEST_CASE(an_ipv4_address_shows_what_it_was_made_of) {
  const auto address = SocketAddress::ip("127.0.0.1", 8080);
  BOOST_TEST(address.address() == "127.0.0.1");
  BOOST_TEST(address.port() == 8080);
  BOOST_CHECK(address.family() == Family::ipv4);
  BOOST_TEST(address.family_name() == "IPv4");
}

BOOST_AUTO_TEST_CASE(an_ipv6_address_is_printed_in_its_canonical_form) {
  const auto address = SocketAddress::ip("2001:DB8:0:0::1", 65535);
  BOOST_TEST(address.address() == "2001:db8::1");
  BOOST_TEST(address.port() == 65535);
  BOOST_CHECK(address.family() == Family::ipv6);
  BOOST_TEST(address.family_name() == "IPv6");
  BOOST_TEST(SocketAddress::ip("::ffff:127.0.0.1", 1).address() == "::ffff:127.0.0.1");
  BOOST_TEST(SocketAddress::ip("fe80::1", 1).address() == "fe80::1");
}

BOOST_AUTO_TEST_CASE(the_zone_is_read_by_name_or_number_and_printed_by_name) {
  const auto name = loopback_name();
  const auto number = ::if_nametoindex(name.c_str());
  const auto by_name = SocketAddress::ip("fe80::1%" + name, 80);
  BOOST_TEST(by_name.scope_id() == number);
  BOOST_TEST(by_name.address() == "fe80::1%" + name);
  BOOST_TEST(by_name == SocketAddress::ip("fe80::1%" + std::to_string(number), 80));
}

BOOST_AUTO_TEST_CASE(the_zone_of_an_unknown_interface_stays_a_number_or_is_dropped) {
  BOOST_TEST(SocketAddress::ip("fe80::1%4000000000", 80).address() == "fe80::1%4000000000");
  BOOST_TEST(SocketAddress::ip("fe80::1%no-such-interface-here", 80) == SocketAddress::ip("fe80::1", 80));
  BOOST_TEST(SocketAddress::ip("fe80::1%99999999999", 80) == SocketAddress::ip("fe80::1", 80));
}

BOOST_AUTO_TEST_CASE(text_that_is_no_ip_address_throws_invalid_address) {
  for (const auto* text : {"", "localhost", "256.1.1.1", "[::1]", "127.0.0.1:80", "fe80::1%@"}) {
    BOOST_CHECK_EXCEPTION((void)SocketAddress::ip(text, 80), libnet::SystemError,
                          [](const auto& thrown) { return thrown.code() == libnet::Errc::invalid_address; });
  }
}

BOOST_AUTO_TEST_CASE(a_unix_path_is_kept_as_it_is) {
  const std::string long_path = "/" + std::string(10'000, 'x');
  for (const auto& path : {std::string("/tmp/socket"), std::string("relative"), long_path, std::string("\0name", 5)}) {
    const auto address = SocketAddress::unix_socket(path);
    BOOST_TEST(address.address() == path);
    BOOST_TEST(address.port() == 0);
    BOOST_CHECK(address.family() == Family::unix_path);
    BOOST_TEST(address.family_name() == "unix");
  }
}

BOOST_AUTO_TEST_CASE(the_default_is_any_ipv4_address) {
  BOOST_TEST(SocketAddress() == SocketAddress::ip("0.0.0.0", 0));
}

BOOST_AUTO_TEST_CASE(it_prints_brackets_around_ipv6) {
  BOOST_TEST(SocketAddress::ip("127.0.0.1", 80).to_string() == "127.0.0.1:80");
  BOOST_TEST(SocketAddress::ip("::1", 80).to_string() == "[::1]:80");
  BOOST_TEST(SocketAddress::unix_socket("/tmp/socket").to_string() == "/tmp/socket");
  BOOST_TEST(SocketAddress::unix_socket("relative").to_string() == "unix:relative");
  BOOST_TEST(SocketAddress::unix_socket("@name").to_string() == "unix:./@name");
  BOOST_TEST(SocketAddress::unix_socket(std::string_view("\0name", 5)).to_string() == "unix:@name");
  std::ostringstream out;
  out << SocketAddress::ip("::1", 80);
  BOOST_TEST(out.str() == "[::1]:80");
}

BOOST_AUTO_TEST_CASE(it_parses_addresses_with_and_without_port) {
  const auto parse = [](std::string_view text) { return SocketAddress::parse(text).value(); };
  BOOST_TEST(parse("127.0.0.1:80") == SocketAddress::ip("127.0.0.1", 80));
  BOOST_TEST(parse("127.0.0.1:0") == SocketAddress::ip("127.0.0.1", 0));
  BOOST_TEST(parse("127.0.0.1:65535") == SocketAddress::ip("127.0.0.1", 65535));
  BOOST_TEST(parse("127.0.0.1") == SocketAddress::ip("127.0.0.1", 0));
  BOOST_TEST(parse("[::1]:80") == SocketAddress::ip("::1", 80));
  BOOST_TEST(parse("::1") == SocketAddress::ip("::1", 0));
  BOOST_TEST(parse("::1:80") == SocketAddress::ip("::1:80", 0));
  BOOST_TEST(parse("[fe80::1%4000000000]:80") == SocketAddress::ip("fe80::1%4000000000", 80));
}

BOOST_AUTO_TEST_CASE(it_parses_paths) {
  const auto parse = [](std::string_view text) { return SocketAddress::parse(text).value(); };
  BOOST_TEST(parse("/tmp/socket") == SocketAddress::unix_socket("/tmp/socket"));
  BOOST_TEST(parse("unix:/tmp/socket") == SocketAddress::unix_socket("/tmp/socket"));
  BOOST_TEST(parse("unix:relative") == SocketAddress::unix_socket("relative"));
  BOOST_TEST(parse("unix:@name") == SocketAddress::unix_socket(std::string_view("\0name", 5)));
}

BOOST_AUTO_TEST_CASE(it_does_not_parse_anything_else) {
  for (const auto* text : {"",
                           ":",
                           ":80",
                           "localhost",
                           "localhost:80",
                           "127.0.0.1:",
                           "127.0.0.1:65536",
                           "127.0.0.1:-1",
                           "127.0.0.1:+80",
                           "127.0.0.1: 80",
                           "127.0.0.1:80 ",
                           "127.0.0.1:80a",
                           "127.0.0.1:0x50",
                           "127.0.0.1:99999999999",
                           "256.0.0.1:80",
                           "[127.0.0.1]:80",
                           "[::1]",
                           "[::1]:",
                           "[::1]80",
                           "[::1:80",
                           "::1]:80",
                           "[]:80",
                           "[",
                           "unix:",
                           "unix",
                           "relative"}) {
    BOOST_TEST(!SocketAddress::parse(text).has_value(), text);
  }
}

BOOST_AUTO_TEST_CASE(what_it_prints_it_parses) {
  for (const auto& address : some_of_each()) {
    const auto parsed = SocketAddress::parse(address.to_string());
    BOOST_REQUIRE_MESSAGE(parsed.has_value(), address);
    BOOST_TEST(*parsed == address);
  }
}

BOOST_AUTO_TEST_CASE(different_addresses_are_not_equal) {
  const auto addresses = some_of_each();
  const std::unordered_set<SocketAddress> distinct(addresses.begin(), addresses.end());
  BOOST_TEST(distinct.size() == addresses.size());
  for (const auto& address : some_of_each()) BOOST_TEST(distinct.contains(address), address);
}

BOOST_AUTO_TEST_CASE(the_native_form_keeps_everything) {
  for (const auto& address : some_of_each()) BOOST_TEST(there_and_back(address) == address);
  BOOST_TEST(there_and_back(SocketAddress::unix_socket("")) == SocketAddress::unix_socket(""));
}

BOOST_AUTO_TEST_CASE(the_native_form_is_the_systems) {
  sockaddr_storage storage;
  sockaddr_in ipv4{};
  BOOST_TEST(SocketAddress::ip("1.2.3.4", 0x1234).to_native(storage) == sizeof ipv4);
  std::memcpy(&ipv4, &storage, sizeof ipv4);
  BOOST_TEST(ipv4.sin_family == AF_INET);
  BOOST_TEST(ipv4.sin_port == htons(0x1234));
  BOOST_TEST(ipv4.sin_addr.s_addr == htonl(0x01020304));

  sockaddr_in6 ipv6{};
  BOOST_TEST(SocketAddress::ip("::1%4000000000", 0x1234).to_native(storage) == sizeof ipv6);
  std::memcpy(&ipv6, &storage, sizeof ipv6);
  BOOST_TEST(ipv6.sin6_family == AF_INET6);
  BOOST_TEST(ipv6.sin6_port == htons(0x1234));
  BOOST_TEST(ipv6.sin6_scope_id == 4'000'000'000u);
  BOOST_TEST(std::memcmp(&ipv6.sin6_addr, &in6addr_loopback, sizeof in6addr_loopback) == 0);
}

BOOST_AUTO_TEST_CASE(a_path_is_terminated_and_an_abstract_name_is_not) {
  sockaddr_storage storage;
  constexpr auto offset = offsetof(sockaddr_un, sun_path);
  BOOST_TEST(SocketAddress::unix_socket("/tmp/x").to_native(storage) == offset + 7);
  BOOST_TEST(SocketAddress::unix_socket(std::string_view("\0name", 5)).to_native(storage) == offset + 5);
}

BOOST_AUTO_TEST_CASE(B36_a_path_that_does_not_fit_has_no_native_form) {
  sockaddr_storage storage;
  constexpr auto capacity = sizeof(sockaddr_un::sun_path);
  const std::string fits(capacity - 1, 'x');
  BOOST_TEST(there_and_back(SocketAddress::unix_socket(fits)).address() == fits);
  BOOST_TEST(SocketAddress::unix_socket(fits + 'x').to_native(storage) == 0u);
  BOOST_TEST(SocketAddress::unix_socket(std::string(10'000, 'x')).to_native(storage) == 0u);

  const auto name = '\0' + fits;
  BOOST_TEST(there_and_back(SocketAddress::unix_socket(name)).address() == name);
  BOOST_TEST(SocketAddress::unix_socket(name + 'x').to_native(storage) == 0u);
}

BOOST_AUTO_TEST_CASE(a_path_with_a_nul_inside_has_no_native_form) {
  sockaddr_storage storage;
  BOOST_TEST(SocketAddress::unix_socket(std::string_view("/tmp/a\0b", 8)).to_native(storage) == 0u);
}

BOOST_AUTO_TEST_CASE(a_native_path_ends_at_its_nul_or_at_its_length) {
  sockaddr_un native{};
  native.sun_family = AF_UNIX;
  std::ranges::fill(native.sun_path, 'x');
  const auto read = [&](std::size_t length) {
    return SocketAddress::from_native(reinterpret_cast<const sockaddr*>(&native), static_cast<socklen_t>(length))
        .value()
        .address();
  };
  constexpr auto offset = offsetof(sockaddr_un, sun_path);
  BOOST_TEST(read(sizeof native) == std::string(sizeof native.sun_path, 'x'));
  BOOST_TEST(read(offset + 3) == "xxx");
  BOOST_TEST(read(offset).empty());
  native.sun_path[2] = '\0';
  BOOST_TEST(read(sizeof native) == "xx");
}

BOOST_AUTO_TEST_CASE(a_native_address_that_is_cut_off_or_unknown_gives_nothing) {
  for (const auto& address : {SocketAddress::ip("127.0.0.1", 80), SocketAddress::ip("::1", 80)}) {
    sockaddr_storage storage;
    const auto size = address.to_native(storage);
    const auto* const native = reinterpret_cast<const sockaddr*>(&storage);
    BOOST_TEST(!SocketAddress::from_native(native, size - 1).has_value());
    BOOST_TEST(!SocketAddress::from_native(native, 0).has_value());
    storage.ss_family = AF_UNSPEC;
    BOOST_TEST(!SocketAddress::from_native(native, size).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()
