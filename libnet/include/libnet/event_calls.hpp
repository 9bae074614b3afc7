#pragma once

#include <libnet/detail/initiate.hpp>
#include <libnet/detail/listener_table.hpp>
#include <libnet/event.hpp>
#include <libnet/listener_id.hpp>
#include <libnet/optional_listener.hpp>
#include <libnet/scoped_listener.hpp>
#include <libnet/use_awaitable.hpp>

#include <cstddef>
#include <utility>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// What Socket and Server, the `Source`, do for their events. An event is named by a tag of libnet::event, which carries
/// the signature of its listeners.
///
/// No listener runs inside the call that causes its event. A listener may add and remove listeners, close the object and
/// drop the last handle while it runs. What it throws ends its socket, or is logged by its server; see
/// Errc::listener_threw. The program goes on.
/// @tparam NotWaitable  The event that hands something over, to one receiver: operations of its own wait for that.
template <class Source, class Event, template <Event, class> class Tag, Event NotWaitable>
class EventCalls {
 public:
  /// Adds a listener, called for each emission in order of registration.
  /// @return  Names the listener for `off`.
  /// @throws SystemError Errc::busy: on a socket for 'data' while a read waits; on a server for 'connection' under
  ///         `serve` or while an accept waits.
  template <Event E, class... A, ListenerFor<void(A...)> F>
  ListenerId on(const Tag<E, void(A...)>&, F&& listener) {
    return self().add_listener(E, detail::make_callable<A...>(std::forward<F>(listener)),
                               detail::ListenerTable::Place::back, false);
  }
  /// Adds a listener for the next emission only.
  template <Event E, class... A, ListenerFor<void(A...)> F>
  ListenerId once(const Tag<E, void(A...)>&, F&& listener) {
    return self().add_listener(E, detail::make_callable<A...>(std::forward<F>(listener)),
                               detail::ListenerTable::Place::back, true);
  }
  /// Adds a listener before all others.
  template <Event E, class... A, ListenerFor<void(A...)> F>
  ListenerId prepend(const Tag<E, void(A...)>&, F&& listener) {
    return self().add_listener(E, detail::make_callable<A...>(std::forward<F>(listener)),
                               detail::ListenerTable::Place::front, false);
  }
  /// Removes a listener; true if it was there.
  bool off(ListenerId id) { return self().remove_listener(id); }
  /// Removes the listener at the end of the scope.
  [[nodiscard]] ScopedListener<Source> scoped(ListenerId id) { return {self(), id}; }
  template <Event E, class Signature>
  [[nodiscard]] std::size_t listener_count(const Tag<E, Signature>&) const noexcept {
    return static_cast<const Source&>(*this).count_listeners(E);
  }
  template <Event E, class Signature>
  void remove_all(const Tag<E, Signature>&) {
    self().remove_listeners(E);
  }

  /// Completes with the event's arguments at its next emission; at once for what happens once and has happened (connect,
  /// ready, end, finish, close, and listening while the server does). If a socket's 'close' comes first: with the
  /// connection's error, operation_aborted after `destroy()`, else Errc::closed. Cancelling only stops the waiting.
  /// For 'data' use `async_read`, for 'connection' `async_accept`.
  /// @param token  Completion token; signature void(error_code, the event's arguments).
  template <Event E, class... A, detail::TokenFor<void(error_code, A...)> Token = use_awaitable_t>
    requires(E != NotWaitable)
  [[nodiscard]] auto async_wait(const Tag<E, void(A...)>&, Token&& token = {}) {
    return detail::initiate<detail::TypedEventOperation<A...>, detail::Operation::Kind::event, &Source::start_wait>(
        self(), token, E);
  }

 private:
  friend Source;

  EventCalls() noexcept = default;

  Source& self() noexcept { return static_cast<Source&>(*this); }
};

}  // namespace libnet

#pragma GCC visibility pop
