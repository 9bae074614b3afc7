#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <libnet/block_list.hpp>

#include "support/behaviour.hpp"

using namespace libnet::test;
using libnet::BlockList;
using libnet::Server;
using libnet::Socket;

// One list, changed in some threads and asked in others. The thread sanitizer runs these.

BOOST_AUTO_TEST_SUITE(block_list_threads)

BOOST_AUTO_TEST_CASE(B106_all_calls_from_several_threads) {
  BlockList list;
  list.add_cidr("192.168.0.0/16");  // stays
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&wrong, mine = list, thread]() mutable {
      const std::string address = "10.0.0." + std::to_string(thread);
      for (int i = 0; i < 500; ++i) {
        mine.add_address(address);
        const BlockList copy = mine;
        if (!copy.check(address) || !copy.check("192.168.1.1") || copy.check("11.0.0.1")) ++wrong;
        if (copy.size() < 2 || copy.to_json().find(address) == std::string::npos) ++wrong;
        mine.from_json("[\"Address: IPv4 " + address + "\"]");
        if (!mine.remove_address(address) || mine.check(address)) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(wrong == 0);
  BOOST_TEST(list.size() == 1u);
}

BOOST_AUTO_TEST_CASE(B106_a_server_is_told_from_another_thread) {
  for (const auto reactor : {libnet::ReactorKind::epoll, libnet::ReactorKind::portable}) {
    World world({Wire::tcp4, reactor});
    BlockList list;
    Server server(world.io(), {.block_list = &list});
    std::size_t served = 0;
    server.on(event::connection, [&](const Socket&) { ++served; });
    world.listen(server);
    std::atomic<bool> done{false};
    std::thread other([&] {
      for (bool blocked = true; !done; blocked = !blocked) {
        if (blocked) {
          list.add_address("127.0.0.1");
        } else {
          list.remove_address("127.0.0.1");
        }
      }
    });
    std::size_t closed = 0;
    const auto connect_100 = [&] {
      for (int i = 0; i < 100; ++i) {
        Socket client(world.io());
        client.on(event::close, [&](bool) { ++closed; });
        world.connect(client, server);
      }
    };
    connect_100();
    world.run_until([&] { return closed == 100; });
    done = true;
    other.join();
    BOOST_TEST(served <= 100u);
    list.clear();
    const std::size_t before = served;
    connect_100();
    world.run_until([&] { return closed == 200; });
    BOOST_TEST(served == before + 100);
  }
}

BOOST_AUTO_TEST_SUITE_END()
