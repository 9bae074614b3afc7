#pragma once

#include <libnet/detail/asio/initiation_archetype.hpp>
#include <libnet/detail/give_back.hpp>
#include <libnet/milliseconds.hpp>
#include <libnet/use_awaitable.hpp>

#include <boost/asio/associator.hpp>
#include <boost/asio/async_result.hpp>

#include <chrono>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// A completion token with a time limit; made by cancel_after().
template <class Token>
struct CancelAfter {
  Token token;
  std::chrono::nanoseconds time_limit;
};

/// Limits the time of one operation of this library; an object that is called, not a function: an unqualified call with an
/// argument of Asio's then never finds the `cancel_after` of a newer Asio.
///
/// Stands in for a completion token: `co_await socket.async_read(libnet::cancel_after(5s))`. The operation completes with
/// Errc::timed_out when its time is up; it is cancelled with type terminal: a read loses no byte, a partly sent write
/// fails the connection. With a cancellation slot of your own beside it, whichever comes first decides.
struct cancel_after_t {
  /// @param time_limit  [any std::chrono unit] from the start of the operation. 0 and less, as of a deadline that has
  ///                    passed, means at the next turn of the loop; the longest duration means no limit.
  template <class Rep, class Period>
  CancelAfter<use_awaitable_t> operator()(const std::chrono::duration<Rep, Period>& time_limit) const {
    return {use_awaitable, detail::clamped<std::chrono::nanoseconds>(time_limit)};
  }

  /// The same around another token: `cancel_after(5s, libnet::as_tuple)`.
  template <class Rep, class Period, class Token>
  CancelAfter<std::decay_t<Token>> operator()(const std::chrono::duration<Rep, Period>& time_limit,
                                              Token&& token) const {
    return {std::forward<Token>(token), detail::clamped<std::chrono::nanoseconds>(time_limit)};
  }
};
inline constexpr cancel_after_t cancel_after{};

namespace detail {

/// The time limit that a handler asks for, found through any of Asio's wrappers.
template <class Handler, class Default = std::chrono::nanoseconds>
struct associated_time_limit {
  using type = Default;
  static type get(const Handler& handler, const Default& otherwise = Default()) noexcept {
    if constexpr (requires { asio::associator<associated_time_limit, Handler, Default>::get(handler, otherwise); }) {
      return asio::associator<associated_time_limit, Handler, Default>::get(handler, otherwise);
    } else {
      return otherwise;
    }
  }
};

template <class Handler>
class LimitedHandler {
 public:
  LimitedHandler(Handler&& wrapped, std::chrono::nanoseconds limit) : handler(std::move(wrapped)), time_limit(limit) {}

  template <class... Results>
  void operator()(Results&&... results) {
    std::move(handler)(std::forward<Results>(results)...);
  }

  Handler handler;
  std::chrono::nanoseconds time_limit;
};

template <class Handler, class Default>
struct associated_time_limit<LimitedHandler<Handler>, Default> {
  using type = Default;
  /// The longest is none, and what has passed is up.
  static type get(const LimitedHandler<Handler>& handler, const Default& none = Default()) noexcept {
    if (handler.time_limit == std::chrono::nanoseconds::max()) return none;
    return handler.time_limit.count() > 0 ? handler.time_limit : std::chrono::nanoseconds(0);
  }
};

template <class Initiation>
concept InitiatesHere = requires(const Initiation& initiation, const error_code& code) { initiation.describe(code); };

template <class Initiation>
class LimitedInitiation {
 public:
  static_assert(InitiatesHere<Initiation> || is_initiation_archetype<Initiation>,
                "libnet::cancel_after limits operations of libnet; use a timer and || for others");

  LimitedInitiation(Initiation initiation, std::chrono::nanoseconds limit)
      : initiation_(std::move(initiation)), time_limit_(limit) {}

  template <class Handler, class... Arguments>
  void operator()(Handler&& handler, Arguments&&... arguments) {
    LimitedHandler<std::decay_t<Handler>> limited(std::forward<Handler>(handler), time_limit_);
    try {
      initiation_(std::move(limited), std::forward<Arguments>(arguments)...);
    } catch (...) {
      give_back(limited.handler, std::forward<Handler>(handler));
      throw;
    }
  }

  Error describe(const error_code& code) const
    requires InitiatesHere<Initiation>
  {
    return initiation_.describe(code);
  }

 private:
  Initiation initiation_;
  std::chrono::nanoseconds time_limit_;
};

}  // namespace detail
}  // namespace libnet

#pragma GCC visibility pop

namespace boost::asio {

template <class Token, class Result, class... Results>
class async_result<libnet::CancelAfter<Token>, Result(boost::system::error_code, Results...)> {
 public:
  template <class Initiation, class Limited, class... Arguments>
  static auto initiate(Initiation&& initiation, Limited&& limited, Arguments&&... arguments) {
    using Made = libnet::detail::LimitedInitiation<std::decay_t<Initiation>>;
    return async_initiate<Token, Result(boost::system::error_code, Results...)>(
        Made(std::forward<Initiation>(initiation), limited.time_limit), limited.token,
        std::forward<Arguments>(arguments)...);
  }
};

template <template <class, class> class Associator, class Handler, class Default>
struct associator<Associator, libnet::detail::LimitedHandler<Handler>, Default> : Associator<Handler, Default> {
  static typename Associator<Handler, Default>::type get(const libnet::detail::LimitedHandler<Handler>& limited,
                                                         const Default& otherwise = Default()) noexcept {
    return Associator<Handler, Default>::get(limited.handler, otherwise);
  }
};

}  // namespace boost::asio
