#pragma once

#include <libnet/listener_id.hpp>

#include <utility>

#pragma GCC visibility push(default)  // a shared library exports this

namespace libnet {

/// Removes a listener at the end of its scope; for listeners that capture `this`. Harmless after 'close'.
///
/// @code auto guard = socket.scoped(socket.on(event::data, …)); @endcode
template <class EventSource>
class [[nodiscard]] ScopedListener {
 public:
  ScopedListener(EventSource source, ListenerId id) : source_(std::move(source)), id_(id) {}
  ScopedListener(const ScopedListener&) = delete;
  ScopedListener& operator=(const ScopedListener&) = delete;
  ~ScopedListener() { source_.off(id_); }

 private:
  EventSource source_;
  ListenerId id_;
};

}  // namespace libnet

#pragma GCC visibility pop
