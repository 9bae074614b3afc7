#pragma once

#include <libnet/detail/asio/coroutine.hpp>
#include <libnet/detail/operation.hpp>
#include <libnet/detail/recycling.hpp>
#include <libnet/error.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <exception>
#include <new>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // a shared library exports this

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

template <class T, class Awaited>
class FrameAllocator;

/// Resumes the coroutine that awaits an operation of libnet: an error code becomes the exception that `co_await` throws.
template <class Awaited, class... Results>
class AwaitingHandler : public WaitingCoroutine<Results...> {
 public:
  using allocator_type = FrameAllocator<void, Awaited>;

  AwaitingHandler(CoroutineThread* thread, Awaited& awaited) noexcept
      : WaitingCoroutine<Results...>(thread), awaited_(&awaited) {}

  allocator_type get_allocator() const noexcept { return allocator_type(*awaited_); }
  ChainId chain() noexcept { return id_of(*this); }

  template <class... Given>
  void operator()(const error_code& code, Given&&... results) {
    std::exception_ptr failure;
    if (code) failure = failure_of(code, transferred(results...));
    WaitingCoroutine<Results...>::operator()(std::move(failure), std::forward<Given>(results)...);
  }

  /// Has `co_await` throw, if the coroutine is still here; else lets the caller.
  void not_started(std::exception_ptr failure) {
    if (this->entry_point() == nullptr) std::rethrow_exception(failure);
    WaitingCoroutine<Results...>::operator()(std::move(failure), Results()...);
  }

 private:
  std::exception_ptr failure_of(const error_code& code, std::size_t bytes) const noexcept try {
    if (code == out_of_memory()) throw std::bad_alloc();
    return std::make_exception_ptr(SystemError(awaited_->describe(code), bytes));
  } catch (const std::bad_alloc&) {
    return std::current_exception();
  }

  Awaited* awaited_;
};

/// What an initiation makes of a handler; void if it does not tell, as those that Asio's adapters wrap.
template <class Initiation, class Handler>
struct OperationOf {
  using type = void;
};
template <class Initiation, class Handler>
  requires requires { typename Initiation::template OperationFor<Handler>; }
struct OperationOf<Initiation, Handler> {
  using type = typename Initiation::template OperationFor<Handler>;
};

template <class Operation>
struct OperationMemory {
  alignas(Operation) std::byte bytes[sizeof(Operation)];
};
template <>
struct OperationMemory<void> {};

/// What the coroutine frame of an awaited operation keeps until that has completed.
template <class Results, class Initiation, class... Arguments>
class Awaited;
template <class... Results, class Initiation, class... Arguments>
class Awaited<void(Results...), Initiation, Arguments...> {
 public:
  using Handler = AwaitingHandler<Awaited, Results...>;

  template <class... Given>
  explicit Awaited(Initiation initiation, Given&&... arguments)
      : initiation_(std::move(initiation)), arguments_(std::forward<Given>(arguments)...) {}
  Awaited(Awaited&& other) noexcept
      : initiation_(std::move(other.initiation_)), arguments_(std::move(other.arguments_)) {}  // no operation yet

  void start(CoroutineThread* thread) {
    Handler handler(thread, *this);
    try {
      std::apply([&](auto&... arguments) { initiation_(std::move(handler), std::move(arguments)...); }, arguments_);
    } catch (...) {
      handler.not_started(std::current_exception());
    }
  }

  Error describe(const error_code& code) const {
    if constexpr (requires { initiation_.describe(code); }) {
      return initiation_.describe(code);
    } else {
      return Error(code);
    }
  }

 private:
  template <class, class>
  friend class FrameAllocator;

  using Operation = typename OperationOf<Initiation, Handler>::type;

  Initiation initiation_;
  [[no_unique_address]] std::tuple<Arguments...> arguments_;
  [[no_unique_address]] OperationMemory<Operation> memory_;
};

/// Gives an awaited operation its memory in the frame of the coroutine that awaits it. A handler belongs to one operation,
/// so there is one to ask for it.
template <class T, class Awaited>
class FrameAllocator {
 public:
  using value_type = T;

  explicit FrameAllocator(Awaited& awaited) noexcept : awaited_(&awaited) {}
  template <class U>
  FrameAllocator(const FrameAllocator<U, Awaited>& other) noexcept : awaited_(other.awaited_) {}

  [[nodiscard]] T* allocate(std::size_t count) {
    if constexpr (in_frame()) {
      return reinterpret_cast<T*>(awaited_->memory_.bytes);
    } else {
      return RecyclingAllocator<T>().allocate(count);
    }
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    if constexpr (!in_frame()) RecyclingAllocator<T>().deallocate(memory, count);
  }

  template <class U>
  friend bool operator==(const FrameAllocator& left, const FrameAllocator<U, Awaited>& right) noexcept {
    return left.awaited_ == right.awaited_;
  }

 private:
  template <class, class>
  friend class FrameAllocator;

  static constexpr bool in_frame() noexcept { return std::is_same_v<T, typename Awaited::Operation>; }

  Awaited* awaited_;
};

/// The coroutine of one awaited operation: starts it, and gets its result from the handler, which ends this frame in place
/// of resuming it.
template <class... Results, class... Parts>
typename WaitingCoroutine<Results...>::awaitable_type await_operation(Awaited<void(Results...), Parts...> awaited) {
  co_await [&awaited](CoroutineFrame* frame) {
    awaited.start(frame->detach_thread());
    return static_cast<CoroutineThread*>(nullptr);
  };
  std::terminate();
}

}  // namespace detail
}  // namespace libnet

#pragma GCC visibility pop

namespace boost::asio {

template <class Result, class... Results>
class async_result<libnet::use_awaitable_t, Result(boost::system::error_code, Results...)> {
 public:
  /// Asio's binders ask for it.
  using return_type = typename libnet::detail::WaitingCoroutine<std::decay_t<Results>...>::awaitable_type;

  template <class Initiation, class... Arguments>
  static return_type initiate(Initiation&& initiation, libnet::use_awaitable_t, Arguments&&... arguments) {
    using Awaited =
        libnet::detail::Awaited<void(std::decay_t<Results>...), std::decay_t<Initiation>, std::decay_t<Arguments>...>;
    return libnet::detail::await_operation(
        Awaited(std::forward<Initiation>(initiation), std::forward<Arguments>(arguments)...));
  }
};

}  // namespace boost::asio
