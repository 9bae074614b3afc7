#pragma once

#include <libnet/cancel_after.hpp>
#include <libnet/detail/operation.hpp>
#include <libnet/detail/recycling.hpp>
#include <libnet/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_allocator.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>

#include <memory>
#include <tuple>
#include <type_traits>
#include <utility>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet::detail {

/// Another executor than the object's, kept at work until the handler runs there.
struct HandlerExecutor : Recycled {
  explicit HandlerExecutor(const asio::any_io_executor& wanted)
      : executor(asio::prefer(wanted, asio::execution::outstanding_work.tracked)) {}

  /// Null for a handler that runs on `own`, the object's executor.
  template <class Handler>
  static std::unique_ptr<HandlerExecutor> of(const Handler& handler, const asio::any_io_executor& own) {
    const asio::any_io_executor& wanted = asio::get_associated_executor(handler, own);
    return std::unique_ptr<HandlerExecutor>(wanted != own ? new HandlerExecutor(wanted) : nullptr);
  }

  asio::any_io_executor executor;
};

/// An operation together with its handler, in memory of the handler's allocator.
template <class Base, class Handler>
class HandlerOperation final : public Base {
 public:
  template <class Given, class... Arguments>
  static HandlerOperation* create(Given&& handler, std::unique_ptr<HandlerExecutor> handler_executor,
                                  Arguments&&... arguments) {
    Allocator allocator(associated_allocator(handler));
    HandlerOperation* memory = AllocatorTraits::allocate(allocator, 1);
    try {
      return new (memory) HandlerOperation(std::forward<Given>(handler), std::move(handler_executor),
                                           std::forward<Arguments>(arguments)...);
    } catch (...) {
      AllocatorTraits::deallocate(allocator, memory, 1);
      throw;
    }
  }

  std::chrono::nanoseconds watch_cancellation(OperationOwner& owner) override {
    auto slot = asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) slot.template emplace<CancelHandler>(owner, *this);
    return associated_time_limit<Handler>::get(handler_, no_time_limit);
  }

  void complete() override {
    forget_cancellation();
    auto outcome = std::apply(
        [this](auto&&... values) {
          return std::tuple<error_code, std::decay_t<decltype(values)>...>(this->result, std::move(values)...);
        },
        this->take_results());
    const std::unique_ptr<HandlerExecutor> handler_executor = std::move(handler_executor_);
    Handler handler(std::move(handler_));
    destroy(handler);
    if (handler_executor) {
      hand_over(handler_executor->executor, std::move(handler), std::move(outcome));
    } else {
      std::apply(std::move(handler), std::move(outcome));
    }
  }

  void refuse() override {
    if (!handler_executor_) return abandon();
    this->result = Errc::closed;
    asio::post(handler_executor_->executor, [refused = Held(this)]() mutable { refused.release()->complete(); });
  }

  void abandon() noexcept override {
    forget_cancellation();
    Handler handler(std::move(handler_));  // its destructor may come back to the owner: last
    destroy(handler);
  }

 private:
  struct Abandon {
    void operator()(HandlerOperation* operation) const noexcept { operation->abandon(); }
  };
  using Held = std::unique_ptr<HandlerOperation, Abandon>;

  struct CancelHandler {
    CancelHandler(OperationOwner& waits_in, Operation& which) noexcept : owner(&waits_in), operation(&which) {}
    void operator()(asio::cancellation_type type) const {
      if (type != asio::cancellation_type::none) owner->cancel(*operation, type, asio::error::operation_aborted);
    }
    OperationOwner* owner;
    Operation* operation;
  };

  static auto associated_allocator(const Handler& handler) noexcept {
    return asio::get_associated_allocator(handler, RecyclingAllocator<void>());
  }
  using AnyAllocator = decltype(associated_allocator(std::declval<const Handler&>()));
  using Allocator = typename std::allocator_traits<AnyAllocator>::template rebind_alloc<HandlerOperation>;
  using AllocatorTraits = std::allocator_traits<Allocator>;

  template <class Given, class... Arguments>
  HandlerOperation(Given&& handler, std::unique_ptr<HandlerExecutor> handler_executor, Arguments&&... arguments)
      : Base(std::forward<Arguments>(arguments)...),
        handler_(std::forward<Given>(handler)),
        handler_executor_(std::move(handler_executor)) {}
  ~HandlerOperation() override = default;

  void forget_cancellation() noexcept {
    this->deadline.reset();
    auto slot = asio::get_associated_cancellation_slot(handler_);
    if (slot.is_connected()) slot.clear();
  }

  void destroy(const Handler& moved_handler) noexcept {
    Allocator allocator(associated_allocator(moved_handler));
    this->~HandlerOperation();
    AllocatorTraits::deallocate(allocator, this, 1);
  }

  /// Nothing is posted that need not be: a future's executor, for one, would take a thread for it.
  template <class Outcome>
  static void hand_over(const asio::any_io_executor& executor, Handler&& handler, Outcome&& outcome) {
    const auto allocator = associated_allocator(handler);
    asio::dispatch(executor, asio::bind_allocator(allocator, [handler = std::move(handler),
                                                              outcome = std::forward<Outcome>(outcome)]() mutable {
                     std::apply(std::move(handler), std::move(outcome));
                   }));
  }

  Handler handler_;
  std::unique_ptr<HandlerExecutor> handler_executor_;  // set if the handler wants another executor than the object's
};

/// Starts one kind of operation on `Owner` (a Socket or Server, kept alive meanwhile) for whatever handler a token makes.
template <class Owner, class Base, Operation::Kind Kind, auto Start>
class Initiation {
 public:
  using executor_type = asio::any_io_executor;

  template <class Handler>
  using OperationFor = HandlerOperation<Base, Handler>;

  explicit Initiation(Owner owner) : owner_(std::move(owner)) {}

  executor_type get_executor() const noexcept { return owner_.get_executor(); }

  template <class Handler, class... Arguments>
  void operator()(Handler&& handler, Arguments&&... arguments) {
    using Made = OperationFor<std::decay_t<Handler>>;
    auto handler_executor = runs_on_owner(handler) ? nullptr : HandlerExecutor::of(handler, owner_.executor());
    (owner_.*Start)(*Made::create(std::forward<Handler>(handler), std::move(handler_executor), Kind),
                    std::forward<Arguments>(arguments)...);
  }

  /// The whole story of a failure, for the exception.
  Error describe(const error_code& code) const { return owner_.describe(code, Kind); }

 private:
  /// What is known without a comparison of executors, which is no small part of a message's way.
  template <class Handler>
  bool runs_on_owner(Handler& handler) const noexcept {
    if constexpr (requires { owner_.served_by(handler.chain()); }) {
      return owner_.served_by(handler.chain());
    } else {
      return false;
    }
  }

  Owner owner_;
};

/// A callback given to a `verb()`. It may leave out arguments from the end: (error_code, n), (error_code) or ().
template <class Function>
class Callback {
 public:
  explicit Callback(Function function) : function_(std::move(function)) {}

  template <class... Arguments>
  void operator()(const error_code& code, const Arguments&... arguments) {
    if constexpr (std::is_invocable_v<Function&, const error_code&, const Arguments&...>) {
      function_(code, arguments...);
    } else if constexpr (std::is_invocable_v<Function&, const error_code&>) {
      function_(code);
    } else {
      function_();
    }
  }

 private:
  Function function_;
};

template <class Function, class... Arguments>
concept CallbackFor =
    std::is_invocable_v<std::decay_t<Function>&, error_code, Arguments...> ||
    std::is_invocable_v<std::decay_t<Function>&, error_code> || std::is_invocable_v<std::decay_t<Function>&>;

template <class Base, class Function, class... Arguments>
Base& make_callback(const asio::any_io_executor& executor, Function&& function, Arguments&&... arguments) {
  using Handler = Callback<std::decay_t<Function>>;
  Handler handler(std::forward<Function>(function));
  auto handler_executor = HandlerExecutor::of(handler, executor);
  auto* made = HandlerOperation<Base, Handler>::create(std::move(handler), std::move(handler_executor),
                                                       std::forward<Arguments>(arguments)...);
  made->is_callback = true;
  return *made;
}

}  // namespace libnet::detail

#pragma GCC visibility pop
