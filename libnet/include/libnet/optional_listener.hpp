#pragma once

#include <libnet/detail/listener_table.hpp>
#include <libnet/event.hpp>

#include <memory>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

namespace detail {

/// Without std::make_unique, which would cost the compiler a smart pointer's type for each listener.
template <class... Arguments, class F>
std::unique_ptr<Callable> make_callable(F&& listener) {
  return std::unique_ptr<Callable>(new CallableFor<std::decay_t<F>, Arguments...>(std::forward<F>(listener)));
}

}  // namespace detail

/// The last parameter of calls that take a listener or none: a callable with the signature converts to it.
template <class Signature>
class OptionalListener;

template <class... Arguments>
class OptionalListener<void(Arguments...)> {
 public:
  /// None.
  OptionalListener() noexcept = default;

  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, OptionalListener> && ListenerFor<F, void(Arguments...)>)
  OptionalListener(F&& listener) : callable_(detail::make_callable<Arguments...>(std::forward<F>(listener))) {}

  explicit operator bool() const noexcept { return callable_ != nullptr; }

  /// For the library: the listener with its type erased; null if there is none.
  std::unique_ptr<detail::Callable> take() noexcept { return std::move(callable_); }

 private:
  std::unique_ptr<detail::Callable> callable_;
};

}  // namespace libnet

#pragma GCC visibility pop
