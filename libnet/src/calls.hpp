#pragma once

#include <new>
#include <type_traits>
#include <utility>

#include "reactor/loop.hpp"
#include "reactor/thread_check.hpp"

/// How Socket and Server pass calls on to the state that they are handles of. `function` is what the user called: the trap
/// for calls from the wrong thread names it.
namespace libnet {

/// The state, if a call can still have an effect: the handle has one, and its io_context lives.
template <class State>
State* usable(State* state, [[maybe_unused]] const char* function) {
  if (state == nullptr || !state->loop().alive()) return nullptr;
  reactor::check_thread(state->loop(), function);
  return state;
}

/// Calls a member function. Of a handle of nothing the result is an empty value.
template <auto Member, class State, class... Arguments>
auto call(State* state, const char* function, Arguments&&... arguments) {
  using Result = std::invoke_result_t<decltype(Member), State&, Arguments...>;
  State* const there = usable(state, function);
  if constexpr (std::is_void_v<Result>) {
    if (there != nullptr) (there->*Member)(std::forward<Arguments>(arguments)...);
  } else {
    return there != nullptr ? (there->*Member)(std::forward<Arguments>(arguments)...) : Result();
  }
}

/// The same for calls that return the handle, to be called on.
template <auto Member, class Handle, class State, class... Arguments>
Handle& chain(Handle& handle, State* state, const char* function, Arguments&&... arguments) {
  call<Member>(state, function, std::forward<Arguments>(arguments)...);
  return handle;
}

/// What becomes of an operation whose call is throwing. A callback's call throws on; an awaited operation is left to complete
/// with what was wrong, which is memory: all else is told by the call in that way itself.
/// @return  Always false: what a failed write returns.
template <class State, class Operation>
[[gnu::noinline, gnu::cold]] bool not_started(State& state, Operation& operation) {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    if (!operation.is_callback) return state.finish_without_memory(operation);
    state.take_back(operation);
    throw;
  } catch (...) {
    state.take_back(operation);
    throw;
  }
}

/// Runs a call that takes over an operation, unless it throws.
template <class State, class Operation, class Call>
auto give(State& state, Operation& operation, Call call) -> decltype(call()) {
  try {
    return call();
  } catch (...) {
    return static_cast<decltype(call())>(not_started(state, operation));
  }
}

/// Calls a member function that takes over an operation. A handle of nothing refuses it.
template <auto Member, class State, class Operation, class... Arguments>
void start(State* state, const char* function, Operation& operation, Arguments&&... arguments) {
  if (State* const there = usable(state, function)) {
    try {
      (there->*Member)(operation, std::forward<Arguments>(arguments)...);
    } catch (...) {
      not_started(*there, operation);
    }
  } else {
    operation.refuse();
  }
}

/// Asks for a value, which any thread may do while nobody changes it. A handle of nothing gives `otherwise`.
template <auto Member, class State, class Result = std::decay_t<std::invoke_result_t<decltype(Member), State&>>>
Result ask(State* state, const std::type_identity_t<Result>& otherwise = Result()) {
  return state != nullptr ? (state->*Member)() : otherwise;
}

}  // namespace libnet
