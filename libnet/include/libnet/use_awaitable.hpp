#pragma once

#include <libnet/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>
#include <type_traits>
#include <utility>

namespace libnet {

/// The default completion token: the operation becomes a boost::asio::awaitable, so that `||`, `&&` and Asio's own
/// coroutines work with it. A failure is thrown by `co_await` as SystemError, whose `what()` is the whole message.
struct use_awaitable_t {};
inline constexpr use_awaitable_t use_awaitable{};

/// Wraps the default token: failures are returned, not thrown.
///
/// @code auto [ec, n] = co_await socket.async_write(data, libnet::as_tuple); @endcode
inline constexpr boost::asio::as_tuple_t<boost::asio::use_awaitable_t<>> as_tuple{boost::asio::use_awaitable};

namespace detail {

namespace asio = boost::asio;

inline std::size_t transferred() noexcept { return 0; }
template <class First, class... Rest>
std::size_t transferred(const First& first, const Rest&...) noexcept {
  if constexpr (std::is_same_v<First, std::size_t>) return first;
  return 0;
}

/// Turns an error code into the exception that `co_await` throws.
template <class Initiation, class Handler>
class ThrowingHandler {
 public:
  template <class Wrapped>
  ThrowingHandler(const Initiation& started, Wrapped&& wrapped)
      : initiation(&started), handler(std::forward<Wrapped>(wrapped)) {}

  template <class... Results>
  void operator()(const error_code& code, Results&&... results) {
    std::exception_ptr failure;
    if (code) failure = std::make_exception_ptr(SystemError(describe(code), transferred(results...)));
    std::move(handler)(std::move(failure), std::forward<Results>(results)...);
  }

  const Initiation* initiation;
  Handler handler;

 private:
  Error describe(const error_code& code) const {
    if constexpr (requires { initiation->describe(code); }) {
      return initiation->describe(code);
    } else {
      return Error(code);
    }
  }
};

/// Asio keeps it in the coroutine frame of the operation until that has completed, so the handler need not copy it.
template <class Initiation>
class ThrowingInitiation {
 public:
  explicit ThrowingInitiation(Initiation initiation) : initiation_(std::move(initiation)) {}

  template <class Handler, class... Arguments>
  void operator()(Handler&& handler, Arguments&&... arguments) {
    using Throwing = ThrowingHandler<Initiation, std::decay_t<Handler>>;
    initiation_(Throwing(initiation_, std::forward<Handler>(handler)), std::forward<Arguments>(arguments)...);
  }

 private:
  Initiation initiation_;
};

}  // namespace detail
}  // namespace libnet

namespace boost::asio {

template <class Result, class... Results>
class async_result<libnet::use_awaitable_t, Result(boost::system::error_code, Results...)> {
 public:
  /// Asio's binders ask for it.
  using return_type = typename async_result<use_awaitable_t<>, void(std::exception_ptr, Results...)>::return_type;

  template <class Initiation, class... Arguments>
  static auto initiate(Initiation&& initiation, libnet::use_awaitable_t, Arguments&&... arguments) {
    using Throwing = libnet::detail::ThrowingInitiation<std::decay_t<Initiation>>;
    return async_initiate<const use_awaitable_t<>&, void(std::exception_ptr, Results...)>(
        Throwing(std::forward<Initiation>(initiation)), use_awaitable, std::forward<Arguments>(arguments)...);
  }
};

template <template <class, class> class Associator, class Initiation, class Handler, class Default>
struct associator<Associator, libnet::detail::ThrowingHandler<Initiation, Handler>, Default>
    : Associator<Handler, Default> {
  static typename Associator<Handler, Default>::type get(
      const libnet::detail::ThrowingHandler<Initiation, Handler>& throwing,
      const Default& otherwise = Default()) noexcept {
    return Associator<Handler, Default>::get(throwing.handler, otherwise);
  }
};

}  // namespace boost::asio
