#pragma once

#include <libnet/listener_id.hpp>

#include <utility>

namespace libnet {

/// Removes a listener at the end of its scope; for listeners that capture `this`. Harmless after 'close'.
///
/// @code auto guard = socket.scoped(socket.on(event::data, …)); @endcode
template <class Emitter>
class [[nodiscard]] ScopedListener {
 public:
  ScopedListener(Emitter emitter, ListenerId id) : emitter_(std::move(emitter)), id_(id) {}
  ScopedListener(const ScopedListener&) = delete;
  ScopedListener& operator=(const ScopedListener&) = delete;
  ~ScopedListener() { emitter_.off(id_); }

 private:
  Emitter emitter_;
  ListenerId id_;
};

}  // namespace libnet
