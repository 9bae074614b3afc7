#pragma once

#include <libnet/detail/give_back.hpp>
#include <libnet/detail/handler_operation.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associator.hpp>
#include <boost/asio/async_result.hpp>

#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // a shared library exports this

/// How sockets and servers start operations for completion tokens.
namespace libnet::detail {

template <class Token, class Signature>
concept TokenFor = asio::completion_token_for<Token, Signature>;

/// Starts an operation on `owner`, by its member function `Start`, for the handler that the token makes.
template <class Operation, Operation::Kind Kind, auto Start, class Owner, class Token, class... Arguments>
auto initiate(const Owner& owner, Token& token, Arguments&&... arguments) {
  return asio::async_initiate<Token, typename Operation::Signature>(Initiation<Owner, Operation, Kind, Start>(owner),
                                                                    token, std::forward<Arguments>(arguments)...);
}

/// Hands over the object that was made together with the code.
template <class Made, class Handler>
class MadeHandler {
 public:
  MadeHandler(Made object, Handler&& made_handler) : made(std::move(object)), handler(std::move(made_handler)) {}

  void operator()(const error_code& code) { std::move(handler)(code, std::move(made)); }

  Made made;
  Handler handler;
};

/// Starts an operation on an object that its handler then gets.
template <class Made, class Inner>
class MakeInitiation {
 public:
  MakeInitiation(Made object, Inner inner) : made_(std::move(object)), inner_(std::move(inner)) {}

  using executor_type = asio::any_io_executor;
  executor_type get_executor() const noexcept { return made_.get_executor(); }

  template <class Handler, class... Arguments>
  void operator()(Handler&& handler, Arguments&&... arguments) {
    std::decay_t<Handler> own(std::forward<Handler>(handler));
    MadeHandler<Made, std::decay_t<Handler>> made(std::move(made_), std::move(own));
    try {
      inner_(std::move(made), std::forward<Arguments>(arguments)...);
    } catch (...) {
      give_back(made.handler, std::forward<Handler>(handler));
      throw;
    }
  }

  Error describe(const error_code& code) const { return inner_.describe(code); }

 private:
  Made made_;
  Inner inner_;
};

/// As `initiate`, for an object that was just made: the handler gets (error_code, Made).
template <class Operation, Operation::Kind Kind, auto Start, class Made, class Token, class... Arguments>
auto initiate_made(const Made& made, Token& token, Arguments&&... arguments) {
  using Inner = Initiation<Made, Operation, Kind, Start>;
  return asio::async_initiate<Token, void(error_code, Made)>(MakeInitiation<Made, Inner>(made, Inner(made)), token,
                                                             std::forward<Arguments>(arguments)...);
}

}  // namespace libnet::detail

#pragma GCC visibility pop

namespace boost::asio {

template <template <class, class> class Associator, class Made, class Handler, class Default>
struct associator<Associator, libnet::detail::MadeHandler<Made, Handler>, Default> : Associator<Handler, Default> {
  static typename Associator<Handler, Default>::type get(const libnet::detail::MadeHandler<Made, Handler>& made,
                                                         const Default& otherwise = Default()) noexcept {
    return Associator<Handler, Default>::get(made.handler, otherwise);
  }
};

}  // namespace boost::asio
