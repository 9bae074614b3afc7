#include "support/behaviour.hpp"
#include "support/writes.hpp"
#include "transport/memory_transport.hpp"

#include <algorithm>
#include <array>
#include <cstring>

using namespace libnet::test;
using libnet::Bytes;
using libnet::Chunk;
using libnet::error_code;
using libnet::Socket;
using libnet::transport::MemoryTransport;

// Contract 4: any number of writers; every message is contiguous, in the order of the calls. And how they leave.

namespace {

/// The order of the calls over all writers, the writer, its own count, the length of the body.
struct Header {
  std::uint32_t call;
  std::uint32_t writer;
  std::uint32_t number;
  std::uint32_t size;
};

class Messages {
 public:
  std::string make(std::uint32_t writer, std::uint32_t number) {
    const std::uint32_t size = number % 1000 == 0 ? 20'000 : (writer * 31 + number * 7) % 90;
    const Header header{calls_++, writer, number, size};
    std::string message(sizeof header + size, static_cast<char>(header.call));
    std::memcpy(message.data(), &header, sizeof header);
    return message;
  }
  std::uint32_t calls() const { return calls_; }

 private:
  std::uint32_t calls_ = 0;
};

/// Takes a stream apart; notices what is torn, lost, repeated or out of order.
class Reader {
 public:
  void take(std::string_view bytes) {
    rest_ += bytes;
    std::size_t used = 0;
    while (rest_.size() - used >= sizeof(Header)) {
      Header header;
      std::memcpy(&header, rest_.data() + used, sizeof header);
      good_ = good_ && header.writer < numbers_.size() && header.size <= 20'000;
      if (!good_) return;
      if (rest_.size() - used < sizeof header + header.size) break;
      const std::string_view body(rest_.data() + used + sizeof header, header.size);
      good_ = good_ && header.call == messages_ && header.number == numbers_[header.writer]++ &&
              body.find_first_not_of(static_cast<char>(header.call)) == std::string_view::npos;
      ++messages_;
      used += sizeof header + header.size;
    }
    rest_.erase(0, used);
  }
  bool good() const { return good_ && rest_.empty(); }
  std::uint32_t messages() const { return messages_; }

 private:
  std::string rest_;
  std::array<std::uint32_t, 16> numbers_{};
  std::uint32_t messages_ = 0;
  bool good_ = true;
};

asio::awaitable<void> write_all(Socket socket, Messages* messages, std::uint32_t writer, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::string message = messages->make(writer, i);
    const std::size_t written = co_await socket.async_write(message);
    if (written != message.size()) BOOST_ERROR("a write completed early");
  }
}

/// Writes the next message from the callback of the one before; some in bursts, in every form that write() takes.
class CallbackWriter {
 public:
  CallbackWriter(Socket socket, Messages& messages, std::uint32_t writer, std::uint32_t count)
      : socket_(std::move(socket)), messages_(messages), writer_(writer), count_(count) {}

  void go_on() {
    if (--waiting_ > 0 || number_ == count_) return;
    waiting_ = std::min(count_ - number_, 1 + number_ % 5);
    const std::uint32_t burst = waiting_;
    for (std::uint32_t i = 0; i < burst; ++i) write_one();
  }

 private:
  void write_one() {
    std::string message = messages_.make(writer_, number_++);
    const auto next = [this](error_code code) {
      if (code) BOOST_ERROR("a write failed");
      go_on();
    };
    switch (number_ % 3) {
      case 0: socket_.write(std::string_view(message), next); break;
      case 1: socket_.write(std::move(message), next); break;
      default: socket_.write(Bytes(std::move(message)), next); break;
    }
  }

  Socket socket_;
  Messages& messages_;
  std::uint32_t writer_;
  std::uint32_t count_;
  std::uint32_t number_ = 0;
  std::uint32_t waiting_ = 1;
};

}  // namespace

BEHAVIOUR(R33_sixteen_writers_of_ten_thousand_messages, all_wires) {
  const std::uint32_t count = world.wire() == Wire::tcp4 || world.wire() == Wire::memory ? 10'000 : 2'000;
  auto [client, server] = world.pair();
  Reader reader;
  Messages messages;
  server.on(event::data, [&, client = client](Chunk chunk) mutable {
    reader.take(chunk);
    if (reader.messages() == 16 * count) client.end();
  });
  std::vector<std::unique_ptr<CallbackWriter>> writers;
  for (std::uint32_t writer = 0; writer < 16; ++writer) {
    if (writer % 2 == 0) {
      world.spawn(write_all(client, &messages, writer, count));
    } else {
      writers.push_back(std::make_unique<CallbackWriter>(client, messages, writer, count));
      writers.back()->go_on();
    }
  }
  world.run();
  BOOST_TEST(messages.calls() == 16 * count);
  BOOST_TEST(reader.messages() == 16 * count);
  BOOST_TEST(reader.good());
}

BEHAVIOUR(R34_writes_from_inside_listeners_and_completions, all_wires) {
  auto [client, server] = world.pair({.high_water_mark = 1});
  std::string received;
  std::string sent;
  int left = 300;
  auto write_next = [&, client = client](const char* from) mutable {
    if (left == 0) return;
    const std::string text = std::string(from) + std::to_string(left--) + ",";
    sent += text;
    const auto corked = client.corked();  // so that the mark is reached, and 'drain' comes
    if (left % 2 == 0) {
      client.write(text);
    } else {
      client.async_write(std::string(text), [](error_code, std::size_t) {});
    }
  };
  server.on(event::data, [&, server = server](Chunk chunk) mutable {
    received += chunk;
    server.write("reply");
  });
  client.on(event::data, [&](Chunk) { write_next("data"); });
  client.on(event::drain, [&, client = client]() mutable {
    write_next("drain");
    if (left == 0) {
      client.end();
      return;
    }
    const std::string text = "write" + std::to_string(left--) + ",";
    sent += text;
    client.write(text, [&] { write_next("callback"); });
  });
  write_next("start");
  world.run();
  BOOST_TEST(left == 0);
  BOOST_TEST(received == sent);
  BOOST_TEST(sent.find("data") != std::string::npos);
  BOOST_TEST(sent.find("callback") != std::string::npos);
}

BEHAVIOUR(B220_async_write_completes_with_its_size, all_wires) {
  auto [client, server] = world.pair();
  std::size_t received = 0;
  server.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
  std::size_t sent = 0;
  world.await([](Socket socket, std::size_t* total) -> asio::awaitable<void> {
    for (const std::size_t size : {0U, 1U, 100U, 16U * 1024U, 64U * 1024U, 65'537U, 3'000'000U}) {
      const std::string data(size, 'x');
      BOOST_TEST(co_await socket.async_write(data) == size);
      BOOST_TEST(co_await socket.async_write(std::string(data)) == size);
      *total += 2 * size;
    }
    const std::string large(200'000, 'x');
    const std::size_t some = co_await socket.async_write_some(asio::buffer(large));
    BOOST_TEST(some > 0U);
    BOOST_TEST(some <= 64U * 1024U);
    *total += some;
    co_await socket.async_end();
  }(client, &sent));
  world.run();
  BOOST_TEST(received == sent);
}

BEHAVIOUR(B220_an_empty_write_completes_behind_those_before_it, all_wires) {
  auto [client, server] = world.pair();
  server.pause();
  WriteTally tally;
  client.write(std::string(8 * 1024 * 1024, 'x'), tally.next());
  client.write("", tally.next());
  client.async_write("", tally.next());
  world.settle();
  BOOST_TEST(tally.completions.empty());
  server.on(event::data, [](Chunk) {});
  server.resume();
  client.end();
  world.run();
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all({}));
}

BEHAVIOUR(C4_a_large_write_does_not_overtake_what_is_queued, 8 | 16) {
  auto [client, server] = world.pair();
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  auto& shape = world.memory_ends().client->shape();
  shape.hold_writable();
  client.write("small");
  world.settle();
  BOOST_TEST(client.buffered() >= 5U);
  shape.release_writable();  // there is room, but the queue was not flushed yet
  const std::string large(40'000, 'x');
  client.write(large);
  client.end();
  world.run();
  BOOST_TEST((received == "small" + large));
}

BEHAVIOUR(C4_one_byte_at_a_time, 8 | 16) {
  auto [client, server] = world.pair();
  for (MemoryTransport* end : {world.memory_ends().client, world.memory_ends().server}) {
    end->shape().limit_writes(1);
    end->shape().limit_reads(1);
  }
  std::string received;
  server.on(event::data, [&](Chunk chunk) { received += chunk; });
  WriteTally tally;
  const std::string data = random_bytes(3000);
  for (std::size_t at = 0; at < data.size(); at += 100) {
    client.write(std::string_view(data).substr(at, 40), tally.next());
    client.write(data.substr(at + 40, 60), tally.next());
  }
  client.end();
  world.run();
  BOOST_TEST((received == data));
  BOOST_TEST(tally.each_once_in_order());
  BOOST_TEST(tally.all({}));
}

BEHAVIOUR(B241_a_hundred_writes_of_one_turn_leave_in_two_calls, 8) {
  for (const std::size_t size : {1U, 200U, 1000U, 20'000U}) {
    auto [client, server] = world.pair();
    std::size_t received = 0;
    server.on(event::data, [&](Chunk chunk) { received += chunk.size(); });
    // Room for all of them, so that every call could move all it is given.
    auto& shape = world.memory_ends().client->shape();
    const std::size_t writes = std::min<std::size_t>(100, MemoryTransport::default_capacity / size);
    shape.fail_write(3, {EIO, boost::system::system_category()});
    WriteTally tally;
    for (std::size_t i = 0; i < writes; ++i) {
      if (i % 3 == 0) {
        client.write(std::string(size, 'x'), tally.next());
      } else if (i % 3 == 1) {
        const std::string copied(size, 'y');
        client.write(copied, tally.next());
      } else {
        client.write(Bytes(std::string(size, 'z')), tally.next());
      }
    }
    world.run_until([&] { return received == writes * size; });
    world.settle();
    BOOST_TEST(shape.write_faults() == 0U);
    BOOST_TEST(tally.each_once_in_order());
    BOOST_TEST(tally.all({}));
    client.write("x");  // the third call, so the counting counted
    client.on(event::error, [](const libnet::Error&) {});
    world.settle();
    client.write("x");
    world.settle();
    BOOST_TEST(shape.write_faults() == 1U);
    world.run();
  }
}

BEHAVIOUR(B241_a_hundred_corked_writes_arrive_as_one_piece, all_wires) {
  auto [client, server] = world.pair();
  std::vector<std::size_t> pieces;
  server.on(event::data, [&](Chunk chunk) { pieces.push_back(chunk.size()); });
  for (int i = 0; i < 100; ++i) client.write("0123456");
  BOOST_TEST(client.buffered() == 700U);
  client.end();
  world.run();
  BOOST_TEST(pieces == std::vector<std::size_t>{700}, per_element);
}

BEHAVIOUR(B241_several_sockets_in_one_turn, all_wires) {
  constexpr std::size_t sockets = 5;
  std::vector<World::Pair> pairs;
  std::vector<std::vector<std::size_t>> pieces(sockets);
  for (std::size_t i = 0; i < sockets; ++i) {
    pairs.push_back(world.pair());
    pairs[i].server.on(event::data, [&, i](Chunk chunk) { pieces[i].push_back(chunk.size()); });
  }
  asio::post(world.io(), [&] {
    for (int k = 0; k < 30; ++k) {
      for (World::Pair& pair : pairs) pair.client.write("ab");
    }
    for (World::Pair& pair : pairs) pair.client.end();
  });
  world.run();
  for (const auto& sizes : pieces) BOOST_TEST(sizes == std::vector<std::size_t>{60}, per_element);
}

BEHAVIOUR(B238_one_payload_to_a_thousand_sockets, 8) {
  constexpr std::size_t sockets = 1000;
  Bytes bytes(random_bytes(30'000));
  std::vector<World::Pair> pairs;
  std::vector<MemoryTransport*> ends;
  std::size_t received = 0;
  std::size_t written = 0;
  std::size_t uses_at_last = 0;
  for (std::size_t i = 0; i < sockets; ++i) {
    pairs.push_back(world.pair());
    ends.push_back(world.memory_ends().client);
    ends.back()->shape().hold_writable();  // so that all of them hold it at once
    pairs[i].server.on(event::data, [&](Chunk chunk) {
      BOOST_TEST((bytes.view().substr(0, chunk.size()) == std::string_view(chunk)));
      received += chunk.size();
    });
    pairs[i].client.write(bytes, [&](error_code code) {
      BOOST_TEST(!code);
      ++written;
      uses_at_last = bytes.use_count();
    });
    BOOST_TEST(bytes.use_count() == i + 2);  // shared, not copied
    pairs[i].client.end();
  }
  world.settle();
  BOOST_TEST(written == 0U);
  BOOST_TEST(bytes.use_count() == sockets + 1);
  for (MemoryTransport* end : ends) end->shape().release_writable();
  world.run();
  BOOST_TEST(written == sockets);
  BOOST_TEST(uses_at_last == 1U);
  BOOST_TEST(received == sockets * bytes.size());
}

BEHAVIOUR(B238_one_payload_to_a_thousand_sockets_awaited, 8) {
  constexpr std::size_t sockets = 1000;
  const Bytes bytes(random_bytes(30'000));
  std::vector<World::Pair> pairs;
  std::vector<MemoryTransport*> ends;
  std::size_t written = 0;
  for (std::size_t i = 0; i < sockets; ++i) {
    pairs.push_back(world.pair());
    ends.push_back(world.memory_ends().client);
    ends.back()->shape().hold_writable();  // so that all of them hold it at once
    pairs[i].server.resume();
    world.spawn([](Socket socket, const Bytes& shared, std::size_t& count) -> asio::awaitable<void> {
      BOOST_TEST(co_await socket.async_write(shared) == shared.size());
      ++count;
      co_await socket.async_end();
    }(pairs[i].client, bytes, written));
  }
  world.settle();
  BOOST_TEST(written == 0U);
  BOOST_TEST(bytes.use_count() == sockets + 1);  // shared, not copied
  for (MemoryTransport* end : ends) end->shape().release_writable();
  world.run();
  BOOST_TEST(written == sockets);
  BOOST_TEST(bytes.use_count() == 1U);
}
