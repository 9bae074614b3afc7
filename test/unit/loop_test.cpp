#include "reactor/loop.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include <unistd.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/test/unit_test.hpp>

#include <libnet/net.hpp>
#include "support/drive.hpp"
#include "support/socket_pair.hpp"

namespace libnet::test {

namespace asio = boost::asio;

namespace {

using reactor::Loop;

class CountedTask final : public reactor::Task {
 public:
  explicit CountedTask(std::function<void()> action) : action_(std::move(action)) {}
  void run_task() override { action_(); }

 private:
  std::function<void()> action_;
};

/// Posts a handler again and again, and notes how often something happened between two of its runs.
class Neighbour {
 public:
  Neighbour(asio::io_context& io, const int& count, int runs) : io_(io), count_(count), left_(runs) { post(); }
  std::vector<int> between;

 private:
  void post() {
    asio::post(io_, [this] {
      between.push_back(count_ - last_);
      last_ = count_;
      if (--left_ > 0) post();
    });
  }
  asio::io_context& io_;
  const int& count_;
  int last_ = 0;
  int left_;
};

/// A descriptor that becomes ready again each time it was told, 1,000 times.
class AlwaysReady final : public reactor::Watch {
 public:
  AlwaysReady(Loop& loop, int& count) : loop_(loop), count_(count), ends_(unix_pair()) {
    BOOST_REQUIRE(!loop_.reactor().attach(*this, ends_.first));
    make_ready();
  }
  ~AlwaysReady() override {
    loop_.reactor().detach(*this);
    ::close(ends_.first);
    ::close(ends_.second);
  }
  void on_ready() override {
    ++count_;
    if (++times_ < 1000) make_ready();
  }

 private:
  void make_ready() const { BOOST_REQUIRE(::write(ends_.second, "x", 1) == 1); }

  Loop& loop_;
  int& count_;
  std::pair<int, int> ends_;
  int times_ = 0;
};

constexpr std::array<ReactorKind, 2> kinds{ReactorKind::epoll, ReactorKind::portable};

}  // namespace

BOOST_AUTO_TEST_SUITE(loop)

BOOST_AUTO_TEST_CASE(B302_a_task_that_schedules_itself_for_ever_has_eight_rounds_before_others) {
  for (const ReactorKind kind : kinds) {
    asio::io_context io(1);
    use_reactor(io, kind);
    const auto loop = Loop::of(io.get_executor());
    int count = 0;
    CountedTask task([&] {
      if (++count < 1000) loop->schedule(task);
    });
    loop->schedule(task);
    Neighbour neighbour(io, count, 10);
    for (int i = 0; i < 100 && neighbour.between.size() < 10; ++i) io.poll_one();
    loop->unschedule(task);
    BOOST_REQUIRE(neighbour.between.size() == 10U);
    for (const int rounds : neighbour.between) BOOST_TEST(rounds == 8);
  }
}

BOOST_AUTO_TEST_CASE(B302_a_round_runs_each_task_once) {
  asio::io_context io(1);
  const auto loop = Loop::of(io.get_executor());
  std::vector<int> order;
  CountedTask second([&] { order.push_back(2); });
  CountedTask first([&] {
    order.push_back(1);
    if (order.size() < 3) loop->schedule(first);
  });
  loop->schedule(first);
  loop->schedule(second);
  drive_ready(io);
  const std::vector<int> expected{1, 2, 1};
  BOOST_TEST(order == expected, boost::test_tools::per_element());
}

#ifdef __linux__
BOOST_AUTO_TEST_CASE(B302_a_set_that_is_always_ready_has_four_turns_before_others) {
  asio::io_context io(1);
  use_reactor(io, ReactorKind::epoll);
  const auto loop = Loop::of(io.get_executor());
  loop->count_work(1);  // without, the reactor looks only once
  int count = 0;
  std::vector<std::unique_ptr<AlwaysReady>> ready;
  for (int i = 0; i < 8; ++i) ready.push_back(std::make_unique<AlwaysReady>(*loop, count));
  const Neighbour neighbour(io, count, 40);
  for (int i = 0; i < 1000 && neighbour.between.size() < 40; ++i) io.poll_one();
  BOOST_REQUIRE(neighbour.between.size() == 40U);
  BOOST_TEST(*std::max_element(neighbour.between.begin(), neighbour.between.end()) == 4 * 8);
}
#endif

BOOST_AUTO_TEST_CASE(B297_objects_of_one_strand_share_its_loop) {
  asio::io_context io;
  const auto strand = asio::make_strand(io);
  const asio::strand<asio::any_io_executor> erased(strand);
  const auto loop = Loop::of(strand);
  BOOST_TEST(Loop::of(strand) == loop);
  BOOST_TEST(Loop::of(asio::any_io_executor(strand)) == loop);
  BOOST_TEST(Loop::of(erased) == loop);
  BOOST_TEST(Loop::of(asio::make_strand(io)) != loop);
  BOOST_TEST(Loop::of(io.get_executor()) != loop);
  const asio::any_io_executor outer = asio::make_strand(asio::any_io_executor(strand));
  BOOST_TEST(Loop::of(outer) != loop);
  BOOST_TEST(Loop::of(outer) == Loop::of(outer));
}

BOOST_AUTO_TEST_CASE(a_strand_whose_objects_have_gone_gets_a_new_loop) {
  asio::io_context io;
  const auto strand = asio::make_strand(io);
  std::weak_ptr<Loop> first = Loop::of(strand);
  BOOST_TEST(first.expired());
  const auto second = Loop::of(strand);
  BOOST_TEST(Loop::of(strand) == second);
}

BOOST_AUTO_TEST_CASE(B274_a_wait_for_a_far_deadline_does_not_keep_the_loop) {
  asio::io_context io;
  std::weak_ptr<Loop> gone;
  {
    class Far final : public reactor::Timer {
      void on_timer() override {}
    } far;
    const auto loop = Loop::of(asio::make_strand(io));
    gone = loop;
    loop->start_after(far, std::chrono::hours(1));
    drive_ready(io);
  }
  BOOST_TEST(gone.expired());
  drive_ready(io);
  BOOST_TEST(io.run() == 0U);  // the wait that was given up leaves the count of work as it was
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace libnet::test
