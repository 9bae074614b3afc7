#include "reactor/destination.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/require.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/test/unit_test.hpp>

#include <libnet/net.hpp>
#include "reactor/loop.hpp"
#include "support/drive.hpp"

namespace libnet::test {

namespace asio = boost::asio;

namespace {

using asio::any_io_executor;
using asio::execution::allocator;
using asio::execution::blocking;
using asio::execution::outstanding_work;
using asio::execution::relationship;
using reactor::Destination;
using reactor::Loop;

/// Not the standard one.
template <class T>
struct OtherAllocator : std::allocator<T> {
  OtherAllocator() = default;
  template <class U>
  OtherAllocator(const OtherAllocator<U>&) noexcept {}
  template <class U>
  struct rebind {
    using other = OtherAllocator<U>;
  };
};

template <class Executor>
any_io_executor as_any(const Executor& executor) {
  return executor;
}

/// The loop of a socket that is made with the executor, by its type or behind any_io_executor.
template <class Executor>
void expect_loop(const std::shared_ptr<Loop>& loop, const Executor& executor) {
  BOOST_TEST(Loop::of(detail::executor_of(executor)) == loop);
  BOOST_TEST(Loop::of(as_any(executor)) == loop);
  BOOST_CHECK_NO_THROW(Socket{executor});
  BOOST_CHECK_NO_THROW(Server{as_any(executor)});
}

template <class Executor>
void expect_refusal(const Executor& executor) {
  BOOST_CHECK_THROW(Socket{executor}, std::invalid_argument);
  BOOST_CHECK_THROW(Server{as_any(executor)}, std::invalid_argument);
}

/// One that leads to an io_context, but is none of Asio's: what it does on the way is its own.
class ForeignExecutor {
 public:
  explicit ForeignExecutor(asio::io_context& io) : io_(&io) {}
  asio::execution_context& query(asio::execution::context_t) const noexcept { return *io_; }
  static constexpr asio::execution::blocking_t query(asio::execution::blocking_t) noexcept { return blocking.never; }
  ForeignExecutor require(asio::execution::blocking_t::never_t) const noexcept { return *this; }
  template <class F>
  void execute(F&& function) const {
    asio::post(*io_, std::forward<F>(function));
  }
  friend bool operator==(const ForeignExecutor&, const ForeignExecutor&) noexcept = default;

 private:
  asio::io_context* io_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(destination)

BOOST_AUTO_TEST_CASE(B298_all_executors_of_a_context_lead_to_its_loop) {
  asio::io_context io;
  const auto plain = io.get_executor();
  const auto loop = Loop::of(plain);
  expect_loop(loop, asio::require(plain, blocking.never));
  expect_loop(loop, asio::require(plain, outstanding_work.tracked));
  expect_loop(loop, asio::require(plain, relationship.continuation));
  expect_loop(loop, asio::require(asio::require(plain, outstanding_work.tracked), blocking.never));
  const auto other = asio::require(plain, allocator(OtherAllocator<void>()));
  expect_loop(loop, other);
  expect_loop(loop, asio::require(other, outstanding_work.tracked));
  expect_loop(loop, asio::prefer(as_any(plain), outstanding_work.tracked));
  BOOST_CHECK_NO_THROW(Socket{io});
}

BOOST_AUTO_TEST_CASE(B297_B298_all_forms_of_a_strand_share_its_loop) {
  asio::io_context io;
  const auto strand = asio::make_strand(io);
  const auto loop = Loop::of(strand);
  BOOST_TEST(loop != Loop::of(io.get_executor()));
  expect_loop(loop, strand);
  expect_loop(loop, asio::strand<any_io_executor>(strand));
  expect_loop(loop, asio::require(strand, blocking.never));
  expect_loop(loop, asio::require(strand, outstanding_work.tracked));
  expect_loop(loop, asio::prefer(as_any(strand), outstanding_work.tracked));
  expect_loop(loop, asio::require(asio::prefer(as_any(strand), relationship.continuation), blocking.never));
}

BOOST_AUTO_TEST_CASE(B297_B298_strands_of_whatever_leads_to_a_context) {
  asio::io_context io;
  const auto tracked = asio::require(io.get_executor(), outstanding_work.tracked);
  const auto one = asio::make_strand(tracked);
  const auto two = asio::make_strand(one);
  const auto three = asio::make_strand(two);
  const auto mixed = asio::make_strand(as_any(asio::make_strand(as_any(three))));
  expect_loop(Loop::of(as_any(one)), one);
  expect_loop(Loop::of(as_any(two)), two);
  const auto kept = Loop::of(detail::executor_of(three));
  expect_loop(kept, three);
  const auto of_mixed = Loop::of(as_any(mixed));
  expect_loop(of_mixed, mixed);
  BOOST_TEST(of_mixed != kept);
}

BOOST_AUTO_TEST_CASE(B298_an_executor_that_counts_as_work_does_not_keep_the_loop) {
  asio::io_context io;
  const Socket on_context(asio::require(io.get_executor(), outstanding_work.tracked));
  const Socket on_strand(asio::require(asio::make_strand(io), outstanding_work.tracked));
  io.run_for(std::chrono::seconds(20));
  BOOST_TEST(io.stopped());
}

/// Their types are not known to the library. A copy is the same strand; so is the type's own form, by its name.
BOOST_AUTO_TEST_CASE(B298_strands_over_another_allocator) {
  asio::io_context io;
  const auto other = asio::require(io.get_executor(), allocator(OtherAllocator<void>()));
  const auto strand = asio::make_strand(other);
  const auto erased = Loop::of(as_any(strand));
  BOOST_TEST(Loop::of(as_any(strand)) == erased);
  BOOST_TEST(Loop::of(as_any(asio::make_strand(other))) != erased);
  const auto typed = Loop::of(detail::executor_of(strand));
  BOOST_TEST(Loop::of(detail::executor_of(strand)) == typed);
  BOOST_TEST(Loop::of(detail::executor_of(asio::require(strand, outstanding_work.tracked))) == typed);
  const auto nested = asio::make_strand(asio::make_strand(strand));
  BOOST_CHECK_NO_THROW(Socket{nested});
  BOOST_CHECK_NO_THROW(Socket{as_any(nested)});
  BOOST_CHECK_NO_THROW(Socket{asio::make_strand(as_any(nested))});
}

BOOST_AUTO_TEST_CASE(B298_anything_else_is_refused) {
  asio::thread_pool pool(1);
  expect_refusal(pool.get_executor());
  expect_refusal(asio::make_strand(pool));
  expect_refusal(asio::make_strand(as_any(pool.get_executor())));
  expect_refusal(asio::make_strand(asio::make_strand(pool)));
  expect_refusal(asio::require(pool.get_executor(), allocator(OtherAllocator<void>())));
  expect_refusal(asio::system_executor());
  expect_refusal(asio::make_strand(asio::system_executor()));
  expect_refusal(any_io_executor());
  asio::io_context io;
  expect_refusal(ForeignExecutor(io));
  expect_refusal(asio::make_strand(ForeignExecutor(io)));
}

BOOST_AUTO_TEST_CASE(B298_sockets_work_on_a_strand_whose_type_is_unknown) {
  asio::io_context io;
  const any_io_executor strand = asio::make_strand(asio::require(io.get_executor(), allocator(OtherAllocator<void>())));
  Server server(strand);
  server.listen({.host = "127.0.0.1", .port = 0});
  server.on(event::connection, [server](Socket socket) mutable {
    socket.end("hello");
    server.close();
  });
  std::string received;
  bool inside = true;
  Socket client(strand);
  client.on(event::data, [&](const Chunk& chunk) {
    received += chunk;
    inside = inside && Loop::of(strand)->owns_this_thread();
  });
  client.connect({.host = "127.0.0.1", .port = server.address()->port()});
  BOOST_TEST(!Loop::of(strand)->owns_this_thread());
  client = Socket();
  BOOST_TEST(drive_until(io, [&] { return received == "hello"; }));
  BOOST_TEST(inside);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
