#pragma once

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <chrono>
#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#include "random/session.hpp"

/// How an operation is started, in each of its forms.
namespace libnet::test::random {

/// @name What an operation gives
/// @{
inline void add_result(Result& result, const Chunk& chunk) { result.bytes = chunk.to_string(); }
inline void add_result(Result& result, const Socket& socket) { result.socket = socket; }
inline void add_result(Result& result, std::uint64_t count) { result.count = count; }
/// @}

template <class... Results>
Result result_of(const Results&... results) {
  Result result;
  (add_result(result, results), ...);
  return result;
}

inline std::chrono::milliseconds limit_of(const Step& step) { return std::chrono::milliseconds(step.limit - 1); }

/// The handler of a call.
inline auto Session::note(Call& call) {
  return
      [this, &call](const error_code& code, const auto&... results) { completed(call, code, result_of(results...)); };
}

/// @param begin  Called just before the operation is started: notes what the oracle has to expect. False: do not start.
/// @param start  Starts the operation with a token.
template <class Begin, class Start>
Call* Session::start(Call& call, const Step& step, const asio::any_io_executor& on, Begin begin, Start start) {
  call.limited = step.limit != 0 && step.form != Form::thrown;
  if (step.form == Form::tuple || step.form == Form::thrown) {
    asio::co_spawn(on, start_awaited(*this, call, step, begin, start), asio::detached);
    return &call;
  }
  if (!begin()) {
    call.done = true;
    return nullptr;
  }
  const Calling inside(*this);
  start_with_handler(call, step, start);
  return &call;
}

template <class Start>
void Session::start_with_handler(Call& call, const Step& step, Start& start) {
  if (step.form == Form::slot) {
    call.signal = std::make_unique<asio::cancellation_signal>();
    auto token = asio::bind_cancellation_slot(call.signal->slot(), note(call));
    call.limited ? start(cancel_after(limit_of(step), std::move(token))) : start(std::move(token));
  } else {
    call.limited ? start(cancel_after(limit_of(step), note(call))) : start(note(call));
  }
}

template <class Begin, class Start>
asio::awaitable<void> Session::start_awaited(Session& session, Call& call, Step step, Begin begin, Start start) {
  bool begun = false;
  {
    const Entry entry(session);
    begun = begin();
    if (!begun) call.done = true;
  }
  if (!begun) co_return;
  if (step.form == Form::thrown) {
    co_await await_thrown(session, call, std::move(start));
  } else if (call.limited) {
    co_await await_tuple(session, call, std::move(start), cancel_after(limit_of(step), as_tuple));
  } else {
    co_await await_tuple(session, call, std::move(start), as_tuple);
  }
}

template <class Start, class Token>
asio::awaitable<void> Session::await_tuple(Session& session, Call& call, Start start, Token token) {
  auto operation = start(token);
  auto results = co_await std::move(operation);
  std::apply([&](const error_code& code, const auto&... rest) { session.completed(call, code, result_of(rest...)); },
             results);
}

template <class Start>
asio::awaitable<void> Session::await_thrown(Session& session, Call& call, Start start) {
  error_code code;
  Result result;
  try {
    auto operation = start(use_awaitable);
    if constexpr (std::is_same_v<decltype(operation), asio::awaitable<void>>) {
      co_await std::move(operation);
    } else {
      auto value = co_await std::move(operation);
      add_result(result, value);
    }
  } catch (const SystemError& failure) {
    code = failure.code();
    result.count = failure.bytes_transferred();
  }
  session.completed(call, code, result);
}

}  // namespace libnet::test::random
