#include <libnet/block_list.hpp>
#include <libnet/error.hpp>

#include "detail/address_rules.hpp"
#include "support/seed.hpp"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using libnet::BlockList;
using libnet::Errc;
using libnet::SocketAddress;

using Texts = std::vector<std::string>;
using Rule = std::function<void(BlockList&)>;

// What a rule of each kind matches and does not, next to its borders above all.
struct Matching {
  std::string_view name;
  Rule add;
  std::vector<const char*> inside;
  std::vector<const char*> outside;
};

std::vector<Matching> matching_rules() {
  return {
      {"an IPv4 address",
       [](BlockList& list) { list.add_address("123.123.123.123"); },
       {"123.123.123.123", "::ffff:123.123.123.123", "::ffff:7b7b:7b7b"},
       {"123.123.123.122", "123.123.123.124", "0.0.0.0", "::123.123.123.123", "::fffe:7b7b:7b7b", "::"}},
      {"an IPv6 address",
       [](BlockList& list) { list.add_address("2001:DB8::1"); },
       {"2001:db8::1", "2001:0db8:0:0:0:0:0:1", "2001:db8::1%4000000000"},
       {"2001:db8::", "2001:db8::2", "::1", "0.0.0.1"}},
      {"an IPv4-mapped address",
       [](BlockList& list) { list.add_address("::ffff:10.0.0.1"); },
       {"::ffff:10.0.0.1", "10.0.0.1"},
       {"10.0.0.2", "::10.0.0.1"}},
      {"an address with a zone",
       [](BlockList& list) { list.add_address("fe80::1%4000000000"); },
       {"fe80::1", "fe80::1%4000000000", "fe80::1%4000000001"},
       {"fe80::2%4000000000"}},
      {"an IPv4 range",
       [](BlockList& list) { list.add_range("10.0.0.250", "10.0.1.5"); },
       {"10.0.0.250", "10.0.0.255", "10.0.1.0", "10.0.1.5", "::ffff:10.0.1.0"},
       {"10.0.0.249", "10.0.1.6", "::ffff:10.0.1.6", "11.0.0.255", "::10.0.1.0"}},
      {"an IPv6 range",
       [](BlockList& list) { list.add_range("2001:db8::fffe", "2001:db8::1:1"); },
       {"2001:db8::fffe", "2001:db8::ffff", "2001:db8::1:0", "2001:db8::1:1"},
       {"2001:db8::fffd", "2001:db8::1:2", "255.254.0.0"}},
      {"a range of one",
       [](BlockList& list) { list.add_range("10.0.0.1", "10.0.0.1"); },
       {"10.0.0.1"},
       {"10.0.0.0", "10.0.0.2"}},
      {"an IPv4 subnet",
       [](BlockList& list) { list.add_subnet("192.168.1.0", 24); },
       {"192.168.1.0", "192.168.1.77", "192.168.1.255", "::ffff:192.168.1.1"},
       {"192.168.0.255", "192.168.2.0", "::192.168.1.1"}},
      {"an IPv4 subnet that ends inside a byte",
       [](BlockList& list) { list.add_subnet("172.16.0.0", 12); },
       {"172.16.0.0", "172.31.255.255"},
       {"172.15.255.255", "172.32.0.0"}},
      {"a subnet told by an address in it",
       [](BlockList& list) { list.add_subnet("10.1.2.3", 8); },
       {"10.0.0.0", "10.255.255.255"},
       {"9.255.255.255", "11.0.0.0"}},
      {"a subnet of one",
       [](BlockList& list) { list.add_subnet("10.0.0.1", 32); },
       {"10.0.0.1"},
       {"10.0.0.0", "10.0.0.2"}},
      {"all of IPv4",
       [](BlockList& list) { list.add_subnet("0.0.0.0", 0); },
       {"0.0.0.0", "255.255.255.255", "::ffff:1.2.3.4"},
       {"::", "::fffe:ffff:ffff", "::1:0:0:0", "2001:db8::1"}},
      {"an IPv6 subnet",
       [](BlockList& list) { list.add_subnet("8592:757c:efae:4e45::", 64); },
       {"8592:757c:efae:4e45::", "8592:757c:efae:4e45:ffff:ffff:ffff:ffff"},
       {"8592:757c:efae:4e44:ffff:ffff:ffff:ffff", "8592:757c:efae:4e46::"}},
      {"a subnet of IPv4-mapped addresses",
       [](BlockList& list) { list.add_subnet("::ffff:10.0.0.0", 104); },
       {"10.0.0.0", "10.255.255.255", "::ffff:10.1.1.1"},
       {"9.255.255.255", "11.0.0.0"}},
      {"all addresses", [](BlockList& list) { list.add_subnet("::", 0); }, {"::", "ffff::", "1.2.3.4"}, {}},
      {"IPv4 CIDR text",
       [](BlockList& list) { list.add_cidr("10.0.0.0/8"); },
       {"10.0.0.0", "10.255.255.255"},
       {"9.255.255.255", "11.0.0.0"}},
      {"IPv6 CIDR text",
       [](BlockList& list) { list.add_cidr("fc00::/7"); },
       {"fc00::", "fdff:ffff::1"},
       {"fbff:ffff::", "fe00::"}},
  };
}

// The same calls by text and by address; each says whether something was removed.
struct Pairing {
  std::string_view rule;
  Rule add;
  std::function<bool(BlockList&)> remove;
};

std::vector<Pairing> pairings() {
  const auto ip = [](const char* text) { return SocketAddress::ip(text, 80); };
  return {
      {"Address: IPv4 10.0.0.5", [](BlockList& list) { list.add_address("10.0.0.5"); },
       [=](BlockList& list) { return list.remove_address(ip("10.0.0.5")); }},
      {"Address: IPv6 2001:db8::1", [=](BlockList& list) { list.add_address(ip("2001:db8::1")); },
       [](BlockList& list) { return list.remove_address("2001:db8::1"); }},
      {"Range: IPv4 10.0.0.1-10.0.0.10", [](BlockList& list) { list.add_range("10.0.0.1", "10.0.0.10"); },
       [=](BlockList& list) { return list.remove_range(ip("10.0.0.1"), ip("10.0.0.10")); }},
      {"Range: IPv6 ::1-::9", [=](BlockList& list) { list.add_range(ip("::1"), ip("::9")); },
       [](BlockList& list) { return list.remove_range("::1", "::9"); }},
      {"Subnet: IPv4 192.168.1.0/24", [](BlockList& list) { list.add_subnet("192.168.1.0", 24); },
       [=](BlockList& list) { return list.remove_subnet(ip("192.168.1.77"), 24); }},
      {"Subnet: IPv6 fc00::/7", [=](BlockList& list) { list.add_subnet(ip("fdff::"), 7); },
       [](BlockList& list) { return list.remove_cidr("fc00::/7"); }},
      {"Subnet: IPv4 0.0.0.0/0", [](BlockList& list) { list.add_cidr("0.0.0.0/0"); },
       [](BlockList& list) { return list.remove_subnet("1.2.3.4", 0); }},
      {"Subnet: IPv6 ::/0", [](BlockList& list) { list.add_cidr("::/0"); },
       [](BlockList& list) { return list.remove_subnet("::", 0); }},
      {"Subnet: IPv6 ::1/128", [](BlockList& list) { list.add_cidr("::1/128"); },
       [](BlockList& list) { return list.remove_cidr("::1/128"); }},
      {"Address: IPv6 ::ffff:1.2.3.4", [](BlockList& list) { list.add_address("::ffff:102:304"); },
       [](BlockList& list) { return list.remove_address("::ffff:1.2.3.4"); }},
  };
}

// What each call refuses, and how.
struct Refused {
  std::string_view name;
  Rule call;
  Errc code;
};

std::vector<Refused> refused_calls() {
  const auto path = SocketAddress::unix_socket("/tmp/socket");
  std::vector<Refused> calls = {
      {"no address", [](BlockList& list) { list.add_address(""); }, Errc::invalid_address},
      {"a name", [](BlockList& list) { list.add_address("localhost"); }, Errc::invalid_address},
      {"CIDR for an address", [](BlockList& list) { list.add_address("10.0.0.0/8"); }, Errc::invalid_address},
      {"a path", [=](BlockList& list) { list.add_address(path); }, Errc::invalid_address},
      {"a path's range", [=](BlockList& list) { list.add_range(path, path); }, Errc::invalid_address},
      {"a path's subnet", [=](BlockList& list) { list.add_subnet(path, 8); }, Errc::invalid_address},
      {"removing no address", [](BlockList& list) { list.remove_address("1.2.3"); }, Errc::invalid_address},
      {"checking no address", [](BlockList& list) { (void)list.check("1.2.3"); }, Errc::invalid_address},
      {"checking nothing", [](BlockList& list) { (void)list.check(""); }, Errc::invalid_address},
      {"no first", [](BlockList& list) { list.add_range("", "10.0.0.1"); }, Errc::invalid_address},
      {"no last", [](BlockList& list) { list.add_range("10.0.0.1", "x"); }, Errc::invalid_address},
      {"last before first", [](BlockList& list) { list.add_range("10.0.0.2", "10.0.0.1"); }, Errc::invalid_argument},
      {"last before first, IPv6", [](BlockList& list) { list.add_range("2::", "1::"); }, Errc::invalid_argument},
      {"two families", [](BlockList& list) { list.add_range("10.0.0.1", "ffff::"); }, Errc::invalid_argument},
      {"two notations", [](BlockList& list) { list.add_range("::ffff:1.1.1.1", "1.1.1.2"); }, Errc::invalid_argument},
      {"removing mixed", [](BlockList& list) { list.remove_range("10.0.0.1", "::"); }, Errc::invalid_argument},
      {"a name's subnet", [](BlockList& list) { list.add_subnet("localhost", 8); }, Errc::invalid_address},
      {"prefix 33", [](BlockList& list) { list.add_subnet("10.0.0.0", 33); }, Errc::out_of_range},
      {"prefix 129", [](BlockList& list) { list.add_subnet("::", 129); }, Errc::out_of_range},
      {"prefix -1", [](BlockList& list) { list.add_subnet("10.0.0.0", -1); }, Errc::out_of_range},
      {"removing 33", [](BlockList& list) { list.remove_subnet("10.0.0.0", 33); }, Errc::out_of_range},
  };
  const std::vector<std::pair<const char*, Errc>> cidrs = {{"", Errc::invalid_argument},
                                                           {"10.0.0.0", Errc::invalid_argument},
                                                           {"10.0.0.0/", Errc::invalid_argument},
                                                           {"10.0.0.0/8a", Errc::invalid_argument},
                                                           {"10.0.0.0/+8", Errc::invalid_argument},
                                                           {"10.0.0.0/-8", Errc::invalid_argument},
                                                           {"10.0.0.0/08", Errc::invalid_argument},
                                                           {"10.0.0.0/ 8", Errc::invalid_argument},
                                                           {"10.0.0.0/8/8", Errc::invalid_argument},
                                                           {"10.0.0.0/33", Errc::out_of_range},
                                                           {"::/129", Errc::out_of_range},
                                                           {"::/99999999999999999999", Errc::out_of_range},
                                                           {"/8", Errc::invalid_address},
                                                           {"10.0.0/8", Errc::invalid_address},
                                                           {" 10.0.0.0/8", Errc::invalid_address}};
  for (const auto& [text, code] : cidrs) {
    calls.push_back({text, [text = text](BlockList& list) { list.add_cidr(text); }, code});
    calls.push_back({text, [text = text](BlockList& list) { list.remove_cidr(text); }, code});
  }
  return calls;
}

SocketAddress random_address(std::mt19937_64& random) {
  // Few addresses, so that rules meet: 10.0.0.0/24, some in the mapped form.
  const std::string text = "10.0.0." + std::to_string(random() % 256);
  return SocketAddress::ip(random() % 8 == 0 ? "::ffff:" + text : text, 0);
}

/// Asks every rule in turn.
bool matched(const std::vector<libnet::detail::AddressRule>& rules, const SocketAddress& address) {
  const auto bytes = libnet::detail::ip_bytes(address).value();
  return std::ranges::any_of(rules, [&](const auto& rule) { return rule.first <= bytes && bytes <= rule.last; });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(block_list)

BOOST_AUTO_TEST_CASE(B106_each_kind_of_rule_matches_its_addresses) {
  for (const auto& rule : matching_rules()) {
    BOOST_TEST_CONTEXT(rule.name) {
      BlockList list;
      rule.add(list);
      for (const auto* address : rule.inside) {
        BOOST_TEST(list.check(address), address);
        BOOST_TEST(list.check(SocketAddress::ip(address, 80)), address);
      }
      for (const auto* address : rule.outside) {
        BOOST_TEST(!list.check(address), address);
        BOOST_TEST(!list.check(SocketAddress::ip(address, 80)), address);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(B106_an_empty_list_matches_nothing) {
  const BlockList list;
  BOOST_TEST(list.size() == 0u);
  BOOST_TEST(list.rules().empty());
  for (const auto* address : {"0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "ffff::"}) {
    BOOST_TEST(!list.check(address), address);
  }
}

BOOST_AUTO_TEST_CASE(B106_a_path_is_matched_by_nothing) {
  BlockList list;
  list.add_subnet("::", 0);
  BOOST_TEST(!list.check(SocketAddress::unix_socket("/tmp/socket")));
  BOOST_TEST(!list.check(SocketAddress::unix_socket("")));
}

BOOST_AUTO_TEST_CASE(B106_each_rule_is_listed_and_can_be_removed) {
  for (const auto& rule : pairings()) {
    BOOST_TEST_CONTEXT(rule.rule) {
      BlockList list;
      BOOST_TEST(!rule.remove(list));
      rule.add(list);
      BOOST_TEST(list.rules() == Texts({std::string(rule.rule)}), boost::test_tools::per_element());
      rule.add(list);
      BOOST_TEST(list.size() == 1u);
      BOOST_TEST(rule.remove(list));
      BOOST_TEST(list.size() == 0u);
      BOOST_TEST(!rule.remove(list));
    }
  }
}

BOOST_AUTO_TEST_CASE(B106_wrong_arguments_throw_and_change_nothing) {
  for (const auto& refused : refused_calls()) {
    BOOST_TEST_CONTEXT(refused.name) {
      BlockList list;
      list.add_address("10.0.0.1");
      BOOST_CHECK_EXCEPTION(refused.call(list), libnet::SystemError,
                            [&](const auto& thrown) { return thrown.code() == refused.code; });
      BOOST_TEST(list.size() == 1u);
    }
  }
}

BOOST_AUTO_TEST_CASE(B106_what_another_rule_covers_stays_covered) {
  BlockList list;
  list.add_address("10.0.0.5");
  list.add_range("10.0.0.1", "10.0.0.10");
  list.add_subnet("10.0.0.8", 29);
  BOOST_TEST(list.size() == 3u);
  BOOST_TEST(list.remove_range("10.0.0.1", "10.0.0.10"));
  BOOST_TEST(list.check("10.0.0.5"));
  BOOST_TEST(!list.check("10.0.0.4"));
  BOOST_TEST(!list.check("10.0.0.6"));
  BOOST_TEST(list.check("10.0.0.8"));
  BOOST_TEST(!list.remove_address("10.0.0.8"));
  BOOST_TEST(list.check("10.0.0.8"));
  BOOST_TEST(list.remove_address("10.0.0.5"));
  BOOST_TEST(!list.check("10.0.0.5"));
  BOOST_TEST(list.remove_subnet("10.0.0.8", 29));
  BOOST_TEST(!list.check("10.0.0.8"));
}

BOOST_AUTO_TEST_CASE(B106_rules_over_the_same_addresses_are_rules_of_their_own) {
  BlockList list;
  list.add_address("10.0.0.1");
  list.add_address("::ffff:10.0.0.1");
  list.add_range("10.0.0.1", "10.0.0.1");
  list.add_subnet("10.0.0.1", 32);
  BOOST_TEST(list.size() == 4u);
  BOOST_TEST(list.remove_address("10.0.0.1"));
  BOOST_TEST(list.remove_range("10.0.0.1", "10.0.0.1"));
  BOOST_TEST(list.remove_subnet("10.0.0.1", 32));
  BOOST_TEST(list.check("10.0.0.1"));
  BOOST_TEST(list.remove_address("::ffff:10.0.0.1"));
  BOOST_TEST(!list.check("10.0.0.1"));
}

BOOST_AUTO_TEST_CASE(B106_the_rules_are_ordered_by_address) {
  BlockList list;
  list.add_address("fe80::1");
  list.add_cidr("192.168.0.0/16");
  list.add_range("10.0.0.1", "10.0.0.9");
  list.add_address("10.0.0.1");
  BOOST_TEST(list.rules() == Texts({"Range: IPv4 10.0.0.1-10.0.0.9", "Address: IPv4 10.0.0.1",
                                    "Subnet: IPv4 192.168.0.0/16", "Address: IPv6 fe80::1"}),
             boost::test_tools::per_element());
  list.clear();
  BOOST_TEST(list.size() == 0u);
  BOOST_TEST(list.rules().empty());
  BOOST_TEST(!list.check("10.0.0.1"));
  list.clear();
}

BOOST_AUTO_TEST_CASE(B106_copies_share_the_rules) {
  BlockList list;
  const BlockList before = list;
  BlockList after;
  after.add_address("10.0.0.2");
  list.add_address("10.0.0.1");
  BOOST_TEST(before.check("10.0.0.1"));
  after = list;
  BOOST_TEST(!after.check("10.0.0.2"));
  after.add_address("10.0.0.3");
  BOOST_TEST(before.check("10.0.0.3"));
  BlockList moved = std::move(after);
  moved.clear();
  BOOST_TEST(before.size() == 0u);
  after.add_address("10.0.0.4");  // NOLINT(bugprone-use-after-move): a list is never empty-handed
  BOOST_TEST(before.check("10.0.0.4"));
}

BOOST_AUTO_TEST_CASE(B106_any_mix_of_rules_matches_what_its_rules_match) {
  std::mt19937_64 random(libnet::test::seed());
  for (int round = 0; round < 50; ++round) {
    libnet::detail::AddressRules rules;
    std::vector<libnet::detail::AddressRule> there;
    for (int step = 0; step < 60; ++step) {
      using libnet::detail::AddressRule;
      if (!there.empty() && random() % 3 == 0) {
        const auto gone = there.begin() + static_cast<std::ptrdiff_t>(random() % there.size());
        BOOST_TEST(rules.erase(*gone));
        there.erase(gone);
      } else {
        const auto address = random_address(random);
        const bool ipv4 = address.family() == libnet::Family::ipv4;
        auto rule = AddressRule::address(address);
        if (random() % 2 == 0) rule = AddressRule::subnet(address, static_cast<int>((ipv4 ? 26 : 122) + random() % 7));
        if (random() % 3 == 0) {
          const auto last = std::min<std::uint64_t>(rule.first.back() + random() % 40, 255);
          const auto first = SocketAddress::ip("10.0.0." + std::to_string(rule.first.back()), 0);
          rule = AddressRule::range(first, SocketAddress::ip("10.0.0." + std::to_string(last), 0));
        }
        if (rules.insert(rule)) there.push_back(rule);
      }
      BOOST_TEST_REQUIRE(rules.size() == there.size());
      for (int i = 0; i < 256; ++i) {
        const auto address = SocketAddress::ip("10.0.0." + std::to_string(i), 0);
        const bool expected = matched(there, address);
        BOOST_REQUIRE_EQUAL(rules.covers(libnet::detail::ip_bytes(address).value()), expected);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(B106_many_rules_are_added_asked_and_removed) {
  BlockList list;
  const auto address = [](int i) {
    return "10." + std::to_string(i / 65536) + '.' + std::to_string(i / 256 % 256) + '.' + std::to_string(i % 256);
  };
  constexpr int many = 100'000;  // a linear scan for each would take minutes
  list.add_cidr("10.0.0.0/9");
  for (int i = 0; i < many; i += 2) list.add_address(address(i));
  BOOST_TEST(list.size() == 1u + many / 2);
  BOOST_TEST(list.remove_cidr("10.0.0.0/9"));
  for (int i = 0; i < many; ++i) BOOST_REQUIRE_EQUAL(list.check(address(i)), i % 2 == 0);
  list.add_cidr("10.0.0.0/9");
  for (int i = 0; i < many; i += 2) BOOST_REQUIRE(list.remove_address(address(i)));
  BOOST_TEST(list.size() == 1u);
  BOOST_TEST(list.check("10.0.0.1"));
}

BOOST_AUTO_TEST_CASE(B106_the_private_ranges_hold_what_is_not_public) {
  BlockList list;
  for (const auto range : libnet::private_ranges) list.add_cidr(range);
  BOOST_TEST(list.size() == libnet::private_ranges.size());
  for (const auto* address : {"0.0.0.0",
                              "10.0.0.0",
                              "10.255.255.255",
                              "100.64.0.0",
                              "100.127.255.255",
                              "127.0.0.1",
                              "127.255.255.254",
                              "169.254.169.254",
                              "172.16.0.1",
                              "172.31.255.255",
                              "192.168.0.1",
                              "192.168.255.255",
                              "::",
                              "::1",
                              "fc00::1",
                              "fdff::1",
                              "fe80::1",
                              "febf::1",
                              "fec0::1",
                              "::ffff:127.0.0.1",
                              "::ffff:10.0.0.1"}) {
    BOOST_TEST(list.check(address), address);
  }
  for (const auto* address : {"1.1.1.1",
                              "9.255.255.255",
                              "11.0.0.0",
                              "100.63.255.255",
                              "100.128.0.0",
                              "126.255.255.255",
                              "128.0.0.0",
                              "169.253.255.255",
                              "169.255.0.0",
                              "172.15.255.255",
                              "172.32.0.0",
                              "192.167.255.255",
                              "192.169.0.0",
                              "8.8.8.8",
                              "::2",
                              "fbff::1",
                              "fe00::1",
                              "ff02::1",
                              "2001:4860:4860::8888",
                              "::ffff:8.8.8.8"}) {
    BOOST_TEST(!list.check(address), address);
  }
}

BOOST_AUTO_TEST_CASE(B106_json_has_nodes_form) {
  BlockList list;
  BOOST_TEST(list.to_json() == "[]");
  list.add_address("10.0.0.5");
  list.add_range("10.0.0.1", "10.0.0.10");
  list.add_subnet("192.168.1.0", 24);
  BOOST_TEST(list.to_json() ==
             R"(["Range: IPv4 10.0.0.1-10.0.0.10","Address: IPv4 10.0.0.5","Subnet: IPv4 192.168.1.0/24"])");
}

BOOST_AUTO_TEST_CASE(B106_what_it_writes_as_json_it_reads) {
  BlockList list;
  for (const auto& rule : pairings()) rule.add(list);
  BlockList other;
  other.from_json(list.to_json());
  BOOST_TEST(other.rules() == list.rules(), boost::test_tools::per_element());
  BOOST_TEST(other.size() == pairings().size());
}

BOOST_AUTO_TEST_CASE(B106_json_adds_to_what_is_there) {
  BlockList list;
  list.add_address("10.0.0.1");
  list.from_json(" [ \"Address: IPv4 10.0.0.2\" ,\n \"Subnet: \\u0049Pv6 fc00::/7\" ] ");
  list.from_json("[]");
  BOOST_TEST(list.size() == 3u);
  for (const auto* address : {"10.0.0.1", "10.0.0.2", "fd00::1"}) BOOST_TEST(list.check(address), address);
}

BOOST_AUTO_TEST_CASE(B106_B263_the_zone_of_an_address_may_hold_what_stands_between_two) {
  BlockList list;
  list.from_json(R"(["Range: IPv6 fe80::1%wg-a-b-fe80::5%wg-c"])");
  BOOST_TEST(list.rules() == Texts{"Range: IPv6 fe80::1-fe80::5"});
}

BOOST_AUTO_TEST_CASE(B106_json_that_holds_no_rules_throws_and_adds_nothing) {
  const std::vector<std::pair<std::string, Errc>> texts = {
      {"", Errc::invalid_argument},
      {"[", Errc::invalid_argument},
      {"[] []", Errc::invalid_argument},
      {"{}", Errc::invalid_argument},
      {"null", Errc::invalid_argument},
      {R"("Address: IPv4 10.0.0.5")", Errc::invalid_argument},
      {"[1]", Errc::invalid_argument},
      {R"([["Address: IPv4 10.0.0.5"]])", Errc::invalid_argument},
      {R"(["Address: IPv4 10.0.0.5",])", Errc::invalid_argument},
      {R"([""])", Errc::invalid_argument},
      {R"(["10.0.0.5"])", Errc::invalid_argument},
      {R"(["address: IPv4 10.0.0.5"])", Errc::invalid_argument},
      {R"(["Host: IPv4 10.0.0.5"])", Errc::invalid_argument},
      {R"(["Address: 10.0.0.5"])", Errc::invalid_argument},
      {R"(["Address: IPv5 10.0.0.5"])", Errc::invalid_argument},
      {R"(["Address: IPv6 10.0.0.5"])", Errc::invalid_argument},
      {R"(["Address: IPv4 ::1"])", Errc::invalid_argument},
      {R"(["Address: IPv4 10.0.0"])", Errc::invalid_address},
      {R"(["Address: IPv4  10.0.0.5"])", Errc::invalid_address},
      {R"(["Address: IPv4 10.0.0.5\u0000"])", Errc::invalid_address},
      {R"(["Range: IPv4 10.0.0.5"])", Errc::invalid_argument},
      {R"(["Range: IPv4 10.0.0.5-"])", Errc::invalid_address},
      {R"(["Range: IPv4 10.0.0.5-10.0.0.4"])", Errc::invalid_argument},
      {R"(["Range: IPv4 10.0.0.5-::1"])", Errc::invalid_argument},
      {R"(["Subnet: IPv4 10.0.0.0"])", Errc::invalid_argument},
      {R"(["Subnet: IPv4 10.0.0.0/33"])", Errc::out_of_range},
      {R"(["Address: IPv4 10.0.0.5", "Address: IPv4 10.0.0.256"])", Errc::invalid_address},
      {std::string(1000, '['), Errc::invalid_argument}};
  for (const auto& [text, code] : texts) {
    BOOST_TEST_CONTEXT(text) {
      BlockList list;
      list.add_address("10.0.0.1");
      BOOST_CHECK_EXCEPTION(list.from_json(text), libnet::SystemError,
                            [code = code](const auto& thrown) { return thrown.code() == code; });
      BOOST_TEST(list.size() == 1u);
    }
  }
}

BOOST_AUTO_TEST_CASE(B106_the_message_names_the_rule_that_is_wrong) {
  BlockList list;
  BOOST_CHECK_EXCEPTION(
      list.from_json(R"(["Address: IPv4 10.0.0.5", "Subnet: IPv4 10.0.0.0/33"])"), libnet::SystemError,
      [](const auto& thrown) { return std::string_view(thrown.what()).ends_with(R"(: "Subnet: IPv4 10.0.0.0/33")"); });
}

BOOST_AUTO_TEST_SUITE_END()
