#pragma once

#include <libnet/net.hpp>

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <tuple>
#include <type_traits>
#include <utility>

#include "support/behaviour.hpp"

/// Proves one operation with every kind of completion token.
namespace libnet::test {

/// An operation to prove: `start(token)` begins it, `check(results...)` looks at what a success gave.
template <class Start, class Check>
struct Trial {
  Start start;
  Check check;
  error_code expected{};
};
template <class Start, class Check>
Trial<Start, Check> trial(Start start, Check check) {
  return {std::move(start), std::move(check)};
}
template <class Start>
auto failing_trial(error_code expected, Start start) {
  const auto none = [](const auto&...) { BOOST_ERROR("succeeded"); };
  return Trial<Start, decltype(none)>{std::move(start), none, expected};
}

inline Server listening_server(World& world) {
  Server server(world.io());
  server.on(event::listening, [] {});  // it lives without a handle
  world.listen(server);
  world.settle();
  return server;
}

/// An io_context that a thread of its own runs.
class OtherThread {
 public:
  OtherThread() : guard_(io_.get_executor()), thread_([this] { io_.run(); }) {}
  ~OtherThread() {
    guard_.reset();
    thread_.join();
  }
  auto get_executor() { return io_.get_executor(); }
  std::thread::id id() const { return thread_.get_id(); }

 private:
  asio::io_context io_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::thread thread_;
};

struct AllocationCounts {
  std::atomic<std::size_t> allocations{0};
  std::atomic<std::size_t> live{0};
};

template <class T>
class CountingAllocator {
 public:
  using value_type = T;

  explicit CountingAllocator(AllocationCounts& counts) noexcept : counts_(&counts) {}
  template <class U>
  CountingAllocator(const CountingAllocator<U>& other) noexcept : counts_(other.counts_) {}

  T* allocate(std::size_t count) {
    ++counts_->allocations;
    ++counts_->live;
    return static_cast<T*>(::operator new(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t) noexcept {
    --counts_->live;
    ::operator delete(memory);
  }

  template <class U>
  friend bool operator==(const CountingAllocator& left, const CountingAllocator<U>& right) noexcept {
    return left.counts_ == right.counts_;
  }

 private:
  template <class U>
  friend class CountingAllocator;
  AllocationCounts* counts_;
};

/// What a handler was called with, and where.
class Outcome {
 public:
  explicit Outcome(World& world) : world_(world), guard_(world.io().get_executor()) {}

  template <class Check>
  auto handler(Check check) {
    return [this, check](const error_code& code, auto... results) {
      code_ = code;
      thread_ = std::this_thread::get_id();
      check_ = [check, kept = std::make_tuple(results...)] { std::apply(check, kept); };
      if (at_call) at_call();
      ++calls_;
      asio::post(world_.io(), [] {});  // the case's loop looks again
    };
  }

  void await(const error_code& expected) {
    BOOST_TEST(calls_ == 0, "the handler ran inside the initiating call");
    world_.run_until([this] { return calls_ != 0; });
    world_.settle();
    BOOST_TEST(calls_ == 1);
    BOOST_TEST(code_ == expected);
    if (!code_) check_();
  }
  std::thread::id thread() const { return thread_; }

  std::function<void()> at_call;

 private:
  World& world_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  error_code code_;
  std::thread::id thread_;
  std::function<void()> check_;
  std::atomic<int> calls_{0};
};

template <class Check, class Result>
void check_result(Check& check, const Result& result) {
  check(result);
}
template <class Check, class... Results>
void check_result(Check& check, const std::tuple<Results...>& results) {
  std::apply(check, results);
}

/// What co_await gives for what a token made of an operation: an awaitable, or an operation that is still to start.
template <class Made>
struct Awaited : Awaited<decltype(std::declval<Made>()(asio::use_awaitable))> {};
template <class Result, class Executor>
struct Awaited<asio::awaitable<Result, Executor>> {
  using type = Result;
};

/// Awaits it with a token whose failures are thrown.
template <class Failure, class Made, class Token>
asio::awaitable<void> await_throwing(Made& made, Token token) {
  error_code code;
  try {
    using Result = typename Awaited<decltype(made.start(token))>::type;
    if constexpr (std::is_void_v<Result>) {
      co_await made.start(token);
      made.check();
    } else {
      auto result = co_await made.start(token);
      check_result(made.check, result);
    }
  } catch (const Failure& failure) {
    code = failure.code();
  }
  BOOST_TEST(code == made.expected);
}

template <class Made, class Token>
asio::awaitable<void> await_tuple(Made& made, Token token) {
  auto results = co_await made.start(token);
  BOOST_TEST(std::get<0>(results) == made.expected);
  if (std::get<0>(results)) co_return;
  std::apply([&made](const error_code&, auto&... rest) { made.check(rest...); }, results);
}

template <class Made>
void prove_future(World& world, Made made) {
  auto future = made.start(asio::use_future);
  BOOST_TEST((future.wait_for(0s) == std::future_status::timeout), "completed inside the initiating call");
  world.run_until([&] { return future.wait_for(0s) == std::future_status::ready; });
  error_code code;
  try {
    if constexpr (std::is_void_v<decltype(future.get())>) {
      future.get();
      made.check();
    } else {
      auto result = future.get();
      check_result(made.check, result);
    }
  } catch (const boost::system::system_error& failure) {
    code = failure.code();
  }
  BOOST_TEST(code == made.expected);
}

/// Runs one trial after the other, each made anew, with: a plain callback, the default token, `as_tuple`, Asio's
/// use_awaitable, deferred, use_future, and handlers that bring an executor, a cancellation slot or an allocator.
template <class Make>
void prove_with_every_token(World& world, Make make) {
  const auto prove_handler = [&world, &make](auto wrap) {
    auto made = make();
    Outcome outcome(world);
    made.start(wrap(outcome, outcome.handler(made.check)));
    outcome.await(made.expected);
  };
  BOOST_TEST_CONTEXT("plain callback") {
    prove_handler([](Outcome& outcome, auto handler) {
      outcome.at_call = [home = std::this_thread::get_id()] { BOOST_TEST((home == std::this_thread::get_id())); };
      return handler;
    });
  }
  BOOST_TEST_CONTEXT("deferred") {
    auto made = make();
    Outcome outcome(world);
    auto operation = made.start(asio::deferred);
    std::move(operation)(outcome.handler(made.check));
    outcome.await(made.expected);
  }
  BOOST_TEST_CONTEXT("another executor") {
    OtherThread other;
    std::thread::id ran_in;
    prove_handler([&](Outcome& outcome, auto handler) {
      outcome.at_call = [&ran_in] { ran_in = std::this_thread::get_id(); };
      return asio::bind_executor(other.get_executor(), std::move(handler));
    });
    BOOST_TEST((ran_in == other.id()));
  }
  BOOST_TEST_CONTEXT("cancellation slot") {
    asio::cancellation_signal signal;
    prove_handler([&](Outcome& outcome, auto handler) {
      outcome.at_call = [&signal] { BOOST_TEST(!signal.slot().has_handler()); };
      return asio::bind_cancellation_slot(signal.slot(), std::move(handler));
    });
    signal.emit(asio::cancellation_type::terminal);  // too late: harmless
    world.settle();
  }
  BOOST_TEST_CONTEXT("allocator") {
    AllocationCounts counts;
    prove_handler([&](Outcome& outcome, auto handler) {
      outcome.at_call = [&counts] { BOOST_TEST(counts.live == 0U, "memory is given back before the handler runs"); };
      return asio::bind_allocator(CountingAllocator<char>(counts), std::move(handler));
    });
    BOOST_TEST(counts.allocations > 0U);
    BOOST_TEST(counts.live == 0U);
  }
  BOOST_TEST_CONTEXT("allocator and another executor") {
    AllocationCounts counts;
    OtherThread other;
    prove_handler([&](Outcome&, auto handler) {
      return asio::bind_executor(other.get_executor(),
                                 asio::bind_allocator(CountingAllocator<char>(counts), std::move(handler)));
    });
    BOOST_TEST(counts.allocations > 0U);
    BOOST_TEST(counts.live == 0U);
  }
  BOOST_TEST_CONTEXT("future") { prove_future(world, make()); }

  const auto await_fresh = [&world, &make](auto awaiting) {
    auto made = make();
    world.await(awaiting(made));
  };
  BOOST_TEST_CONTEXT("libnet::use_awaitable") {
    await_fresh([](auto& made) { return await_throwing<SystemError>(made, libnet::use_awaitable); });
  }
  BOOST_TEST_CONTEXT("libnet::as_tuple") {
    await_fresh([](auto& made) { return await_tuple(made, libnet::as_tuple); });
  }
  BOOST_TEST_CONTEXT("asio::use_awaitable") {
    await_fresh([](auto& made) { return await_throwing<boost::system::system_error>(made, asio::use_awaitable); });
  }
  BOOST_TEST_CONTEXT("asio::deferred, awaited") {
    await_fresh([](auto& made) { return await_throwing<boost::system::system_error>(made, asio::deferred); });
  }
}

}  // namespace libnet::test

/// A trial's start: the operation with the token it is given. Each handle named beside it is captured by copy.
#define START(call, ...) [__VA_ARGS__](auto&& token) mutable -> decltype(auto) { return call; }
#define TOKEN std::forward<decltype(token)>(token)
